"""Backgrounds of the scenes.

No random number depends on the picture's size, so the same generator paints the same background at any size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from hashprobe.registry import Registry

Colours: TypeAlias = npt.NDArray[np.float32]  # (S, S, 3) in [0, 1]
Colour: TypeAlias = tuple[float, float, float]
Background = Callable[[np.random.Generator, int], Colours]

BACKGROUNDS: Registry[Background] = Registry("background")


def smooth_noise(generator: np.random.Generator, cells: int, size: int, channels: int = 1) -> Colours:
    """Return ``(size, size, channels)`` noise, about [0, 1], with features ``1 / cells`` of the side wide."""
    grid = generator.random((channels, cells, cells), dtype=np.float32)
    layers = [Image.fromarray(layer).resize((size, size), Image.Resampling.BICUBIC) for layer in grid]
    return np.stack([np.asarray(layer) for layer in layers], axis=2)


def _heights(size: int) -> Colours:
    """Return the height of each row of pixels, 0 at the top and 1 at the bottom, ``(size, 1, 1)``."""
    return ((np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)).reshape(-1, 1, 1)


def _random_colour(generator: np.random.Generator, colour: Colour, spread: float = 0.08) -> Colours:
    """Return a colour near ``colour``."""
    return np.clip(np.array(colour) + generator.uniform(-spread, spread, 3), 0, 1).astype(np.float32)


def _gradient(top: Colours, bottom: Colours, size: int) -> Colours:
    return _mix(np.broadcast_to(top, (size, size, 3)), bottom, _heights(size))


def _mix(colours: Colours, others: Colours, share: Colours) -> Colours:
    """Return ``share`` of ``others`` and the rest of ``colours``."""
    mixed: Colours = colours * (1 - share) + others * share
    return mixed


def _with_ground(sky: Colours, ground: Colours, horizon: float | Colours) -> Colours:
    """Return ``ground`` below the horizon and ``sky`` above it, with a soft edge one pixel wide."""
    size = len(sky)
    return _mix(sky, ground, np.clip((_heights(size) - np.float32(horizon)) * size + 0.5, 0, 1))


def _stripes(position: Colours, cells: int) -> Colours:
    return (position * cells % 1 < 0.5).astype(np.float32)


def _wave(phase: Colours) -> Colours:
    wave: Colours = np.sin(np.float32(2 * np.pi) * phase)
    return wave


@BACKGROUNDS.register("sky")
def sky(generator: np.random.Generator, size: int) -> Colours:
    """Blue with clouds."""
    top, bottom = (_random_colour(generator, colour) for colour in ((0.42, 0.66, 0.92), (0.80, 0.90, 0.97)))
    clear = np.float32(generator.uniform(1.0, 1.8))
    clouds = np.clip(smooth_noise(generator, 5, size) * np.float32(2.2) - clear, 0, np.float32(0.85))
    return _mix(_gradient(top, bottom, size), np.ones(3, dtype=np.float32), clouds)


@BACKGROUNDS.register("sunset")
def sunset(generator: np.random.Generator, size: int) -> Colours:
    """From violet to orange, over dark hills."""
    top, bottom, hill = (
        _random_colour(generator, colour)
        for colour in ((0.45, 0.36, 0.60), (0.98, 0.66, 0.38), (0.30, 0.24, 0.30))
    )
    ridge = np.float32(0.70) + np.float32(0.2) * smooth_noise(generator, 4, size)[:1]  # one height a column
    return _with_ground(_gradient(top, bottom, size), hill, ridge)


@BACKGROUNDS.register("night")
def night(generator: np.random.Generator, size: int) -> Colours:
    """Dark blue with stars."""
    top, bottom = (_random_colour(generator, colour) for colour in ((0.10, 0.12, 0.30), (0.26, 0.28, 0.50)))
    stars = Image.new("L", (size, size))
    pen = ImageDraw.Draw(stars)
    for x, y, light in generator.random((int(generator.integers(10, 40)), 3)).tolist():
        left, up, radius = int(x * size), int(y * size), int(0.006 * size * light)
        box = [left - radius, up - radius, left + radius, up + radius]
        pen.rectangle(box, fill=int(110 + 120 * light))
    glow = np.asarray(stars, dtype=np.float32)[:, :, None] / np.float32(255)
    lit: Colours = np.maximum(_gradient(top, bottom, size), glow)
    return lit


@BACKGROUNDS.register("grass")
def grass(generator: np.random.Generator, size: int) -> Colours:
    """A meadow under a sky."""
    near, far = (_random_colour(generator, colour) for colour in ((0.36, 0.62, 0.22), (0.60, 0.78, 0.38)))
    blades = np.float32(0.82) + np.float32(0.36) * smooth_noise(generator, 24, size)
    horizon = generator.uniform(0.05, 0.55)
    return _with_ground(sky(generator, size), _gradient(far, near, size) * blades, horizon)


@BACKGROUNDS.register("sea")
def sea(generator: np.random.Generator, size: int) -> Colours:
    """Waves under a sky."""
    far, near = (_random_colour(generator, colour) for colour in ((0.36, 0.64, 0.80), (0.08, 0.36, 0.58)))
    sway = np.float32(1.2) * smooth_noise(generator, 4, size)
    waves = _wave(_heights(size) * np.float32(generator.uniform(8, 14)) + sway)
    horizon = generator.uniform(0.0, 0.5)
    return _with_ground(sky(generator, size), _gradient(far, near, size) + np.float32(0.05) * waves, horizon)


@BACKGROUNDS.register("beach")
def beach(generator: np.random.Generator, size: int) -> Colours:
    """Sand before the sea."""
    grains = np.float32(0.92) + np.float32(0.16) * smooth_noise(generator, 28, size)
    sand = _random_colour(generator, (0.90, 0.80, 0.58)) * grains
    shore = generator.uniform(0.5, 0.75)
    return _with_ground(sea(generator, size), sand, shore)


@BACKGROUNDS.register("street")
def street(generator: np.random.Generator, size: int) -> Colours:
    """Asphalt with a dashed line, and a wall or the sky behind it."""
    horizon = generator.uniform(0.3, 0.6)
    grains = np.float32(0.9) + np.float32(0.2) * smooth_noise(generator, 30, size)
    asphalt = _random_colour(generator, (0.48, 0.48, 0.50)) * grains
    line = horizon + generator.uniform(0.4, 0.7) * (1 - horizon)
    across, shift = _heights(size).reshape(1, -1, 1), generator.random()
    dashes = (np.abs(_heights(size) - line) < 0.02) & ((across * 4 + shift) % 1 < 0.55)
    asphalt = np.where(dashes, np.float32(0.93), asphalt)
    if generator.random() < 0.5:
        stains = np.float32(0.85) + np.float32(0.3) * smooth_noise(generator, 12, size)
        return _with_ground(_random_colour(generator, (0.72, 0.60, 0.54), 0.15) * stains, asphalt, horizon)
    return _with_ground(sky(generator, size), asphalt, horizon)


@BACKGROUNDS.register("table")
def table(generator: np.random.Generator, size: int) -> Colours:
    """A checked cloth, or wood."""
    down, across = _heights(size), _heights(size).reshape(1, -1, 1)
    if generator.random() < 0.5:
        cells = int(generator.integers(3, 8))
        bands = (_stripes(down, cells) + _stripes(across, cells)) / np.float32(2)
        cloth = _random_colour(generator, (0.80, 0.40, 0.40), 0.35)
        return _mix(np.full(3, 0.95, dtype=np.float32), cloth, bands)
    sway = np.float32(0.9) * smooth_noise(generator, 3, size)
    grain = _wave(across * np.float32(generator.uniform(3, 6)) + sway)
    wood: Colours = _random_colour(generator, (0.74, 0.54, 0.36)) * (1 + np.float32(0.1) * grain)
    return wood


@BACKGROUNDS.register("noise")
def noise(generator: np.random.Generator, size: int) -> Colours:
    """Colours without a meaning, coarse and fine."""
    coarse, fine = smooth_noise(generator, 4, size, 3), smooth_noise(generator, 20, size, 3)
    return np.float32(0.125) + np.float32(0.55) * coarse + np.float32(0.25) * fine
