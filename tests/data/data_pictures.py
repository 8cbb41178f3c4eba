"""Pictures that the tests of the data room write to files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(number: int, width: int = 48, height: int = 40) -> Image.Image:
    """A picture of blocks, different for each number."""
    blocks = np.random.default_rng(number).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)


def jpeg(image: Image.Image) -> bytes:
    """The bytes of a JPEG file of nearly the same pixels."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()
