"""List formats 1 and 3 of the field: paths in one file a split, label rows in another, line by line.

Format 1 has ``database_img.txt`` and ``database_label.txt``, ``train_…`` and ``test_…``: one relative path a line,
and one row of 0 and 1 a line, separated by spaces. Format 3 has the rows in ``database_label_onehot.txt`` and the
numbers of an image's classes, counted from 0, in ``database_label.txt``; the list that is published so (NUS-WIDE,
21 classes) has no training list. ``classes.txt`` (one name a line) is optional in both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashprobe.data.faults import Faults
from hashprobe.data.formats.listing import ListedSplit, Listing
from hashprobe.data.formats.locations import Locations
from hashprobe.data.formats.paths import clean_path
from hashprobe.data.formats.text_lists import (
    BAD_ROWS,
    NO_WIDTH,
    PREFIXES,
    UNEQUAL,
    Width,
    common_width,
    label_matrix,
    read_class_names,
    read_lines,
)

ROWS, ONE_HOT = "label", "label_onehot"

_NEEDED = (
    "a folder of lists needs database_img.txt, database_{rows}.txt, train_img.txt, train_{rows}.txt, "
    "test_img.txt and test_{rows}.txt"
)


def has_pairs(folder: Path) -> bool:
    """Say whether a folder has a list of format 1 (and none of format 3)."""
    names = [f"{prefix}_{kind}.txt" for prefix in PREFIXES for kind in ("img", ROWS)]
    return any((folder / name).exists() for name in names) and not has_triples(folder)


def has_triples(folder: Path) -> bool:
    """Say whether a folder has a list of format 3."""
    return any((folder / f"{prefix}_{ONE_HOT}.txt").exists() for prefix in PREFIXES)


def read_pairs(folder: Path, faults: Faults) -> Listing:
    """Read list format 1; images are not looked at, and paths are as they are written.

    Raises:
        HashprobeError: a list is missing or a line of it is wrong, if ``faults`` is strict.
    """
    return _read(folder, ROWS, faults)


def read_triples(folder: Path, faults: Faults) -> Listing:
    """Read list format 3, as :func:`read_pairs` reads format 1; class numbers must agree with the rows."""
    listing = _read(folder, ONE_HOT, faults)
    for prefix in PREFIXES:
        _compare_numbers(folder, prefix, faults)
    return listing


def _read(folder: Path, rows: str, faults: Faults) -> Listing:
    database, width = _read_split(folder, "database", rows, NO_WIDTH, faults)
    notes: tuple[str, ...] = ()
    if rows == ONE_HOT and not any((folder / f"train_{kind}.txt").exists() for kind in ("img", rows)):
        train, notes = database, ("there is no training list; the whole database is the training split",)
    else:
        train, width = _read_split(folder, "train", rows, width, faults)
    query, width = _read_split(folder, "test", rows, width, faults)
    return Listing(read_class_names(folder, width, faults), query, database, train, notes)


def _read_split(
    folder: Path, prefix: str, rows: str, width: Width, faults: Faults
) -> tuple[ListedSplit, Width]:
    """Read one split; its label rows must be as long as ``width`` says, or else as most of its own are.

    Returns:
        The split, and how long the rows of further splits must be.
    """
    image_list, label_list = folder / f"{prefix}_img.txt", folder / f"{prefix}_{rows}.txt"
    needed = _NEEDED.format(rows=rows)
    paths = read_lines(image_list, faults, needed=needed)
    rows_written = read_lines(label_list, faults, needed=needed, alike=True)
    at, labels_at = (
        Locations.lines_of(image_list, len(paths)),
        Locations.lines_of(label_list, len(rows_written)),
    )
    for row, path in enumerate(paths):
        if not path.strip():  # said before the lengths are compared, which it makes unequal
            clean_path(path, at[row], faults)
    own = width if width.classes else common_width(rows_written, labels_at)
    labels, sound = label_matrix(rows_written, labels_at, own, faults)
    if len(paths) != len(rows_written):
        faults.add(
            UNEQUAL,
            f"{image_list} lists {len(paths)} images but {label_list} has {len(rows_written)} rows; "
            "expected one row an image.",
        )
    pairs = min(len(paths), len(rows_written))
    kept = np.flatnonzero(sound[:pairs])
    names = tuple(paths[row] for row in kept)
    return ListedSplit(
        names, labels[: len(kept)], at.rows(kept), labels_at.rows(kept)
    ), own.seen_from_another_list(label_list)


def _compare_numbers(folder: Path, prefix: str, faults: Faults) -> None:
    """Check the class numbers of format 3, where they are given, against the rows."""
    numbers_list, rows_list = folder / f"{prefix}_{ROWS}.txt", folder / f"{prefix}_{ONE_HOT}.txt"
    if not (numbers_list.exists() and rows_list.exists()):
        return
    numbers = read_lines(numbers_list, faults, needed="it numbers the classes", alike=True)
    rows = read_lines(rows_list, faults, needed="it has the label rows", alike=True)
    for line, (written, row) in enumerate(zip(numbers, rows, strict=False), start=1):
        ones = [str(column) for column, value in enumerate(row.split()) if value == "1"]
        if sorted(written.split()) != sorted(ones):
            faults.add(
                BAD_ROWS,
                f"{numbers_list}, line {line} gives the classes {written.strip() or 'none'}, but {rows_list}, "
                f"line {line} gives {' '.join(ones) or 'none'} (counted from 0); expected the same.",
            )
    if len(numbers) != len(rows):
        faults.add(
            UNEQUAL,
            f"{numbers_list} has {len(numbers)} lines but {rows_list} has {len(rows)}; expected the same number.",
        )
