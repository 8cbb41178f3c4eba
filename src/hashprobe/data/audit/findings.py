"""What an audit finds in three splits: each check looks at names, labels and pixels, and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hashprobe.data.faults import Fault
from hashprobe.data.retrieval_data import UInt8Array

Severity = Literal["error", "warning", "note", "ok"]
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Finding:
    """One finding of an audit.

    Attributes:
        severity: ``error`` (the data cannot be loaded so), ``warning`` (it can, but numbers suffer), ``note``
            (worth knowing) or ``ok`` (looked for and not found).
        check: What was looked at, in a few words.
        message: What was found, in one sentence.
        locations: Where, one text an instance; empty for what has none.
    """

    severity: Severity
    check: str
    message: str
    locations: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for JSON, with the number of its locations."""
        value: dict[str, Any] = {"severity": self.severity, "check": self.check, "message": self.message}
        if self.locations:
            value |= {"count": len(self.locations), "locations": list(self.locations)}
        return value


@dataclass(frozen=True, eq=False)
class AuditedSplit:
    """One split as the checks see it.

    Attributes:
        name: ``query``, ``database`` or ``train``.
        names: Of the images.
        labels: uint8 ``(n, C)``.
        where: Says where a row is written.
        pixels: Of each image, a hash of its decoded pixels; ``None`` for one that could not be decoded.
    """

    name: str
    names: Sequence[str]
    labels: UInt8Array
    where: Callable[[int], str]
    pixels: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.names)

    def locations(self, rows: Iterable[int]) -> tuple[str, ...]:
        """Return what some rows list, and where each is written."""
        return tuple(f"{self.names[row]}: {self.where(row)}" for row in rows)


@dataclass(frozen=True, eq=False)
class AuditedSplits:
    """The three splits; iterating over them gives query, database, train."""

    query: AuditedSplit
    database: AuditedSplit
    train: AuditedSplit

    def __iter__(self) -> Iterator[AuditedSplit]:
        yield from (self.query, self.database, self.train)


def of_faults(faults: Iterable[Fault]) -> list[Finding]:
    """Return one finding a kind of fault."""
    by_kind: dict[str, list[str]] = {}
    for fault in faults:
        by_kind.setdefault(fault.kind, []).append(fault.message)
    return [
        Finding(
            "error",
            kind,
            messages[0] if len(messages) == 1 else f"{len(messages)} {kind}; the first: {messages[0]}",
            tuple(messages),
        )
        for kind, messages in by_kind.items()
    ]


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
    rows = {name: row for row, name in enumerate(query.names)}
    overlaps = False
    for other in (splits.database, splits.train):
        locations = tuple(
            f"{name}: {query.where(rows[name])} and {other.where(row)}"
            for row, name in enumerate(other.names)
            if name in rows
        )
        if locations:
            overlaps = True
            yield Finding(
                "error",
                check,
                f"{len(locations)} of the {len(other)} rows of {other.name} are query images too; a query must be in "
                "no other split, or it finds itself.",
                locations,
            )
    if not overlaps:
        yield Finding("ok", check, "No query image is listed in the database or in the training split.")
    in_database = set(splits.database.names)
    outside = [row for row, name in enumerate(splits.train.names) if name not in in_database]
    if outside:
        yield Finding(
            "note",
            "training images outside the database",
            f"{len(outside)} of {len(splits.train)} training rows are not in the database; they are trained on but "
            "not searched.",
            splits.train.locations(outside),
        )


def of_repeated_rows(splits: AuditedSplits) -> Iterator[Finding]:
    """Find images that a split lists twice, and images with different labels in different rows."""
    check, repeats = "repeated rows", False
    for split in splits:
        first: dict[str, int] = {}
        locations = [
            f"{name}: {split.where(first[name])} and {split.where(row)}"
            for row, name in enumerate(split.names)
            if first.setdefault(name, row) != row
        ]
        if locations:
            repeats = True
            counts = f"{split.name} has {len(split)} rows and {len(first)} different images"
            allowed = "; training images may be repeated" if split.name == "train" else "; expected each once"
            severity: Severity = "note" if split.name == "train" else "error"
            yield Finding(severity, check, f"{counts}{allowed}.", tuple(locations))
    if not repeats:
        yield Finding("ok", check, "No split lists an image twice.")
    locations = list(_contradictions(splits))
    if locations:
        yield Finding(
            "error",
            "images with two labels",
            f"{len(locations)} rows give an image another label than its first row does.",
            tuple(locations),
        )


def _contradictions(splits: AuditedSplits) -> Iterator[str]:
    first: dict[str, tuple[AuditedSplit, int]] = {}
    for split in splits:
        for row, name in enumerate(split.names):
            one, one_row = first.setdefault(name, (split, row))
            if not np.array_equal(one.labels[one_row], split.labels[row]):
                yield f"{name}: {one.where(one_row)} and {split.where(row)}"


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
            yield Finding(
                "warning" if split.name == "query" else "note",
                "unlabelled rows",
                f"{len(rows)} of {len(split)} rows of {split.name} have no label{effect}.",
                split.locations(rows.tolist()),
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
        yield Finding(
            "warning",
            "queries without a relevant image",
            f"{len(rows)} labelled queries share no label with any database image; they count as 0 in every MAP.",
            splits.query.locations(rows.tolist()),
        )


def relevant_counts(query_labels: UInt8Array, database_labels: UInt8Array) -> npt.NDArray[np.int64]:
    """Return how many database images share a label with each query, int64 ``(n,)``."""
    if not len(query_labels) or not len(database_labels):
        return np.zeros(len(query_labels), dtype=np.int64)
    asked, inverse = np.unique(query_labels, axis=0, return_inverse=True)
    kept, counts = np.unique(database_labels, axis=0, return_counts=True)
    columns = kept.T.astype(np.float32)
    found = [
        (asked[start : start + ROWS_AT_ONCE].astype(np.float32) @ columns > 0) @ counts
        for start in range(0, len(asked), ROWS_AT_ONCE)
    ]
    return np.concatenate(found)[inverse.reshape(-1)].astype(np.int64)
