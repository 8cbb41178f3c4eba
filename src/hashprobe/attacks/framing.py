"""Pictures as a frame of another size and place shows them: crops, and the smaller pictures of input diversity."""

from __future__ import annotations

import torch
from torch.nn import functional

SMALLEST = 0.9
"""Side of the smallest picture of input diversity, as a share of the image's."""


def varied(images: torch.Tensor, diversity: float, draws: torch.Tensor) -> torch.Tensor:
    """Return pictures of which a share is smaller and elsewhere, black around; the others are as they were. Differentiable.

    Input diversity, Xie et al., CVPR 2019.

    Args:
        images: ``(n, c, h, w)``.
        diversity: Probability that one is varied.
        draws: Evenly drawn from [0, 1), ``(4, n)``: whether it is, how small, and where from left and top.
    """
    if not diversity or len(images) == 0:
        return images
    share, size, left, top = draws.to(images)
    chosen = share < diversity
    frame = 1 / torch.where(chosen, SMALLEST + (1 - SMALLEST) * size, torch.ones_like(size))
    return torch.where(chosen.view(-1, 1, 1, 1), framed(images, frame, left, top, padding="zeros"), images)


def framed(
    images: torch.Tensor, frame: torch.Tensor, left: torch.Tensor, top: torch.Tensor, padding: str = "border"
) -> torch.Tensor:
    """Return each picture as a frame of another size shows it, at its own size; differentiable, bilinear.

    Args:
        images: ``(n, c, h, w)``.
        frame: Side of the frame as a share of the picture's, ``(n,)``: a smaller one crops, a larger one has more around.
        left: Where the frame lies, ``(n,)``: 0 to 1, of all places where one of both lies within the other.
        top: Likewise.
        padding: What is around a picture, as ``grid_sample`` names it.
    """
    theta = images.new_zeros((len(images), 2, 3))
    theta[:, 0, 0] = theta[:, 1, 1] = frame
    room = frame - 1  # how far it may be moved, in half widths of the picture
    theta[:, 0, 2], theta[:, 1, 2] = (2 * left - 1) * room, (2 * top - 1) * room
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode=padding, align_corners=False)
