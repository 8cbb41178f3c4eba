"""ProS-GAN's generator and discriminator (paper, Sections 3.3 and 3.4). Images are in [−1, 1] in here."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from hashprobe.attacks.pattern import LinearPattern
from hashprobe.errors import HashprobeError

SMALLEST_STRIDE = 16
RESIDUAL_BLOCKS = 6


def check_change(decoder: str, residual: bool, epsilon: float | None) -> None:
    """Say which of a :class:`Generator`'s settings needs its output to be a change of the image.

    Raises:
        HashprobeError: one does, and it is the image itself.
    """
    if epsilon is not None and not residual:
        raise HashprobeError(
            "a bounded generator (epsilon) needs residual=True; the published output is unbounded."
        )
    if decoder == "linear" and not residual:
        raise HashprobeError("a linear decoder needs residual=True: its pattern is added to the change.")


class SemanticDecoder(nn.Sequential):
    """D_t: semantic representation ``(n, semantic_width)`` -> an image of the target ``(n, 3, size, size)``.

    A linear layer to ``2 width × (size/16)²``, then four stride-2 transposed convolutions.
    """

    def __init__(self, image_size: int, width: int, semantic_width: int) -> None:
        side = image_size // SMALLEST_STRIDE
        channels = [2 * width, width, width // 2, width // 4, width // 8]
        super().__init__(
            nn.Linear(semantic_width, channels[0] * side * side),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (channels[0], side, side)),
            *(layer for before, after in pairwise(channels) for layer in _up(before, after)),
            nn.Conv2d(channels[-1], 3, kernel_size=3, padding=1),
        )


class Generator(nn.Module):
    """G: an image and a semantic representation -> the adversarial image, in one pass.

    Args:
        image_size: Side of the square images; a multiple of 16.
        width: Channels of the first convolution; the paper's is 64. The cost grows with its square.
        semantic_width: Length of the semantic representation r_t, the paper's is 512, or of the code for a linear decoder.
        decoder: What draws the image of the target: transposed ``convolutions`` (published), or a ``linear`` basis of patterns,
            :class:`hashprobe.attacks.pattern.LinearPattern`, which is added to what the tanh is taken of; it learns sooner,
            from a code rather than from the many numbers of a semantic representation.
        decoder_width: Half the channels after the convolutions' linear layer, or patterns in the basis; ``width`` (published) if
            not given. A narrow generator wants a wide decoder: it costs little, and a target is what the decoder draws.
        residual: ``False`` (published): the output is ``tanh`` of the last convolution. ``True``: the output is the
            image plus ``2 epsilon tanh`` of it, clipped to [−1, 1]; the last convolution sees the decoder's image as well,
            and starts at zero, so that training starts from the image itself and not from noise.
        epsilon: L-infinity bound in [0, 1] units that the residual is scaled to; ``None`` for unbounded.
    """

    def __init__(
        self,
        image_size: int,
        *,
        width: int = 64,
        semantic_width: int = 512,
        decoder: Literal["convolutions", "linear"] = "convolutions",
        decoder_width: int | None = None,
        residual: bool = False,
        epsilon: float | None = None,
    ) -> None:
        super().__init__()
        decoder_width = width if decoder_width is None else decoder_width
        if image_size % SMALLEST_STRIDE or image_size < 32:
            raise HashprobeError(
                f"the generator needs images whose side is a multiple of 16, at least 32; found {image_size}."
            )
        if width % 8 or decoder_width % 8:
            raise HashprobeError(
                f"the generator's widths must be multiples of 8; found {width} and {decoder_width}."
            )
        check_change(decoder, residual, epsilon)
        self.residual, self.linear = residual, decoder == "linear"
        self.scale = 2.0 * (1.0 if epsilon is None else epsilon)
        self.decoder = (
            LinearPattern(semantic_width, image_size, decoder_width)
            if self.linear
            else SemanticDecoder(image_size, decoder_width, semantic_width)
        )
        self.transform = nn.Sequential(
            nn.Conv2d(6, width, kernel_size=7, padding=3),
            nn.InstanceNorm2d(width),
            nn.ReLU(inplace=True),
            *_down(width, 2 * width),
            *_down(2 * width, 4 * width),
            *(ResidualBlock(4 * width) for _ in range(RESIDUAL_BLOCKS)),
            *_up(4 * width, 2 * width),
            *_up(2 * width, width),
        )
        self.output = nn.Conv2d(width + (6 if residual else 3), 3, kernel_size=3, padding=1)
        if residual:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor, semantics: torch.Tensor) -> torch.Tensor:
        """Return adversarial images in [−1, 1].

        Args:
            images: ``(n, 3, size, size)`` in [−1, 1].
            semantics: Semantic representations r_t of the target labels, or their relaxed codes, ``(n, semantic_width)``.
        """
        target = self.decoder(semantics)
        both = torch.cat([target, images], dim=1)
        skipped = both if self.residual else images
        drawn = self.output(torch.cat([self.transform(both), skipped], dim=1))
        if self.linear:
            drawn = drawn + target
        output = torch.tanh(drawn.to(images.dtype))  # a change of 1/255 is lost where it is drawn in bfloat16
        if self.residual:
            return (images + self.scale * output).clamp(-1, 1)
        return output


class ResidualBlock(nn.Module):
    """Convolution, instance norm, ReLU, convolution, instance norm, and the input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return ``features`` plus what the block makes of them."""
        return features + self.body(features)  # type: ignore[no-any-return]


class Discriminator(nn.Sequential):
    """D: image ``(n, 3, size, size)`` -> ``(n, outputs)``; the last output says "generated", the ones before name classes.

    Five spectrally normalised stride-2 convolutions (``width`` to ``16 width`` channels) and one over what is left. The
    paper ends in a sigmoid; the authors' program has none and fits the targets by least squares, as here.

    Args:
        image_size: A multiple of 32.
        outputs: C + 1, or 1 without the class outputs (the ablation ProS-GAN−).
        width: Channels of the first convolution; the paper's is 64.
    """

    def __init__(self, image_size: int, *, outputs: int, width: int = 64) -> None:
        if image_size % 32:
            raise HashprobeError(
                f"the discriminator needs images whose side is a multiple of 32; found {image_size}."
            )
        channels = [3, *(width * 2**level for level in range(5))]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [
                spectral_norm(nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1)),
                nn.LeakyReLU(0.01),
            ]
        super().__init__(
            *layers, nn.Conv2d(channels[-1], outputs, kernel_size=image_size // 32), nn.Flatten()
        )


def _down(before: int, after: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1)
    return [convolution, nn.InstanceNorm2d(after), nn.ReLU(inplace=True)]


def _up(before: int, after: int) -> list[nn.Module]:
    convolution = nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)
    return [convolution, nn.InstanceNorm2d(after), nn.ReLU(inplace=True)]
