"""VOC 2007 as torchvision lays it out: ``VOCdevkit/VOC2007`` with ``JPEGImages`` and ``ImageSets/Main``.

The queries are the official test images; the database, which is also the training split, is ``trainval``. An image
has a class if ``ImageSets/Main/CLASS_SET.txt`` says 1; images of which it says 0 show the class in "difficult"
instances alone, which the official measure leaves out too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashprobe.data.faults import Faults
from hashprobe.data.formats.listing import ListedSplit, Listing
from hashprobe.data.formats.locations import Locations
from hashprobe.data.formats.text_lists import BAD_ROWS, UNEQUAL, read_lines
from hashprobe.data.retrieval_data import UInt8Array

CLASS_NAMES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
SUBFOLDERS = ("VOCdevkit/VOC2007", "VOC2007", ".")
_NEEDED = "VOC 2007 has it in VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar; unpack both"


def voc_folder(folder: Path) -> str | None:
    """Return where VOC 2007 is in a folder, ``None`` if it is not."""
    return next(
        (subfolder for subfolder in SUBFOLDERS if (folder / subfolder / "ImageSets" / "Main").is_dir()), None
    )


def read_voc(folder: Path, faults: Faults) -> Listing:
    """Read VOC 2007; images are not looked at.

    Raises:
        HashprobeError: a list is missing or a line of it is wrong, if ``faults`` is strict.
    """
    subfolder = voc_folder(folder) or SUBFOLDERS[0]
    database = _read_set(folder, subfolder, "trainval", faults)
    query = _read_set(folder, subfolder, "test", faults)
    return Listing(CLASS_NAMES, query=query, database=database, train=database)


def _read_set(folder: Path, subfolder: str, name: str, faults: Faults) -> ListedSplit:
    main = folder / subfolder / "ImageSets" / "Main"
    images = main / f"{name}.txt"
    numbers = [line.strip() for line in read_lines(images, faults, needed=_NEEDED)]
    rows = {number: row for row, number in enumerate(numbers)}
    labels = np.zeros((len(numbers), len(CLASS_NAMES)), dtype=np.uint8)
    for column, class_name in enumerate(CLASS_NAMES):
        _mark(main / f"{class_name}_{name}.txt", rows, labels[:, column], faults)
    at = Locations.lines_of(images, len(numbers))
    names = tuple(f"{subfolder}/JPEGImages/{number}.jpg" if number else "" for number in numbers)
    return ListedSplit(names, labels, at, at)


def _mark(path: Path, rows: dict[str, int], column: UInt8Array, faults: Faults) -> None:
    """Set the rows of the images that have a class; every image must be said to have it or not."""
    said = set()
    for line, text in enumerate(read_lines(path, faults, needed=_NEEDED), start=1):
        number, *flags = text.split() or [""]
        if number not in rows or flags not in (["1"], ["0"], ["-1"]):
            faults.add(
                BAD_ROWS,
                f"{path}, line {line} is {text.strip()!r}; expected an image of the set, then 1, 0 or -1.",
            )
            continue
        said.add(number)
        column[rows[number]] = flags == ["1"]
    if said and len(said) < len(rows):
        faults.add(
            UNEQUAL,
            f"{path} has {len(said)} of {len(rows)} images; expected a line for each image of the set.",
        )
