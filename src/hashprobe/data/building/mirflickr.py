"""MIRFLICKR-25000 with the annotations v080: a text file a topic, which lists the numbers of its images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hashprobe.data.building.archive import (
    OFFICIAL_DATA_SETS,
    Archive,
    OfficialDataSet,
    find_file,
    image_paths,
)
from hashprobe.data.faults import STRICT
from hashprobe.data.formats.text_lists import read_lines
from hashprobe.errors import HashprobeError

TOPICS = (
    "animals",
    "baby",
    "bird",
    "car",
    "clouds",
    "dog",
    "female",
    "flower",
    "food",
    "indoor",
    "lake",
    "male",
    "night",
    "people",
    "plant_life",
    "portrait",
    "river",
    "sea",
    "sky",
    "structures",
    "sunset",
    "transport",
    "tree",
    "water",
)
# Topics that are annotated a second time: the images in which they are not only visible but what it is about.
RELEVANT = tuple(
    f"{topic}_r1"
    for topic in TOPICS
    if topic
    not in {
        "animals",
        "food",
        "indoor",
        "lake",
        "plant_life",
        "sky",
        "structures",
        "sunset",
        "transport",
        "water",
    }
)
IMAGES = 25_000
_NEEDED = "MIRFLICKR has it in mirflickr25k_annotations_v080.zip; unpack it there"


def read_mirflickr(source: Path) -> Archive:
    """Read images ``im1.jpg`` … and the 24 topics and 14 ``_r1`` lists; images of no topic are kept.

    Raises:
        HashprobeError: images or lists are missing, or a line is no image's number (file and line are named).
    """
    images = {
        int(match[1]): path
        for name, path in image_paths(source).items()
        if (match := re.fullmatch(r"im(\d+)\.jpg", name))
    }
    if not images:
        raise HashprobeError(f"{source} holds no im1.jpg, im2.jpg …; unpack mirflickr25k.zip there.")
    numbers = sorted(images)
    rows = {number: row for row, number in enumerate(numbers)}
    annotations = find_file(source, "plant_life.txt", f"a list of the annotations v080; {_NEEDED}").parent
    class_names = TOPICS + RELEVANT
    labels = np.zeros((len(numbers), len(class_names)), dtype=np.uint8)
    absent = set()
    for column, topic in enumerate(class_names):
        for number in _read_numbers(annotations / f"{topic}.txt"):
            if number in rows:
                labels[rows[number], column] = 1
            else:
                absent.add(number)
    warnings = [f"{len(absent)} annotated images have no image file and are left out."] if absent else []
    return Archive(class_names, tuple(images[number] for number in numbers), labels, tuple(warnings))


def _read_numbers(path: Path) -> list[int]:
    numbers = []
    for line, text in enumerate(read_lines(path, STRICT, needed=_NEEDED), start=1):
        written = text.strip()
        if not re.fullmatch(r"[0-9]{1,5}", written) or not 1 <= int(written) <= IMAGES:
            raise HashprobeError(
                f"{path}, line {line} is {written!r}; expected the number of an image, 1 to {IMAGES}."
            )
        numbers.append(int(written))
    return numbers


OFFICIAL_DATA_SETS.register("flickr25k")(OfficialDataSet(read_mirflickr, IMAGES, queries=1_700, train=5_000))
