"""What a list format yields, whichever it is: paths and labels of three splits, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from hashprobe.data.formats.locations import Locations
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError


@dataclass(frozen=True, eq=False)
class ListedSplit:
    """One split as its lists give it.

    Attributes:
        names: Paths relative to the folder of the images; see :func:`hashprobe.data.formats.paths.relative_names`.
            Before the paths are cleaned: as they are written.
        labels: uint8 ``(n, C)`` of 0 and 1.
        at: Where each path is written.
        labels_at: Where each label row is written.
    """

    names: tuple[str, ...]
    labels: UInt8Array
    at: Locations
    labels_at: Locations

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: npt.NDArray[np.intp]) -> ListedSplit:
        """Return the split of some of its rows, in the order given."""
        names = tuple(self.names[row] for row in rows)
        return ListedSplit(names, self.labels[rows], self.at.rows(rows), self.labels_at.rows(rows))


@dataclass(frozen=True, eq=False)
class Listing:
    """The three splits of a folder; :func:`check_listing` says whether they can be used together.

    Attributes:
        class_names: The C classes, in the order of the labels' columns.
        query: The images that are searched with.
        database: The images that are searched in.
        train: The images that are trained on.
        notes: What a reader of the audit should know of how the lists were read.
    """

    class_names: tuple[str, ...]
    query: ListedSplit
    database: ListedSplit
    train: ListedSplit
    notes: tuple[str, ...] = ()

    def splits(self) -> Iterator[tuple[str, ListedSplit]]:
        """Yield name and split: query, database, train."""
        yield from (("query", self.query), ("database", self.database), ("train", self.train))

    def distinct_names(self) -> tuple[str, ...]:
        """Return each image once: the query, the database, then training images that are in neither."""
        return self._distinct

    def where(self, name: str) -> str:
        """Say where an image is listed first."""
        return self.places({name})[name]

    def places(self, names: Set[str]) -> dict[str, str]:
        """Say of some images where each is listed first."""
        places: dict[str, str] = {}
        for _, split in self.splits():
            for row, name in enumerate(split.names):
                if name in names and name not in places:
                    places[name] = split.at[row]
        return places

    def shares_a_file(self, split: ListedSplit) -> bool:
        """Say whether another split is written in the same file, as in a table."""
        return any(
            other is not split and set(other.at.files) & set(split.at.files) for _, other in self.splits()
        )

    @cached_property
    def _distinct(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain(self.query.names, self.database.names, self.train.names)))


def check_listing(listing: Listing) -> None:
    """Check that the splits can be used together.

    No split is empty. The query shares no image with the database or the training images, and query and
    database list no image twice. Training images may be listed twice (FLICKR-25K's published list does so)
    and need not be in the database. Wherever an image is listed, it has the same label.

    Raises:
        HashprobeError: any of this is not so.
    """
    for name, split in listing.splits():
        if not split.names:
            what = f"{name} image" if listing.shares_a_file(split) else "image"
            raise HashprobeError(f"{split.at.files[0]} lists no {what}; every split needs at least one.")
    in_query, in_database = _rows_once(listing.query), _rows_once(listing.database)
    _require_disjoint(listing.query, in_query, listing.database)
    _require_disjoint(listing.query, in_query, listing.train)
    _require_same_labels(listing.database, in_database, listing.train)
    in_train = {name: row for row, name in enumerate(listing.train.names)}
    _require_same_labels(listing.train, in_train, listing.train)


def _rows_once(split: ListedSplit) -> dict[str, int]:
    """Return the row of each image of a split that must not list one twice."""
    rows: dict[str, int] = {}
    for row, name in enumerate(split.names):
        if name in rows:
            first = split.at.here_or_there(row, rows[name])
            raise HashprobeError(f"{split.at[row]}: {name} is listed already in {first}; remove one of them.")
        rows[name] = row
    return rows


def _require_disjoint(query: ListedSplit, in_query: dict[str, int], other: ListedSplit) -> None:
    shared = [row for row, name in enumerate(other.names) if name in in_query]
    if shared:
        name = other.names[shared[0]]
        raise HashprobeError(
            f"{other.at[shared[0]]}: {name} is a query image too ({query.at[in_query[name]]}); "
            f"{len(shared)} such in all; a query must be in no other split, or it finds itself."
        )


def _require_same_labels(one: ListedSplit, rows: dict[str, int], other: ListedSplit) -> None:
    pairs = np.array(
        [(rows[name], row) for row, name in enumerate(other.names) if name in rows], dtype=np.intp
    )
    mine, others = pairs.reshape(-1, 2).T
    different = np.flatnonzero((one.labels[mine] != other.labels[others]).any(axis=1))
    if len(different):
        mine_at, row = mine[different[0]], others[different[0]]
        raise HashprobeError(
            f"{other.labels_at[row]} and {one.labels_at[mine_at]} "
            f"give the same image, {other.names[row]}, different labels."
        )
