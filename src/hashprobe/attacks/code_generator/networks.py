"""Networks that draw a bounded perturbation for a target code: one for all images, or one for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from hashprobe.errors import HashprobeError

EMBEDDING = 256
"""Numbers that say, to every level, which code is wanted and which bits the image has already."""
LOUDEST = 4.0
"""Entries of a gradient that are larger than so many times the mean are cut; a sign step knows of none."""


class Seen(NamedTuple):
    """What the attacked model computed on n images.

    Attributes:
        logits: z, ``(n, K)``.
        maps: The last feature map of each size, the smallest first, ``(n, channels, side, side)`` each.
        gradient: Of the objective with respect to the images, ``(n, 3, s, s)``; ``None`` where none was taken.
    """

    logits: torch.Tensor
    maps: Sequence[torch.Tensor]
    gradient: torch.Tensor | None = None


class MapSize(NamedTuple):
    """Side and channels of a feature map."""

    side: int
    channels: int


class CodePattern(nn.Module):
    """Code ``(n, K)`` -> a pattern for any image ``(n, 3, size, size)``: two linear layers with GELU between.

    A universal perturbation is a row of numbers that fits one code; here the last layer's weights are a basis of such rows
    that all codes share, and so most of what is learned for one code serves the others.

    Args:
        bits: K.
        image_size: Side of the images.
        hidden: Patterns in the basis.
    """

    def __init__(self, bits: int, image_size: int, hidden: int) -> None:
        super().__init__()
        self.bits, self.side = bits, image_size
        self.layers = nn.Sequential(
            nn.Linear(bits, hidden), nn.GELU(), nn.Linear(hidden, 3 * image_size * image_size)
        )

    def forward(self, wanted: torch.Tensor) -> torch.Tensor:
        """Return the patterns."""
        drawn: torch.Tensor = self.layers(wanted).view(-1, 3, self.side, self.side)
        return drawn


class Level(nn.Module):
    """Features of one size, and what comes from the smaller ones -> what goes on to the larger ones.

    What comes from below is multiplied by what the network saw here, as the gradient of a network is on its way back; the
    features are scaled and shifted by what the code wants (FiLM, Perez et al., AAAI 2018).

    Args:
        channels: Of the features.
        below: Channels of what comes from the smaller features; 0 for none.
        width: Channels of what goes on.
    """

    def __init__(self, channels: int, below: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, 2 * width if below else width, kernel_size=1)
        self.film = nn.Linear(EMBEDDING, 2 * width)
        self.up = nn.Conv2d(below, 4 * width, kernel_size=1) if below else None
        self.around = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(
        self, features: torch.Tensor, below: torch.Tensor | None, embedding: torch.Tensor
    ) -> torch.Tensor:
        """Return ``(n, width, side, side)`` from features ``(n, channels, side, side)``, what is below, and the embedding."""
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        size = features.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        own = self.reduce(features / size.clamp_min(1e-6))
        if self.up is None or below is None:
            hidden = own * (1 + scale) + shift
        else:
            own, gate = own.chunk(2, dim=1)
            hidden = resized(functional.pixel_shuffle(self.up(below), 2), features.shape[-1])
            hidden = hidden * (1 + gate) + own * (1 + scale) + shift
        further: torch.Tensor = hidden + self.around(functional.relu(hidden))
        return further


class FeatureDecoder(nn.Module):
    """What the attacked model computed on an image -> a pattern for it, ``(n, 3, size, size)``; starts at none.

    From the smallest feature map to the largest, and the image itself last, each a :class:`Level` further: the way of a
    gradient through the network, learned. Beside it one pattern is drawn from the code, z and the mean of the smallest map.

    Args:
        bits: K.
        image_size: Side of the images, even.
        maps: Sizes of the feature maps, the smallest first.
        width: Channels of the largest; four times as many of the smallest, and in between evenly.
        hidden: Patterns in the basis of the one pattern.
        gradient: Whether a gradient is among what it sees; it then starts at a step along it.
    """

    def __init__(
        self, bits: int, image_size: int, maps: Sequence[MapSize], width: int, hidden: int, *, gradient: bool
    ) -> None:
        super().__init__()
        self.side = image_size
        self.embed = nn.Sequential(
            nn.Linear(3 * bits, EMBEDDING), nn.GELU(), nn.Linear(EMBEDDING, EMBEDDING), nn.GELU()
        )
        widths = [round(width * (4 - 3 * k / max(1, len(maps) - 1))) for k in range(len(maps))]
        self.levels = nn.ModuleList()
        below = 0
        for size, own in zip(maps, widths, strict=True):
            self.levels.append(Level(size.channels, below, own))
            below = own
        last = below or width
        self.near = nn.Conv2d(36 if gradient else 12, last, kernel_size=1)
        self.output = nn.Conv2d(last, 12, kernel_size=3, padding=1)
        self.whole = nn.Sequential(
            nn.Linear(3 * bits + (maps[0].channels if maps else 0), EMBEDDING),
            nn.GELU(),
            nn.Linear(EMBEDDING, hidden),
            nn.GELU(),
            nn.Linear(hidden, 3 * image_size * image_size),
        )
        for layer in (self.output, self.whole[-1]):
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.gain = nn.Parameter(torch.full((1,), 0.5)) if gradient else None

    def forward(self, images: torch.Tensor, wanted: torch.Tensor, seen: Seen) -> torch.Tensor:
        """Return the patterns.

        Args:
            images: ``(n, 3, size, size)`` in [0, 1].
            wanted: Signs of the codes to reach, ``(n, K)``.
            seen: What was seen.
        """
        size = seen.logits.abs().mean(dim=1, keepdim=True)
        relative = seen.logits / size.clamp_min(torch.finfo(seen.logits.dtype).tiny)
        bits = torch.cat([wanted, relative, wanted * relative], dim=1)
        near, downhill = [2 * images - 1], None
        if self.gain is not None:
            assert seen.gradient is not None
            mean = seen.gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
            downhill = -(seen.gradient / mean.clamp_min(1e-20)).clamp(-LOUDEST, LOUDEST)
            near += [downhill, downhill.sign()]
        embedding, below = self.embed(bits), None
        for level, features in zip(self.levels, seen.maps, strict=True):
            below = level(features, below, embedding)
        here = self.near(functional.pixel_unshuffle(torch.cat(near, dim=1), 2))
        if below is not None:
            here = here + resized(below, self.side // 2)
        pattern: torch.Tensor = functional.pixel_shuffle(self.output(functional.relu(here)), 2)
        if seen.maps:
            mean = seen.maps[0].mean(dim=(2, 3))
            bits = torch.cat(
                [bits, mean / mean.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-6)], dim=1
            )
        pattern = pattern + self.whole(bits).view_as(pattern)
        return pattern if downhill is None or self.gain is None else pattern + self.gain * downhill


def resized(features: torch.Tensor, side: int) -> torch.Tensor:
    """Return features brought to another side by repeating the nearest, as they are where it is their own."""
    return features if features.shape[-1] == side else functional.interpolate(features, size=(side, side))


class CodeGenerator(nn.Module):
    """The tanh of a pattern for the code plus, where the model is looked at, one for the image: a change in (−1, 1), times ε.

    Args:
        bits: K.
        image_size: Side of the images, even.
        hidden: See :class:`CodePattern`.
        width: See :class:`FeatureDecoder`; ``None`` for the pattern of the code alone.
        maps: Likewise.
        gradient: Likewise.
    """

    def __init__(
        self,
        bits: int,
        image_size: int,
        *,
        hidden: int,
        width: int | None = None,
        maps: Sequence[MapSize] = (),
        gradient: bool = False,
    ) -> None:
        super().__init__()
        if image_size % 2:
            raise HashprobeError(f"the code generator needs images whose side is even; found {image_size}.")
        self.pattern = CodePattern(bits, image_size, hidden)
        self.decoder = None
        if width is not None:
            self.decoder = FeatureDecoder(bits, image_size, maps, width, hidden, gradient=gradient)

    def forward(
        self, images: torch.Tensor, wanted: torch.Tensor, seen: Seen | None, epsilon: float
    ) -> torch.Tensor:
        """Return adversarial images in [0, 1], within ``epsilon`` of the images by construction.

        Args:
            images: ``(n, 3, size, size)`` in [0, 1].
            wanted: Signs of the codes to reach, ``(n, K)``.
            seen: What the attacked model computed on the images, where it is looked at.
        epsilon: L∞ budget in [0, 1] units.
        """
        pattern = self.pattern(wanted)
        if self.decoder is not None:
            assert seen is not None
            pattern = pattern + self.decoder(images, wanted, seen)
        return (images + epsilon * torch.tanh(pattern)).clamp(0, 1)
