"""Pictures that the tests of the data room write to files, and what a small folder lists of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "sun")
LISTED = {"test": ["t0", "t1"], "database": ["d0", "d1", "d2", "d3"], "train": ["d2", "d0"]}
LABELS = {"t0": "1 0 0", "t1": "0 0 1", "d0": "1 1 0", "d1": "0 0 0", "d2": "0 1 1", "d3": "1 0 0"}


def picture(number: int, width: int = 48, height: int = 40) -> Image.Image:
    """A picture of blocks, different for each number."""
    blocks = np.random.default_rng(number).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)


def jpeg(image: Image.Image) -> bytes:
    """The bytes of a JPEG file of nearly the same pixels."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def write_until_seen(path: Path, write: Callable[[], object]) -> None:
    """Write a file until its time of change moves: some systems' clock of files ticks only every 10 ms."""
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        write()
