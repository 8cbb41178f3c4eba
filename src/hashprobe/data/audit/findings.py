"""What an audit finds in three splits: each check looks at names, labels and pixels, and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hashprobe.data.faults import MOST_PLACES, KindOfFault
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.retrieval.labels import distinct_labels

Severity = Literal["error", "warning", "note", "ok"]
ROWS_AT_ONCE = 1024
Rows = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Finding:
    """One finding of an audit.

    Attributes:
        severity: ``error`` (the data cannot be loaded so), ``warning`` (it can, but numbers suffer), ``note``
            (worth knowing) or ``ok`` (looked for and not found).
        check: What was looked at, in a few words.
        message: What was found, in one sentence.
        locations: Where, one text an instance; empty for what has none. The first ``MOST_PLACES``.
        more: How many further instances there are.
    """

    severity: Severity
    check: str
    message: str
    locations: tuple[str, ...] = ()
    more: int = 0

    @property
    def count(self) -> int:
        """How many instances there are."""
        return len(self.locations) + self.more

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for JSON, with the number of its locations."""
        value: dict[str, Any] = {"severity": self.severity, "check": self.check, "message": self.message}
        if self.locations:
            value |= {"count": self.count, "locations": list(self.locations)}
        return value


def finding(
    severity: Severity, check: str, message: str, say: Callable[[int], str], rows: Rows | range
) -> Finding:
    """Return a finding at some rows, of which the first are said one by one.

    Args:
        severity: As of :class:`Finding`.
        check: Likewise.
        message: Likewise.
        say: Says where a row is written.
        rows: All rows.
    """
    shown = tuple(say(int(row)) for row in rows[:MOST_PLACES])
    return Finding(severity, check, message, shown, len(rows) - len(shown))


@dataclass(frozen=True, eq=False)
class AuditedSplit:
    """One split as the checks see it.

    Attributes:
        name: ``query``, ``database`` or ``train``.
        names: Of the images.
        labels: uint8 ``(n, C)``.
        where: Says where a row is written.
        pixels: Of each image, a hash of its decoded pixels; ``None`` for one that could not be decoded.
        numbers: int32 ``(n,)``: of each image, a number that its name alone has, in all splits; see :func:`number_names`.
    """

    name: str
    names: Sequence[str]
    labels: UInt8Array
    where: Callable[[int], str]
    pixels: Sequence[bytes | None]
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.names)

    def say(self, row: int) -> str:
        """Say what a row lists, and where it is written."""
        return f"{self.names[row]}: {self.where(row)}"

    def different(self) -> int:
        """Return how many different images there are."""
        return int((np.bincount(self.numbers) > 0).sum())

    def first_rows(self) -> tuple[Numbers, Rows]:
        """Return the numbers of the different images, ascending, and the first row of each."""
        numbers, rows = np.unique(self.numbers, return_index=True)
        return numbers, rows


@dataclass(frozen=True, eq=False)
class AuditedSplits:
    """The three splits; iterating over them gives query, database, train."""

    query: AuditedSplit
    database: AuditedSplit
    train: AuditedSplit

    def __iter__(self) -> Iterator[AuditedSplit]:
        yield from (self.query, self.database, self.train)


def number_names(*splits: Sequence[str]) -> list[Numbers]:
    """Number the names of several splits, so that equal names have equal numbers: int32 ``(n,)`` of each split."""
    known: dict[str, int] = {}
    return [
        np.fromiter((known.setdefault(name, len(known)) for name in names), dtype=np.int32, count=len(names))
        for names in splits
    ]


def of_faults(faults: Iterable[KindOfFault]) -> list[Finding]:
    """Return one finding a kind of fault."""
    found = []
    for fault in faults:
        kind, first, shown = fault.kind, fault.messages[0], tuple(fault.messages)
        message = first if fault.count == 1 else f"{fault.count} {kind}; the first: {first}"
        found.append(Finding("error", kind, message, shown, fault.count - len(shown)))
    return found


def of_empty_splits(splits: AuditedSplits) -> Iterator[Finding]:
    """Find splits without images."""
    empty = [split.name for split in splits if not len(split)]
    if empty:
        yield Finding(
            "error", "empty splits", f"{' and '.join(empty)}: no image; every split needs at least one."
        )


def of_overlaps(splits: AuditedSplits) -> Iterator[Finding]:
    """Find query images in the other splits, by name, and say how the training images lie to the database."""
    query, check = splits.query, "overlap of splits"
    last = dict(zip(query.numbers.tolist(), range(len(query)), strict=True))
    overlaps = False
    for other in (splits.database, splits.train):
        rows = np.flatnonzero(np.isin(other.numbers, query.numbers))

        def say(row: int, other: AuditedSplit = other) -> str:
            in_query = query.where(last[int(other.numbers[row])])
            return f"{other.names[row]}: {in_query} and {other.where(row)}"

        if len(rows):
            overlaps = True
            yield finding(
                "error",
                check,
                f"{len(rows)} of the {len(other)} rows of {other.name} are query images too; a query must be in "
                "no other split, or it finds itself.",
                say,
                rows,
            )
    if not overlaps:
        yield Finding("ok", check, "No query image is listed in the database or in the training split.")
    outside = np.flatnonzero(~np.isin(splits.train.numbers, splits.database.numbers))
    if len(outside):
        yield finding(
            "note",
            "training images outside the database",
            f"{len(outside)} of {len(splits.train)} training rows are not in the database; they are trained on but "
            "not searched.",
            splits.train.say,
            outside,
        )


