"""What the reader of an official archive yields: every usable image with its labels, before splits are drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hashprobe.data.images.decoding import EXTENSIONS
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError
from hashprobe.registry import Registry


@dataclass(frozen=True, eq=False)
class Archive:
    """The images of an archive that a data set is built from.

    Attributes:
        class_names: The C classes.
        names: Paths relative to the folder of the archive, in a fixed order.
        labels: uint8 ``(n, C)``.
        warnings: What is not as in the official archive; one sentence each.
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: UInt8Array
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfficialDataSet:
    """A data set that is built from an official archive, as the paper uses it.

    Attributes:
        read: Reads the archive as it unpacks.
        images: How many images the official archive yields.
        queries: The paper's number of queries.
        train: The paper's number of training images, which are drawn from the database.
    """

    read: Callable[[Path], Archive]
    images: int
    queries: int
    train: int


OFFICIAL_DATA_SETS: Registry[OfficialDataSet] = Registry("data set to build")


def image_paths(source: Path) -> dict[str, str]:
    """Return the path relative to ``source`` of each image file in it, by file name, in order of the paths.

    Raises:
        HashprobeError: there is none.
    """
    paths: list[str] = []
    for folder, folders, files in os.walk(source):
        folders.sort()
        here = Path(folder).relative_to(source).as_posix()
        prefix = "" if here == "." else f"{here}/"
        paths += [f"{prefix}{name}" for name in files if name.lower().endswith(EXTENSIONS)]
    if not paths:
        raise HashprobeError(f"{source} holds no image; expected the images as the archive unpacks.")
    by_name: dict[str, str] = {}
    for path in sorted(paths):
        by_name.setdefault(path.rsplit("/", 1)[-1], path)
    return by_name


def find_file(source: Path, name: str, what: str) -> Path:
    """Return the file of a name in a folder or below it, the one nearest to the top.

    Raises:
        HashprobeError: there is none; the message says ``what`` it is.
    """
    found = sorted(source.rglob(name), key=lambda path: (len(path.parts), str(path)))
    if not found:
        raise HashprobeError(f"{source} holds no {name}: {what}.")
    return found[0]


def with_images(
    listed: Iterable[str], labels: UInt8Array, images: Mapping[str, str], what: str
) -> tuple[tuple[str, ...], UInt8Array, list[str]]:
    """Keep the listed images whose files are there.

    Args:
        listed: File names, one a row of ``labels``.
        labels: uint8 ``(n, C)``.
        images: Path by file name; see :func:`image_paths`.
        what: What is listed, for the warning.

    Returns:
        Their paths, their labels, and a warning if some are absent.

    Raises:
        HashprobeError: no listed image is there.
    """
    names = [images.get(name, "") for name in listed]
    kept = np.flatnonzero([bool(name) for name in names])
    if not len(kept):
        raise HashprobeError(
            f"none of the {len(names)} {what} is an image of the archive; unpack the images too."
        )
    absent = len(names) - len(kept)
    warnings = [f"{absent} of {len(names)} {what} have no image file and are left out."] if absent else []
    return tuple(name for name in names if name), labels[kept], warnings
