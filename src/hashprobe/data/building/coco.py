"""MS-COCO 2014 with its instances: the images of train and val that an object is annotated in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hashprobe.bounds import read_bytes
from hashprobe.data.building.archive import (
    OFFICIAL_DATA_SETS,
    Archive,
    OfficialDataSet,
    find_file,
    image_paths,
    with_images,
)
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError, shortened

CATEGORIES = 80
IMAGES = 122_218
PARTS = ("train", "val")
_NEEDED = "MS-COCO has it in annotations_trainval2014.zip; unpack it"


def read_coco(source: Path) -> Archive:
    """Read ``instances_train2014.json`` and ``instances_val2014.json``; images without annotation are dropped.

    Raises:
        HashprobeError: annotations or images are missing, or a file is not what it should be.
    """
    names: list[str] = []
    labels: list[UInt8Array] = []
    categories: dict[int, str] = {}
    for part in PARTS:
        path = find_file(source, f"instances_{part}2014.json", f"the annotations of {part}; {_NEEDED}")
        content = _read_instances(path)
        try:
            found = dict(map(_category, content["categories"]))
            categories = categories or dict(sorted(found.items()))
            if dict(sorted(found.items())) != categories:
                raise HashprobeError(f"{path} has other categories than the annotations of {PARTS[0]}.")
            part_names, part_labels = _labels(content, list(categories))
        except (KeyError, TypeError, AttributeError) as error:
            said = shortened(error.args[0] if error.args else error)
            raise HashprobeError(
                f"{path} is not a file of instances of MS-COCO: it lacks {said} or has another form."
            ) from None
        names += part_names
        labels.append(part_labels)
    all_labels = np.concatenate(labels)
    warnings = []
    if len(categories) != CATEGORIES:
        warnings.append(f"{len(categories)} categories are annotated, officially {CATEGORIES}.")
    if len(names) != IMAGES:
        warnings.append(f"{len(names)} images are annotated, officially {IMAGES:,}; is it a part of MS-COCO?")
    kept, kept_labels, absent = with_images(names, all_labels, image_paths(source), "annotated images")
    return Archive(tuple(categories.values()), kept, kept_labels, (*warnings, *absent))


def _category(category: dict[str, Any]) -> tuple[int, str]:
    number, name = category["id"], category["name"]
    if type(number) is not int or type(name) is not str:
        raise TypeError(f"a category with a number and a name in place of {number!r:.40} and {name!r:.40}")
    return number, name


def _read_instances(path: Path) -> dict[str, Any]:
    """Read the JSON file; outlines, which are nearly all of it, are dropped as they are met."""

    def without_outline(value: dict[str, Any]) -> dict[str, Any]:
        value.pop("segmentation", None)
        return value

    try:
        content = json.loads(read_bytes(path, "annotation_bytes"), object_hook=without_outline)
    except OSError as error:
        raise HashprobeError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise HashprobeError(
            f"{path} is not a JSON file ({shortened(str(error))}); unpack it again."
        ) from None
    if not isinstance(content, dict):
        raise HashprobeError(f"{path} holds no JSON object; expected the instances of MS-COCO.")
    return content


def _labels(content: dict[str, Any], categories: list[int]) -> tuple[list[str], UInt8Array]:
    """Return file names and labels of the images that have an annotation, in the order of their numbers."""
    columns = {category: column for column, category in enumerate(categories)}
    shown: dict[int, set[int]] = {}
    for annotation in content["annotations"]:
        shown.setdefault(annotation["image_id"], set()).add(columns[annotation["category_id"]])
    files = {image["id"]: str(image["file_name"]) for image in content["images"]}
    numbers = sorted(number for number in shown if number in files)
    labels = np.zeros((len(numbers), len(categories)), dtype=np.uint8)
    for row, number in enumerate(numbers):
        labels[row, list(shown[number])] = 1
    return [files[number] for number in numbers], labels


OFFICIAL_DATA_SETS.register("ms-coco")(OfficialDataSet(read_coco, IMAGES, queries=5_000, train=10_000))
