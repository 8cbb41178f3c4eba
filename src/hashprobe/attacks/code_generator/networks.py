"""Networks that draw a bounded perturbation for a target code: one for all images, or one for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from hashprobe.errors import HashprobeError

EMBEDDING = 256
"""Numbers that say, to every head, which code is wanted and which bits lack how much."""
CELL = 4
"""Side in pixels of the cells in which the image itself, and a gradient, are looked at."""
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


class Head(nn.Module):
    """Features of one size -> a pattern for the image, each cell's pixels from the features of that cell; starts at none.

    The features are scaled and shifted by what the code wants (FiLM, Perez et al., AAAI 2018). There are no convolutions
    but of one pixel: the attacked network has looked around already.

    Args:
        channels: Of the features.
        width: Channels within.
        cell: Side in pixels of what one place of the features stands for.
    """

    def __init__(self, channels: int, width: int, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.norm = nn.GroupNorm(1, channels, affine=False)
        self.reduce = nn.Conv2d(channels, width, kernel_size=1)
        self.film = nn.Linear(EMBEDDING, 2 * width)
        self.mix = nn.Conv2d(width, width, kernel_size=1)
        self.output = nn.Conv2d(width, 3 * cell * cell, kernel_size=1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # type: ignore[arg-type]

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Return ``(n, 3, cell side, cell side)`` from features ``(n, channels, side, side)`` and the embedding."""
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = functional.gelu(self.reduce(self.norm(features)) * (1 + scale) + shift)
        drawn: torch.Tensor = functional.pixel_shuffle(
            self.output(functional.gelu(self.mix(hidden))), self.cell
        )
        return drawn


class FeatureDecoder(nn.Module):
    """What the attacked model computed on an image -> a pattern for it, ``(n, 3, size, size)``: the sum of a head for each map.

    Args:
        bits: K.
        image_size: Side of the images.
        maps: Sizes of the feature maps.
        width: See :class:`Head`.
        gradient: Whether a gradient is among what it sees; it then starts at a step along it.
    """

    def __init__(
        self, bits: int, image_size: int, maps: Sequence[MapSize], width: int, *, gradient: bool
    ) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(3 * bits, EMBEDDING), nn.GELU())
        self.heads = nn.ModuleList(Head(size.channels, width, image_size // size.side) for size in maps)
        self.near = Head((9 if gradient else 3) * CELL * CELL, width, CELL)
        self.gain = nn.Parameter(torch.ones(1)) if gradient else None

    def forward(
        self,
        images: torch.Tensor,
        wanted: torch.Tensor,
        lacking: torch.Tensor,
        relative: torch.Tensor,
        seen: Seen,
    ) -> torch.Tensor:
        """Return the patterns.

        Args:
            images: ``(n, 3, size, size)`` in [0, 1].
            wanted: Signs of the codes to reach, ``(n, K)``.
            lacking: The same, each as large as it lacks.
            relative: z by its mean size.
            seen: What was seen.
        """
        embedding = self.embed(torch.cat([wanted, lacking, relative], dim=1))
        near = [2 * images - 1]
        if self.gain is not None:
            assert seen.gradient is not None
            mean = seen.gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
            downhill = -(seen.gradient / mean.clamp_min(1e-20)).clamp(-LOUDEST, LOUDEST)
            near += [downhill, downhill.sign()]
        cells = functional.pixel_unshuffle(torch.cat(near, dim=1), CELL)
        pattern: torch.Tensor = self.near(cells, embedding)
        for head, features in zip(self.heads, seen.maps, strict=True):
            pattern = pattern + head(features, embedding)
        return pattern if self.gain is None else pattern + self.gain * downhill


class CodeGenerator(nn.Module):
    """The tanh of a pattern for the code plus, where the model is looked at, one for the image: a change in (−1, 1), times ε.

    Where the model is looked at, the pattern is not drawn for the code but for what is lacking: a bit that is right already,
    by much, needs no push, and the budget serves the others. How much that is is learned.

    Args:
        bits: K.
        image_size: Side of the images, a multiple of 4.
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
        if image_size % CELL:
            raise HashprobeError(
                f"the code generator needs images whose side is a multiple of {CELL}; found {image_size}."
            )
        self.pattern = CodePattern(bits, image_size, hidden)
        self.decoder, self.focus = None, None
        if width is not None:
            self.decoder = FeatureDecoder(bits, image_size, maps, width, gradient=gradient)
            self.focus = nn.Parameter(torch.tensor([1.0, 1.0]))

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
        if self.decoder is None or self.focus is None:
            return (images + epsilon * torch.tanh(self.pattern(wanted))).clamp(0, 1)
        assert seen is not None
        size = seen.logits.abs().mean(dim=1, keepdim=True)
        relative = seen.logits / size.clamp_min(torch.finfo(seen.logits.dtype).tiny)
        weight = torch.sigmoid(self.focus[0] - self.focus[1] * wanted * relative)
        lacking = wanted * weight / weight.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-6)
        pattern = self.pattern(lacking) + self.decoder(images, wanted, lacking, relative, seen)
        return (images + epsilon * torch.tanh(pattern)).clamp(0, 1)