def of_repeated_rows(splits: AuditedSplits) -> Iterator[Finding]:
    """Find images that a split lists twice, and images with different labels in different rows."""
    check, repeats = "repeated rows", False
    for split in splits:
        numbers, first = split.first_rows()
        again = np.ones(len(split), dtype=bool)
        again[first] = False

        def say(
            row: int, split: AuditedSplit = split, numbers: Numbers = numbers, first: Rows = first
        ) -> str:
            one = int(first[np.searchsorted(numbers, split.numbers[row])])
            return f"{split.names[row]}: {split.where(one)} and {split.where(row)}"

        if again.any():
            repeats = True
            counts = f"{split.name} has {len(split)} rows and {len(first)} different images"
            allowed = "; training images may be repeated" if split.name == "train" else "; expected each once"
            severity: Severity = "note" if split.name == "train" else "error"
            yield finding(severity, check, f"{counts}{allowed}.", say, np.flatnonzero(again))
    if not repeats:
        yield Finding("ok", check, "No split lists an image twice.")
    yield from _contradictions(splits)


def _contradictions(splits: AuditedSplits) -> Iterator[Finding]:
    """Find rows that give an image another label than the first row, of whichever split, that lists it."""
    parts = list(splits)
    starts = np.cumsum([0, *map(len, parts)])
    _, first, of_row = np.unique(
        np.concatenate([split.numbers for split in parts]), return_index=True, return_inverse=True
    )

    def place(row: int) -> tuple[AuditedSplit, int]:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        return parts[number], row - int(starts[number])

    def say(row: int) -> str:
        (one, one_row), (split, own_row) = place(int(first[of_row[row]])), place(row)
        return f"{split.names[own_row]}: {one.where(one_row)} and {split.where(own_row)}"

    # Only rows that list an image again are looked at.
    again = np.flatnonzero(first[of_row] != np.arange(len(of_row)))
    different = [
        again[start : start + ROWS_AT_ONCE][
            (_labels(parts, starts, rows) != _labels(parts, starts, first[of_row[rows]])).any(axis=1)
        ]
        for start in range(0, len(again), ROWS_AT_ONCE)
        for rows in (again[start : start + ROWS_AT_ONCE],)
    ]
    found = np.concatenate(different) if different else again
    if len(found):
        message = f"{len(found)} rows give an image another label than its first row does."
        yield finding("error", "images with two labels", message, say, found)


def _labels(parts: Sequence[AuditedSplit], starts: Rows, rows: Rows) -> UInt8Array:
    """Return the labels of rows that are counted through all splits."""
    labels = np.zeros((len(rows), parts[0].labels.shape[1]), dtype=np.uint8)
    for split, start in zip(parts, starts, strict=False):
        here = (rows >= start) & (rows < start + len(split))
        labels[here] = split.labels[rows[here] - start]
    return labels


def of_unlabelled(splits: AuditedSplits) -> Iterator[Finding]:
    """Find rows without a label."""
    for split in splits:
        rows = np.flatnonzero(~split.labels.any(axis=1))
        if len(rows):
            effect = (
                "; they count as 0 in every MAP"
                if split.name == "query"
                else "; they are relevant to no query"
            )
            yield finding(
                "warning" if split.name == "query" else "note",
                "unlabelled rows",
                f"{len(rows)} of {len(split)} rows of {split.name} have no label{effect}.",
                split.say,
                rows,
            )
    if all(split.labels.any(axis=1).all() for split in splits):
        yield Finding("ok", "unlabelled rows", "Every row has a label.")


def of_classes(splits: AuditedSplits, class_names: Sequence[str]) -> Iterator[Finding]:
    """Find classes that a split has no image of."""
    for split in splits:
        absent = [class_names[column] for column in np.flatnonzero(~split.labels.any(axis=0)).tolist()]
        if absent and len(split):
            yield Finding(
                "warning",
                "classes without images",
                f"{split.name} has no image of {len(absent)} of {len(class_names)} classes: {', '.join(absent)}.",
            )


def of_relevance(splits: AuditedSplits, counts: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """Find labelled queries that no database image shares a label with; ``counts`` is of relevant images."""
    rows = np.flatnonzero((counts == 0) & splits.query.labels.any(axis=1))
    if len(rows) and len(splits.database):
        yield finding(
            "warning",
            "queries without a relevant image",
            f"{len(rows)} labelled queries share no label with any database image; they count as 0 in every MAP.",
            splits.query.say,
            rows,
        )


def relevant_counts(query_labels: UInt8Array, database_labels: UInt8Array) -> npt.NDArray[np.int64]:
    """Return how many database images share a label with each query, int64 ``(n,)``."""
    if not len(query_labels) or not len(database_labels):
        return np.zeros(len(query_labels), dtype=np.int64)
    asked, inverse = np.unique(query_labels, axis=0, return_inverse=True)
    kept, counts = distinct_labels(database_labels)
    columns = kept.T.astype(np.float32)
    found = [
        (asked[start : start + ROWS_AT_ONCE].astype(np.float32) @ columns > 0) @ counts
        for start in range(0, len(asked), ROWS_AT_ONCE)
    ]
    return np.concatenate(found)[inverse.reshape(-1)].astype(np.int64)
