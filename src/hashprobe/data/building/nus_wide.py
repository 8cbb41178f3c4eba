"""NUS-WIDE with its concept and image lists: the images that show one of the 21 most frequent of 81 concepts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashprobe.data.building.archive import (
    OFFICIAL_DATA_SETS,
    Archive,
    OfficialDataSet,
    find_file,
    image_paths,
    with_images,
)
from hashprobe.data.faults import STRICT
from hashprobe.data.formats.text_lists import read_lines
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError

CONCEPTS = 81
FREQUENT = 21
IMAGES = 195_834
_NEEDED = "NUS-WIDE has it in Groundtruth.zip and ImageList.zip; unpack both"


def read_nus_wide(source: Path) -> Archive:
    """Read ``Imagelist.txt`` and ``AllLabels/Labels_*.txt``; the most frequent concept is the first class.

    An image is found by its file name, in whichever folder it is (``Flickr/actor/`` or ``images/``).

    Raises:
        HashprobeError: lists or images are missing, or a line is wrong (file and line are named).
    """
    image_list = find_file(source, "Imagelist.txt", f"the list of all images; {_NEEDED}")
    listed = [
        line.strip().replace("\\", "/").rsplit("/", 1)[-1]
        for line in read_lines(image_list, STRICT, needed=_NEEDED)
    ]
    folder = source / "Groundtruth" / "AllLabels"
    if not folder.is_dir():
        folder = find_file(source, "Labels_sky.txt", f"a list of a concept; {_NEEDED}").parent
    paths = {path.stem.removeprefix("Labels_"): path for path in sorted(folder.glob("Labels_*.txt"))}
    if not paths:
        raise HashprobeError(f"{folder} holds no Labels_….txt; {_NEEDED}.")
    columns = {name: _read_concept(path, image_list, len(listed)) for name, path in paths.items()}
    class_names = tuple(sorted(columns, key=lambda name: (-int(columns[name].sum()), name))[:FREQUENT])
    labels = np.stack([columns[name] for name in class_names], axis=1)
    shown = np.flatnonzero(labels.any(axis=1))
    warnings = []
    if len(paths) != CONCEPTS:
        warnings.append(
            f"{folder} has lists of {len(paths)} concepts, the official archive of {CONCEPTS}; "
            f"the {len(class_names)} most frequent of these are the classes."
        )
    if len(shown) != IMAGES:
        warnings.append(
            f"{len(shown)} listed images show a class, in the official archive {IMAGES:,}; is it a part of it?"
        )
    names, labels, absent = with_images(
        (listed[row] for row in shown), labels[shown], image_paths(source), "listed images"
    )
    return Archive(class_names, names, labels, (*warnings, *absent))


def _read_concept(path: Path, image_list: Path, rows: int) -> UInt8Array:
    lines = [line.strip() for line in read_lines(path, STRICT, needed=_NEEDED)]
    if len(lines) != rows:
        raise HashprobeError(
            f"{image_list} lists {rows} images but {path} has {len(lines)} lines; expected one an image."
        )
    wrong = next((row for row, value in enumerate(lines) if value not in ("0", "1")), None)
    if wrong is not None:
        raise HashprobeError(f"{path}, line {wrong + 1} has the value {lines[wrong]!r}; expected 0 or 1.")
    return np.array([value == "1" for value in lines], dtype=np.uint8)


OFFICIAL_DATA_SETS.register("nus-wide")(OfficialDataSet(read_nus_wide, IMAGES, queries=2_100, train=10_500))
