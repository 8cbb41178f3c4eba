"""What a list format yields, whichever it is: paths and labels of three splits, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError


@dataclass(frozen=True, eq=False)
class ListedSplit:
    """One split as its lists give it.

    Attributes:
        names: Paths relative to the folder, cleaned by :func:`clean_path`.
        labels: uint8 ``(n, C)`` of 0 and 1.
        image_list: The file that lists the paths; the i-th path stands in its line i + 1.
        label_list: The file that holds the labels, a row a line in the same order.

    Raises:
        HashprobeError: the split is empty.
    """

    names: tuple[str, ...]
    labels: UInt8Array
    image_list: Path
    label_list: Path

    def __post_init__(self) -> None:
        if not self.names:
            raise HashprobeError(f"{self.image_list} lists no image; every split needs at least one.")

    def where(self, row: int) -> str:
        """Say where the path of a row is written."""
        return f"{self.image_list}, line {row + 1}"


@dataclass(frozen=True, eq=False)
class Listing:
    """The three splits of a folder, checked.

    The query shares no image with the database or the training images, and query and database list no image
    twice. Training images may be listed twice (FLICKR-25K's published list does so) and need not be in the
    database. Wherever an image is listed, it has the same label.

    Raises:
        HashprobeError: any of this is not so.
    """

    class_names: tuple[str, ...]
    query: ListedSplit
    database: ListedSplit
    train: ListedSplit

    def __post_init__(self) -> None:
        in_query, in_database = _rows_once(self.query), _rows_once(self.database)
        _require_disjoint(self.query, in_query, self.database)
        _require_disjoint(self.query, in_query, self.train)
        _require_same_labels(self.database, in_database, self.train)
        _require_same_labels(self.train, {name: row for row, name in enumerate(self.train.names)}, self.train)

    def distinct_names(self) -> tuple[str, ...]:
        """Return each image once: the query, the database, then training images that are in neither."""
        return tuple(dict.fromkeys((*self.query.names, *self.database.names, *self.train.names)))

    def where(self, name: str) -> str:
        """Say where an image is listed first."""
        for split in (self.query, self.database, self.train):
            if name in split.names:
                return split.where(split.names.index(name))
        raise KeyError(name)


def clean_path(text: str, where: str) -> str:
    """Return a listed path with ``/`` between folders and without ``./``.

    Args:
        text: As it is written in the list; Windows separators are understood.
        where: File and line, for the message.

    Raises:
        HashprobeError: the path is empty, absolute, or leads out of the folder.
    """
    written = text.strip()
    if not written:
        raise HashprobeError(f"{where} is empty; expected the path of an image.")
    path = PurePosixPath(written.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts[:1] and path.parts[0].endswith(":")):
        raise HashprobeError(f"{where}: {written!r} leads out of the folder; expected a path inside it.")
    if path == PurePosixPath("."):
        raise HashprobeError(f"{where}: {written!r} is a folder; expected the path of an image.")
    return str(path)


def _rows_once(split: ListedSplit) -> dict[str, int]:
    """Return the row of each image of a split that must not list one twice."""
    rows: dict[str, int] = {}
    for row, name in enumerate(split.names):
        if name in rows:
            first = f"line {rows[name] + 1}"
            raise HashprobeError(
                f"{split.where(row)}: {name} is listed already in {first}; remove one of them."
            )
        rows[name] = row
    return rows


def _require_disjoint(query: ListedSplit, in_query: dict[str, int], other: ListedSplit) -> None:
    shared = [row for row, name in enumerate(other.names) if name in in_query]
    if shared:
        name = other.names[shared[0]]
        raise HashprobeError(
            f"{other.where(shared[0])}: {name} is a query image too ({query.where(in_query[name])}); "
            f"{len(shared)} such in all; a query must be in no other split, or it finds itself."
        )


def _require_same_labels(one: ListedSplit, rows: dict[str, int], other: ListedSplit) -> None:
    for row, name in enumerate(other.names):
        if name in rows and not np.array_equal(one.labels[rows[name]], other.labels[row]):
            raise HashprobeError(
                f"{other.label_list}, line {row + 1} and {one.label_list}, line {rows[name] + 1} "
                f"give the same image, {name}, different labels."
            )
