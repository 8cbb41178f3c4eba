"""Networks that draw a bounded perturbation for a target code: one for all images, or one for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from hashprobe.attacks.objectives import mean_size
from hashprobe.attacks.pattern import LinearPattern
from hashprobe.errors import HashprobeError

EMBEDDING = 256
"""Numbers that say, to every level, which code is wanted and which bits the image has already."""


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


class Decoder(nn.Module):
    """What the attacked model computed on an image, and pictures of the image's own size -> a pattern for it; starts at none.

    From the smallest feature map to the largest, and the pictures last, each a :class:`Level` further: the way of a gradient
    through the network, learned.

    Args:
        known: Numbers that every level is told.
        pictures: Channels of the pictures.
        maps: Sizes of the feature maps, the smallest first.
        width: Channels of the largest; four times as many of the smallest, and in between evenly.
    """

    def __init__(self, known: int, pictures: int, maps: Sequence[MapSize], width: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(known, EMBEDDING), nn.GELU(), nn.Linear(EMBEDDING, EMBEDDING), nn.GELU()
        )
        self.levels, below = nn.ModuleList(), 0
        for number, size in enumerate(maps):
            own = round(width * (4 - 3 * number / max(1, len(maps) - 1)))
            self.levels.append(Level(size.channels, below, own))
            below = own
        last = below or width
        self.near = nn.Conv2d(4 * pictures, last, kernel_size=1)
        self.output = nn.Conv2d(last, 12, kernel_size=3, padding=1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # type: ignore[arg-type]

    def forward(
        self, known: torch.Tensor, pictures: torch.Tensor, maps: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return patterns ``(n, 3, size, size)``.

        Args:
            known: ``(n, known)``.
            pictures: ``(n, pictures, size, size)``, the size even.
            maps: Of each size ``(n, channels, side, side)``.
        """
        embedding, below = self.embed(known), None
        for level, features in zip(self.levels, maps, strict=True):
            below = level(features, below, embedding)
        here = self.near(functional.pixel_unshuffle(pictures, 2))
        if below is not None:
            here = here + resized(below, here.shape[-1])
        pattern: torch.Tensor = functional.pixel_shuffle(self.output(functional.relu(here)), 2)
        return pattern


class FeatureDecoder(Decoder):
    """What the attacked model computed on an image -> a pattern for it, ``(n, 3, size, size)``; starts at none.

    Beside what the levels draw, one pattern is drawn from the code, z and the mean of the smallest map.

    Args:
        bits: K.
        image_size: Side of the images, even.
        maps: See :class:`Decoder`.
        width: Likewise.
        hidden: Patterns in the basis of the one pattern.
    """

    def __init__(self, bits: int, image_size: int, maps: Sequence[MapSize], width: int, hidden: int) -> None:
        super().__init__(3 * bits, 3, maps, width)
        self.whole = nn.Sequential(
            nn.Linear(3 * bits + (maps[0].channels if maps else 0), EMBEDDING),
            nn.GELU(),
            nn.Linear(EMBEDDING, hidden),
            nn.GELU(),
            nn.Linear(hidden, 3 * image_size * image_size),
        )
        nn.init.zeros_(self.whole[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.whole[-1].bias)  # type: ignore[arg-type]

    def of(self, images: torch.Tensor, wanted: torch.Tensor, seen: Seen) -> torch.Tensor:
        """Return the patterns.

        Args:
            images: ``(n, 3, size, size)`` in [0, 1].
            wanted: Signs of the codes to reach, ``(n, K)``.
            seen: What was seen.
        """
        known = bits_known(wanted, seen.logits)
        pattern = self(known, 2 * images - 1, seen.maps)
        if seen.maps:
            mean = seen.maps[0].mean(dim=(2, 3))
            size = mean.square().mean(dim=1, keepdim=True).sqrt()
            known = torch.cat([known, mean / size.clamp_min(1e-6)], dim=1)
        drawn: torch.Tensor = pattern + self.whole(known).view_as(pattern)
        return drawn


def bits_known(wanted: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return what is told of the bits, ``(n, 3 K)``: the wanted signs, z by its mean size, and their product."""
    relative = logits / mean_size(logits)
    return torch.cat([wanted, relative, wanted * relative], dim=1)


def resized(features: torch.Tensor, side: int) -> torch.Tensor:
    """Return features brought to another side by repeating the nearest, as they are where it is their own."""
    return features if features.shape[-1] == side else functional.interpolate(features, size=(side, side))


class BoundedNetwork(nn.Module):
    """A network that draws patterns, whose tanh times ε is a change.

    Attributes:
        bits: K.
    """

    bits: int


def changed(images: torch.Tensor, pattern: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return images in [0, 1] changed by the tanh of a pattern times ε, in [0, 1]; within ``epsilon`` by construction."""
    return (images + epsilon * torch.tanh(pattern)).clamp(0, 1)


class CodeGenerator(BoundedNetwork):
    """A pattern for the code plus, where the model is looked at, one for the image; see :func:`changed`.

    Args:
        bits: K.
        image_size: Side of the images, even.
        hidden: See :class:`LinearPattern`.
        width: See :class:`Decoder`; ``None`` for the pattern of the code alone.
        maps: Likewise.
    """

    def __init__(
        self,
        bits: int,
        image_size: int,
        *,
        hidden: int,
        width: int | None = None,
        maps: Sequence[MapSize] = (),
    ) -> None:
        super().__init__()
        if image_size % 2:
            raise HashprobeError(f"the code generator needs images whose side is even; found {image_size}.")
        self.bits = bits
        self.pattern = LinearPattern(bits, image_size, hidden)
        self.decoder: FeatureDecoder | None = None
        if width is not None:
            self.decoder = FeatureDecoder(bits, image_size, maps, width, hidden)

    def forward(self, images: torch.Tensor, wanted: torch.Tensor, seen: Seen | None) -> torch.Tensor:
        """Return patterns, ``(n, 3, size, size)``.

        Args:
            images: ``(n, 3, size, size)`` in [0, 1].
            wanted: Signs of the codes to reach, ``(n, K)``.
            seen: What the attacked model computed on the images, where it is looked at.
        """
        pattern: torch.Tensor = self.pattern(wanted)
        if self.decoder is None:
            return pattern
        assert seen is not None
        return pattern + self.decoder.of(images, wanted, seen)
