"""ProS-GAN's losses (paper, Equations 5 to 13)."""

from __future__ import annotations

import torch
from torch.nn import functional

from hashprobe.attacks.objectives import mean_size


def hamming_loss(
    logits: torch.Tensor,
    goal: torch.Tensor,
    sharpness: float = 1.0,
    *,
    relative: bool = False,
) -> torch.Tensor:
    """Return how far a model's outputs z are from target codes ±1, both ``(n, K)``: ``1 − mean(h_t · tanh(sharpness z))``.

    A scalar in [0, 2] (Equation 7, for ``sharpness`` 1). A hinge on the bits that are not flipped yet was tried instead
    and left out: shrinking every z towards 0 lowers it whatever the target is, and the generator learned just that.
    ``relative``: z is first divided by the mean of its absolute values, an image at a time, which is no part of the gradient.
    """
    if relative:
        logits = logits / mean_size(logits)
    return 1 - (torch.tanh(sharpness * logits) * goal).mean()


def discriminator_target(labels: torch.Tensor, *, generated: float, class_outputs: bool) -> torch.Tensor:
    """Return what the discriminator's outputs are compared with: ``[labels, generated]``, or ``[generated]`` alone."""
    last = torch.full((len(labels), 1), generated, device=labels.device)
    return torch.cat([labels, last], dim=1) if class_outputs else last


def discriminator_loss(
    real: torch.Tensor,
    fake: torch.Tensor,
    labels: torch.Tensor,
    target: torch.Tensor,
    *,
    class_outputs: bool,
) -> torch.Tensor:
    """Return half the sum of the squared errors on real and on generated images (Equation 13).

    Args:
        real: The discriminator's outputs for real images.
        fake: Its outputs for generated images.
        labels: Labels of the real images, ``(n, C)``.
        target: Target labels of the generated images, ``(n, C)``.
        class_outputs: Whether it names classes.
    """
    wanted = discriminator_target(labels, generated=0, class_outputs=class_outputs)
    unmasked = discriminator_target(target, generated=1, class_outputs=class_outputs)
    return (functional.mse_loss(real, wanted) + functional.mse_loss(fake, unmasked)) / 2
