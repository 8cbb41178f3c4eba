"""Perceptual hashes as maps that can be differentiated: what an attacker knows who has read how they are computed.

Each maps images in [0, 1] to real numbers whose signs are the bits of the hash: luma, the resizing of Pillow (or PDQ's filter),
and what the hash compares. Where a hash rounds to 8 bit the gradient passes as if it did not. Codes are those of the hash's own
package; these maps are for gradients alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch
from PIL import Image

Differentiable = Callable[[torch.Tensor], torch.Tensor]
"""Images ``(n, 3, h, w)`` in [0, 1] -> real outputs ``(n, K)``, whose signs are the bits."""

LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)
"""Of red, green and blue, as Pillow has them."""
SMALLEST = 1e-6
"""Below what bits are told apart by; a bit that needs *more than* is not set at a tie."""
FINER = 4
"""pHash transforms a square of so many times the sides of its bits."""
PDQ_GRID = 64


def differentiable_hash(name: str, size: int) -> Differentiable:
    """Return the map of a perceptual hash.

    Args:
        name: ``pdq``, ``phash``, ``dhash``, ``ahash`` or ``whash``.
        size: Side of the square of bits.
    """
    own = {"pdq": _pdq, "phash": _phash, "dhash": _dhash, "ahash": _ahash, "whash": _whash}[name]
    return partial(_of_size_one, partial(own, size=size))


def _of_size_one(outputs: Differentiable, images: torch.Tensor) -> torch.Tensor:
    """Return an image's outputs divided by the mean of their sizes, for the numbers of a hash have no size of their own."""
    found = outputs(images).flatten(1)
    return found / found.detach().abs().mean(dim=1, keepdim=True).clamp_min(SMALLEST)


def _phash(images: torch.Tensor, size: int) -> torch.Tensor:
    """Low frequencies of a square of ``4·size`` pixels (DCT-II), against their median."""
    low = _cosines(FINER * size, 0, size).to(images)
    return _above_median(low @ _resized(images, FINER * size, FINER * size) @ low.T)


def _dhash(images: torch.Tensor, size: int) -> torch.Tensor:
    """Pixels of ``size`` rows against their left neighbours."""
    pixels = _resized(images, size, size + 1)
    return pixels[:, :, 1:] - pixels[:, :, :-1] - SMALLEST


def _ahash(images: torch.Tensor, size: int) -> torch.Tensor:
    """Pixels against their mean."""
    pixels = _resized(images, size, size)
    return pixels - pixels.mean(dim=(1, 2), keepdim=True) - SMALLEST


def _whash(images: torch.Tensor, size: int) -> torch.Tensor:
    """Means of blocks (the low band of Haar wavelets) of the largest square of a power of two, against their median."""
    side = max(1 << (min(images.shape[2:]).bit_length() - 1), size)
    pixels = _resized(images, side, side)
    blocks = pixels.view(len(pixels), size, side // size, size, side // size).mean(dim=(2, 4))
    return _above_median(blocks)


def _pdq(images: torch.Tensor, size: int) -> torch.Tensor:
    """Frequencies 1 to 16 of a grid of 64×64 pixels, chosen after two filters by boxes, against their median, last bit first."""
    rows, columns = (_pdq_grid(length).to(images) for length in images.shape[2:])
    low = _cosines(PDQ_GRID, 1, size).to(images)
    return _above_median(low @ (rows @ _luma(images) @ columns.T) @ low.T).flatten(1).flip(1)


def _above_median(numbers: torch.Tensor) -> torch.Tensor:
    median = torch.quantile(numbers.flatten(1), 0.5, dim=1)
    return numbers - median[:, None, None] - SMALLEST


def _luma(images: torch.Tensor) -> torch.Tensor:
    """Return brightness ``(n, h, w)`` in units of 1/255."""
    weights = torch.tensor(LUMA).to(images)
    return 255 * (images * weights[:, None, None]).sum(dim=1)


def _resized(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return brightness resized as ImageHash does, by Pillow's Lanczos filter, in 8 bit after every step.

    Lines come first here; some versions of Pillow take the columns of tall images first, whose pixels then differ by one at most.
    """
    pixels = _rounded(_luma(images))
    if width != pixels.shape[2]:
        pixels = _rounded(pixels @ _lanczos(pixels.shape[2], width).to(images).T)
    if height != pixels.shape[1]:
        pixels = _rounded(_lanczos(pixels.shape[1], height).to(images) @ pixels)
    return pixels


def _rounded(pixels: torch.Tensor) -> torch.Tensor:
    clipped = pixels.clamp(0, 255)
    return clipped + ((clipped + 0.5).floor() - clipped).detach()


@lru_cache(maxsize=32)
def _lanczos(length: int, size: int) -> torch.Tensor:
    """Return the weights ``(size, length)`` with which Pillow resizes a line of pixels: what it makes of single ones."""
    single = Image.fromarray(np.eye(length, dtype=np.float32))
    return torch.from_numpy(np.array(single.resize((size, length), Image.Resampling.LANCZOS)).T.copy())


@lru_cache(maxsize=32)
def _cosines(length: int, first: int, count: int) -> torch.Tensor:
    """Return ``count`` rows of the DCT-II of ``length`` numbers from frequency ``first`` on."""
    frequencies, places = np.arange(first, first + count)[:, None], np.arange(length) + 0.5
    rows = np.cos(np.pi / length * frequencies * places) * np.sqrt(2 / length)
    return torch.from_numpy(rows.astype(np.float32))


@lru_cache(maxsize=32)
def _pdq_grid(length: int) -> torch.Tensor:
    """Return ``(64, length)``: 64 places of a line, filtered twice by a box of ``ceil(length / 128)`` pixels."""
    width = -(-length // (2 * PDQ_GRID))
    right = (width + 2) // 2 - 1
    places = np.arange(length)
    offset = places[None, :] - places[:, None]
    box = ((offset >= right + 1 - width) & (offset <= right)).astype(np.float64)
    box /= box.sum(axis=1, keepdims=True)
    chosen = ((np.arange(PDQ_GRID) + 0.5) * length / PDQ_GRID).astype(int)
    return torch.from_numpy((box @ box)[chosen].astype(np.float32))
