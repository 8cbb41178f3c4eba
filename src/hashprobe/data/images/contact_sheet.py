"""A contact sheet: many images of a split on one page, with their labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from hashprobe.data.retrieval_data import Split
from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.typed_values import checked

MOST_IMAGES, MOST_ZOOM = 1000, 64
GAP = 6
LINE = 12
BACKGROUND = (250, 250, 250)
INK = (60, 60, 60)


@checked
def contact_sheet(
    split: Split, columns: int = 10, rows: int = 6, *, class_names: Sequence[str] | None = None, zoom: int = 1
) -> Image.Image:
    """Return the first ``columns * rows`` images of a split on one page.

    Args:
        split: Whose images are shown.
        columns: Images side by side.
        rows: Lines of images.
        class_names: If given, each image has the names of its classes below it.
        zoom: Every pixel becomes ``zoom`` times ``zoom`` pixels.

    Raises:
        HashprobeError: a number out of range, or less names than classes.
    """
    for name, number in (("columns", columns), ("rows", rows)):
        check_whole_number(name, number, least=1, most=MOST_IMAGES)
    check_whole_number("zoom", zoom, least=1, most=MOST_ZOOM)
    if class_names is not None and len(class_names) != split.labels.shape[1]:
        raise HashprobeError(f"there are {split.labels.shape[1]} classes; found {len(class_names)} names.")
    shown = min(columns * rows, len(split))
    side = split.images.shape[2] * zoom
    caption = 2 * LINE if class_names is not None else 0
    step_x, step_y = side + GAP, side + GAP + caption
    lines = -(-shown // columns)
    page = Image.new("RGB", (GAP + columns * step_x, GAP + lines * step_y), BACKGROUND)
    pen = ImageDraw.Draw(page)
    for index, pixels in enumerate(split.images[:shown]):
        picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        left, top = GAP + index % columns * step_x, GAP + index // columns * step_y
        page.paste(picture.resize((side, side), Image.Resampling.NEAREST), (left, top))
        if class_names is not None:
            names = [class_names[number] for number in np.flatnonzero(split.labels[index]).tolist()]
            for line, text in enumerate(_wrapped(names, pen, side)):
                pen.text((left, top + side + line * LINE), text, fill=INK)
    return page


def _wrapped(names: list[str], pen: ImageDraw.ImageDraw, width: int) -> list[str]:
    """Return the names on at most two lines; what does not fit is cut."""
    lines = [""]
    for name in names:
        longer = f"{lines[-1]}, {name}" if lines[-1] else name
        if lines[-1] and pen.textlength(longer) > width:
            lines.append(name)
        else:
            lines[-1] = longer
    return lines[:2]
