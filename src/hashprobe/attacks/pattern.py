"""What is wanted -> a pattern for any image: the cheapest decoder, shared by generators."""

from __future__ import annotations

import torch
from torch import nn


class LinearPattern(nn.Module):
    """Numbers that say what is wanted ``(n, K)`` -> a pattern for any image ``(n, 3, size, size)``, by two linear layers.

    A universal perturbation is a row of numbers that fits one target; here the last layer's weights are a basis of such rows
    that all targets share, and so most of what is learned for one serves the others.

    Args:
        wanted: K, the bits of a code or the length of a semantic representation.
        image_size: Side of the images.
        hidden: Patterns in the basis.
    """

    def __init__(self, wanted: int, image_size: int, hidden: int) -> None:
        super().__init__()
        self.side = image_size
        self.layers = nn.Sequential(
            nn.Linear(wanted, hidden), nn.GELU(), nn.Linear(hidden, 3 * image_size * image_size)
        )

    def forward(self, wanted: torch.Tensor) -> torch.Tensor:
        """Return the patterns."""
        drawn: torch.Tensor = self.layers(wanted).view(-1, 3, self.side, self.side)
        return drawn
