"""ProS-GAN's losses (paper, Equations 5 to 13)."""

from __future__ import annotations

import torch
from torch.nn import functional

from hashprobe.attacks.prosgan.settings import ProSGANSettings


def hamming_loss(logits: torch.Tensor, goal: torch.Tensor, settings: ProSGANSettings) -> torch.Tensor:
    """Return how far a model's outputs z are from target codes ±1, both ``(n, K)``; a scalar (Equation 7, or its variant)."""
    if settings.hamming_loss == "inner_product":
        return 1 - (torch.tanh(logits) * goal).mean()
    return functional.relu(settings.margin - logits * goal).mean()


def discriminator_target(labels: torch.Tensor, *, generated: float, class_outputs: bool) -> torch.Tensor:
    """Return what the discriminator's outputs are compared with: ``[labels, generated]``, or ``[generated]`` alone."""
    last = torch.full((len(labels), 1), generated, device=labels.device)
    return torch.cat([labels, last], dim=1) if class_outputs else last


def discriminator_loss(
    real: torch.Tensor, real_target: torch.Tensor, fake: torch.Tensor, fake_target: torch.Tensor
) -> torch.Tensor:
    """Return half the sum of the squared errors on real and on generated images (Equation 13)."""
    return (functional.mse_loss(real, real_target) + functional.mse_loss(fake, fake_target)) / 2
