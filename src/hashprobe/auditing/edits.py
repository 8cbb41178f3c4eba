"""Benign edits: what happens to a picture on its way with no ill will, by name; each a function of a picture at its own size."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from hashprobe.bounds import BOUNDS
from hashprobe.data.images.decoding import SMALLEST_SIDE
from hashprobe.evaluation.own_size import Picture
from hashprobe.registry import Registry

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Edit:
    """A benign edit.

    Attributes:
        title: What it does, for a table.
        change: A picture in RGB -> the edited one, of any size from 32 pixels a side.
        VERSION: Of what it does; raised when the same picture would come out otherwise.
    """

    title: str
    change: Change
    VERSION: int = 1

    def __call__(self, picture: Picture) -> Picture:
        """Return the edited picture, uint8 ``(3, height, width)``; one that is larger than may be decoded is made smaller."""
        edited = self.change(Image.fromarray(picture.transpose(1, 2, 0))).convert("RGB")
        share = (BOUNDS.image_pixels / (edited.width * edited.height)) ** 0.5
        if share < 1:
            edited = edited.resize((int(share * edited.width), int(share * edited.height)))
        return np.ascontiguousarray(np.asarray(edited).transpose(2, 0, 1))


EDITS: Registry[Edit] = Registry("edit")
"""All of them are measured by an audit; a plugin may register more."""


def _jpeg(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        written = io.BytesIO()
        image.save(written, "JPEG", quality=quality)
        return Image.open(written, formats=("JPEG",))

    return change


def _resized(share: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        width, height = (max(SMALLEST_SIDE, round(share * side)) for side in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS)

    return change


def _cropped(share: float) -> Change:
    """Keep the middle: this share of either side."""

    def change(image: Image.Image) -> Image.Image:
        width, height = (max(SMALLEST_SIDE, round(share * side)) for side in image.size)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))

    return change


def _blurred(share: float) -> Change:
    """Blur by a Gaussian whose standard deviation is this share of the shorter side."""
    return lambda image: image.filter(ImageFilter.GaussianBlur(share * min(image.size)))


def _brighter(factor: float) -> Change:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


def _captioned(image: Image.Image) -> Image.Image:
    """Put a white bar of an eighth of the height below, with a line of black text in it."""
    bar = max(8, image.height // 8)
    captioned = Image.new("RGB", (image.width, image.height + bar), "white")
    captioned.paste(image)
    size = max(6, bar // 2)
    place = (image.width // 20, image.height + (bar - size) // 2)
    ImageDraw.Draw(captioned).text(place, "when the weekend is over", fill="black", font_size=size)
    return captioned


for _quality in (90, 70, 50, 30):
    EDITS.register(f"jpeg-{_quality}")(Edit(f"saved as JPEG of quality {_quality}", _jpeg(_quality)))
for _percent in (75, 50):
    EDITS.register(f"resize-{_percent}")(
        Edit(f"resized to {_percent} % of its sides", _resized(_percent / 100))
    )
for _percent in (95, 90, 80):
    EDITS.register(f"crop-{_percent}")(
        Edit(f"cropped to the middle {_percent} % of its sides", _cropped(_percent / 100))
    )
EDITS.register("blur-light")(Edit("blurred by 0.5 % of its shorter side", _blurred(0.005)))
EDITS.register("blur-strong")(Edit("blurred by 1 % of its shorter side", _blurred(0.01)))
for _percent in (80, 120):
    EDITS.register(f"brightness-{_percent}")(Edit(f"brightness at {_percent} %", _brighter(_percent / 100)))
EDITS.register("mirror")(Edit("mirrored, left for right", ImageOps.mirror))
EDITS.register("caption")(Edit("a bar with a caption below", _captioned))
