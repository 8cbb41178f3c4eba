"""What a training does to images so that it never sees the same one twice."""

from __future__ import annotations

import torch
from torch.nn import functional


def mirror_and_shift(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror half of the images and shift each by up to a sixteenth of its size, with reflected borders."""
    count, _, height, width = images.shape
    pad = max(height // 16, 1)
    mirrored = torch.rand(count, generator=generator) < 0.5
    images = torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(3), images)
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    shifts = torch.randint(0, 2 * pad + 1, (count, 2), generator=generator).tolist()
    return torch.stack(
        [image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, shifts, strict=True)]
    )
