"""The network that draws a step: from a gradient and what was seen with it, and what was changed so far."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from hashprobe.attacks.code_generator.networks import BoundedNetwork, Decoder, MapSize, Seen, bits_known

LOUDEST = 4.0
"""Entries of a gradient that are larger than so many times the mean are cut; its sign, which is shown too, knows of none."""
FIRMEST = 2.0
"""A pattern is cut here before a step, so that no pixel is so far in the tanh that no step can bring it back."""
PICTURES = 12
"""Channels of image, change, gradient and its sign."""


class StepNetwork(BoundedNetwork):
    """Steps from a pattern to the next: the tanh of the pattern, times ε, is the change.

    A step adds to the pattern the gradient, its sign, and what a :class:`Decoder` draws from image, change and gradient and
    from the feature maps of the pass that the gradient was taken from; it begins as half a sign step.

    Args:
        bits: K.
        width: See :class:`Decoder`.
        maps: Likewise.
        steps: How many steps are told apart; later ones are drawn as the last of them.
    """

    def __init__(self, bits: int, *, width: int, maps: Sequence[MapSize], steps: int) -> None:
        super().__init__()
        self.bits, self.steps = bits, steps
        self.decoder = Decoder(3 * bits + steps, PICTURES, maps, width)
        self.gain = nn.Parameter(torch.tensor([[0.5, 0.25]]).repeat(steps, 1))

    def forward(
        self, images: torch.Tensor, wanted: torch.Tensor, pattern: torch.Tensor, seen: Seen, step: int
    ) -> torch.Tensor:
        """Return the next pattern, ``(n, 3, size, size)``.

        Args:
            images: The clean ones, ``(n, 3, size, size)`` in [0, 1].
            wanted: Signs of the codes to reach, ``(n, K)``.
            pattern: The last pattern.
            seen: What was seen of the images as that pattern changed them, with the gradient.
            step: Counted from 0.
        """
        assert seen.gradient is not None
        number = torch.full((len(images),), min(step, self.steps - 1), device=images.device)
        known = torch.cat(
            [bits_known(wanted, seen.logits), functional.one_hot(number, self.steps).to(wanted)], dim=1
        )
        mean = seen.gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
        downhill = -(seen.gradient / mean.clamp_min(1e-20)).clamp(-LOUDEST, LOUDEST)
        sign = downhill.sign()
        pictures = torch.cat([2 * images - 1, torch.tanh(pattern), downhill, sign], dim=1)
        by_sign, by_size = self.gain[number][:, :, None, None, None].unbind(dim=1)
        drawn: torch.Tensor = self.decoder(known, pictures, seen.maps)
        return pattern.clamp(-FIRMEST, FIRMEST) + by_sign * sign + by_size * downhill + drawn
