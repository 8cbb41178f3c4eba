"""Scenes planned: which drawings, where, how large and how turned. Nothing is painted here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hashprobe.data.openmoji.backgrounds import BACKGROUNDS
from hashprobe.data.openmoji.drawings import CLASS_NAMES, CLASSES, drawing_box
from hashprobe.data.openmoji.themes import THEMES, Theme
from hashprobe.seeds import derived_seed, numpy_generator

Share = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[float, Field(ge=0.05, le=0.95)]
SizeRange = tuple[Length, Length]

LONGEST_SIDE = 0.92
OVERHANG = 0.04
TRIES = 16


class SceneSettings(BaseModel):
    """How scenes are made. Lengths are shares of the picture's side.

    Attributes:
        counts: Relative frequency of pictures with 1, 2, 3 and 4 objects.
        sizes: For 1, 2, 3 and 4 objects: from which size to which (root of the area of the drawing's box).
            Objects that find no place are made smaller.
        overlap: Share of an object's box that another object's box may cover or be covered by.
        rotation: Objects are turned by up to this many degrees, either way.
        repeat: Chance that a further object is of a class that the picture has already.
        stray: Share of the objects that are drawn from all classes alike instead of from the picture's theme.
        any_background: Share of the pictures with a background drawn from all instead of from the theme's.
        colour_cast: Each colour channel of objects and of pictures is scaled by up to this share.
        held_out: In query pictures, the share of the objects that show a held-out drawing, where their class
            has some.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: tuple[Share, Share, Share, Share] = (0.30, 0.35, 0.23, 0.12)
    sizes: tuple[SizeRange, SizeRange, SizeRange, SizeRange] = (
        (0.50, 0.80),
        (0.42, 0.60),
        (0.36, 0.50),
        (0.30, 0.42),
    )
    overlap: Share = 0.12
    rotation: Annotated[float, Field(ge=0, le=180)] = 20.0
    repeat: Share = 0.15
    stray: Share = 0.12
    any_background: Share = 0.2
    colour_cast: Annotated[float, Field(ge=0, le=0.5)] = 0.14
    held_out: Share = 0.4

    @model_validator(mode="after")
    def _check(self) -> SceneSettings:
        if not any(self.counts):
            raise ValueError("counts must not all be zero")
        if any(low > high for low, high in self.sizes):
            raise ValueError("sizes must go from the smaller to the larger")
        return self


@dataclass(frozen=True)
class PlacedObject:
    """One drawing in a scene.

    Attributes:
        code: Of the drawing.
        x: Centre, from the left.
        y: Centre, from the top.
        width: Of the drawing before it is turned.
        height: Of the drawing before it is turned.
        angle: Degrees, counter-clockwise.
        mirrored: Whether left and right are exchanged.
        gains: Factors of red, green and blue.
    """

    code: str
    x: float
    y: float
    width: float
    height: float
    angle: float
    mirrored: bool
    gains: tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """A picture before it is painted.

    Attributes:
        classes: Of each object, numbers of ``CLASS_NAMES``; the picture's label is their set.
        objects: In painting order: the larger first, so that a smaller one is not hidden.
        background: A name of ``BACKGROUNDS``.
        background_seed: Of what is random in the background.
        gains: Factors of red, green and blue of the whole picture.
    """

    classes: tuple[int, ...]
    objects: tuple[PlacedObject, ...]
    background: str
    background_seed: int
    gains: tuple[float, float, float]


def draw_content(settings: SceneSettings, seed: int, split: str, index: int) -> tuple[Theme, tuple[int, ...]]:
    """Draw the theme of a picture and the class of each of its objects; cheap, and all that a label needs."""
    generator = numpy_generator(seed, "openmoji", "content", split, index)
    number = int(generator.choice(len(THEMES), p=_theme_chances()))
    count = 1 + int(generator.choice(4, p=_shares(list(settings.counts))))
    chances = _class_chances(number, settings.stray)
    distinct = 1 + int(generator.binomial(count - 1, 1 - settings.repeat))
    distinct = min(distinct, int(np.count_nonzero(chances)))
    classes = generator.choice(len(CLASS_NAMES), size=distinct, replace=False, p=chances)
    repeated = generator.choice(classes, size=count - distinct)
    return list(THEMES.values())[number], tuple(int(chosen) for chosen in (*classes, *repeated))


@cache
def _theme_chances() -> npt.NDArray[np.float64]:
    return _shares([theme.weight for theme in THEMES.values()])


@cache
def _class_chances(theme: int, stray: float) -> npt.NDArray[np.float64]:
    """Return how likely each class is in a theme, which is given by its number."""
    weights = list(THEMES.values())[theme].classes
    return (1 - stray) * _shares([weights.get(name, 0.0) for name in CLASS_NAMES]) + stray / len(CLASS_NAMES)


def plan_scene(settings: SceneSettings, seed: int, split: str, index: int) -> Scene:
    """Plan picture ``index`` of a split: a function of its arguments alone."""
    theme, classes = draw_content(settings, seed, split, index)
    generator = numpy_generator(seed, "openmoji", "layout", split, index)
    use_held_out = settings.held_out if split == "query" else 0.0
    codes = [_draw_code(generator, CLASS_NAMES[number], use_held_out) for number in classes]
    angles = generator.uniform(-settings.rotation, settings.rotation, len(codes)).tolist()
    low, high = settings.sizes[len(codes) - 1]
    sizes = [
        _side_lengths(code, size)
        for code, size in zip(codes, generator.uniform(low, high, len(codes)), strict=True)
    ]
    in_sky = [CLASSES[CLASS_NAMES[number]].in_sky for number in classes]
    places, scale = _find_places(generator, sizes, angles, in_sky, settings.overlap)
    objects = [
        PlacedObject(code, x, y, scale * width, scale * height, angle, mirrored, _gains(generator, settings))
        for code, (x, y), (width, height), angle, mirrored in zip(
            codes, places, sizes, angles, (generator.random(len(codes)) < 0.5).tolist(), strict=True
        )
    ]
    objects.sort(key=lambda placed: -placed.width * placed.height)
    background = _draw_background(generator, settings, theme)
    background_seed = derived_seed(seed, "openmoji", "background", split, index)
    return Scene(classes, tuple(objects), background, background_seed, _gains(generator, settings))


def _draw_background(generator: np.random.Generator, settings: SceneSettings, theme: Theme) -> str:
    if generator.random() < settings.any_background:
        return str(generator.choice(list(BACKGROUNDS)))
    return str(generator.choice(list(theme.backgrounds), p=_shares(list(theme.backgrounds.values()))))


def _shares(weights: list[float]) -> npt.NDArray[np.float64]:
    values = np.array(weights, dtype=np.float64)
    values /= values.sum()
    return values


def _gains(generator: np.random.Generator, settings: SceneSettings) -> tuple[float, float, float]:
    red, green, blue = generator.uniform(1 - settings.colour_cast, 1 + settings.colour_cast, 3).tolist()
    return red, green, blue


def _draw_code(generator: np.random.Generator, name: str, use_held_out: float) -> str:
    drawings = CLASSES[name]
    held_out = bool(drawings.held_out) and generator.random() < use_held_out
    return str(generator.choice(drawings.held_out if held_out else drawings.shared))


def _side_lengths(code: str, size: float) -> tuple[float, float]:
    """Return width and height of a drawing with area ``size ** 2``, smaller if a side is too long."""
    left, top, right, bottom = drawing_box(code)
    aspect = math.sqrt((right - left) / (bottom - top))
    width, height = size * aspect, size / aspect
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    return width * shrink, height * shrink


def turned_box(width: float, height: float, angle: float) -> tuple[float, float]:
    """Return width and height of the upright box around a box that is turned by ``angle`` degrees."""
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    return width * cosine + height * sine, width * sine + height * cosine


def _find_places(
    generator: np.random.Generator,
    sizes: list[tuple[float, float]],
    angles: list[float],
    in_sky: list[bool],
    overlap: float,
) -> tuple[list[tuple[float, float]], float]:
    """Place objects one after the other; if one finds no place, begin anew with all a little smaller.

    Returns:
        The centres, and the factor by which all sizes shrink.
    """
    scale = 1.0
    while True:
        places: list[tuple[float, float]] = []
        boxes: list[tuple[float, float, float, float]] = []
        for (width, height), angle, sky in zip(sizes, angles, in_sky, strict=True):
            box_width, box_height = turned_box(scale * width, scale * height, angle)
            for across, down in generator.random((TRIES, 2)).tolist():
                x = _between(across, box_width)
                y = _between(0.5 * down if sky else 0.15 + 0.85 * down, box_height)
                box = (x - box_width / 2, y - box_height / 2, x + box_width / 2, y + box_height / 2)
                if all(_overlap(box, other) <= overlap for other in boxes):
                    places.append((x, y))
                    boxes.append(box)
                    break
            else:
                break
        if len(places) == len(sizes):
            return places, scale
        scale *= 0.9


def _between(share: float, length: float) -> float:
    """Return a centre for a box of this length; no more than ``OVERHANG`` of it leaves the picture."""
    reach = max(0.0, 0.5 - length * (0.5 - OVERHANG))
    return 0.5 + reach * (2 * share - 1)


def _overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Return the common area of two boxes as a share of the smaller one's."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (box, other)]
    return width * height / min(areas)
