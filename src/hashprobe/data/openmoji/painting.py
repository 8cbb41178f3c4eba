"""Scenes painted: a plan becomes pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from hashprobe.data.openmoji.backgrounds import BACKGROUNDS
from hashprobe.data.openmoji.drawings import RENDER_SIDE, drawing
from hashprobe.data.openmoji.scenes import PlacedObject, Scene
from hashprobe.data.retrieval_data import UInt8Array

FINENESS = 2  # objects are turned at twice their size, then reduced, which keeps their lines sharp


def paint_scene(scene: Scene, size: int) -> UInt8Array:
    """Paint a scene.

    Returns:
        uint8 ``(3, size, size)``; the same scene at another size is the same picture, finer or coarser.
    """
    picture = BACKGROUNDS[scene.background](np.random.default_rng(scene.background_seed), size)
    for placed in scene.objects:
        _lay_over(picture, paint_object(placed, size), placed.x * size, placed.y * size)
    picture *= 255 * np.array(scene.gains, dtype=np.float32)
    return np.ascontiguousarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8).transpose(2, 0, 1))


def paint_object(placed: PlacedObject, size: int) -> npt.NDArray[np.float32]:
    """Paint one object, turned and at its size in a picture of ``size`` pixels.

    Returns:
        ``(height, width, 4)`` in [0, 1]: red, green and blue, multiplied by alpha, and alpha.
    """
    width, height = (max(1, round(length * size * FINENESS)) for length in (placed.width, placed.height))
    image = drawing(placed.code, scale=1 + (max(width, height) - 1) // (2 * RENDER_SIDE))
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    if placed.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.rotate(placed.angle, Image.Resampling.BILINEAR, expand=True).reduce(FINENESS)
    layer = np.asarray(image, dtype=np.float32) / np.float32(255)
    layer[:, :, :3] = np.minimum(layer[:, :, :3] * np.array(placed.gains, dtype=np.float32), layer[:, :, 3:])
    return layer


def _lay_over(picture: npt.NDArray[np.float32], layer: npt.NDArray[np.float32], x: float, y: float) -> None:
    """Lay an object over the picture, in place, centred at (x, y) in pixels; what overhangs is cut."""
    height, width, _ = layer.shape
    left, top = round(x - width / 2), round(y - height / 2)
    part = layer[max(0, -top) : len(picture) - top, max(0, -left) : len(picture) - left]
    region = picture[max(0, top) : top + height, max(0, left) : left + width]
    region *= 1 - part[:, :, 3:]
    region += part[:, :, :3]
