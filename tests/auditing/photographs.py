"""Photographs of several sizes, made from a seed, and a model that knows them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((60, 40), (44, 52), (48, 48))


def photograph(number: int, size: tuple[int, int] | None = None) -> Image.Image:
    """A smooth picture of random colours, of a size of its own (width, height)."""
    cells = np.random.default_rng(number).integers(40, 216, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size or SIZES[number % len(SIZES)], Image.Resampling.BICUBIC)


def photographs(folder: Path, count: int = 12) -> Path:
    """A folder of them, half in each of two folders within."""
    for number in range(count):
        place = folder / ("even", "odd")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        photograph(number).save(place / f"{number:02d}.png")
    return folder
