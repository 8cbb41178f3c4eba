"""A table of one's own: one CSV file with the columns ``path``, ``split`` and one a class.

``split`` holds one or more of ``query``, ``database`` and ``train``, with spaces between them; training images are
usually ``database train``. Columns are separated by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from hashprobe.data.faults import Faults
from hashprobe.data.listing import ListedSplit, Listing
from hashprobe.data.places import Places
from hashprobe.data.text_lists import Width, label_matrix, read_text
from hashprobe.errors import HashprobeError

SPLITS = ("query", "database", "train")
DELIMITERS = (",", ";", "\t")
MOST_CHARACTERS = 1 << 16  # of a header that is looked at to tell a table of images from another


def tables(folder: Path) -> list[Path]:
    """Return the CSV files of a folder whose first two columns are ``path`` and ``split``."""
    return [path for path in sorted(folder.glob("*.csv")) if _delimiter(_first_line(path)) is not None]


def read_table(folder: Path, faults: Faults) -> Listing:
    """Read the table of a folder; images are not looked at, and paths are as they are written.

    Raises:
        HashprobeError: there is not exactly one table, or, if ``faults`` is strict, a row of it is wrong.
    """
    found = tables(folder)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise HashprobeError(
            f"{folder} must hold one CSV file with the columns path and split; found {names}."
        )
    path = found[0]
    class_names, rows, lines = _read_rows(path, faults)
    at = Places.lines_of(path, lines)
    width = Width(len(class_names), "line 1, which names the classes")
    labels, sound = label_matrix([[cell.strip() for cell in row[2:]] for row in rows], at, width, faults)
    members = [_splits(row[1], at[number], faults) for number, row in enumerate(rows)]
    place = np.cumsum(sound) - 1  # of each sound row, its row in labels

    def split(name: str) -> ListedSplit:
        kept = np.flatnonzero([good and name in member for good, member in zip(sound, members, strict=True)])
        where = at.rows(kept)
        return ListedSplit(tuple(rows[row][0] for row in kept), labels[place[kept]], where, where)

    return Listing(class_names, split("query"), split("database"), split("train"))


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.readline(MOST_CHARACTERS)
    except OSError:
        return ""


def _delimiter(header: str) -> str | None:
    """Return what separates the columns of a table of images, ``None`` if it is another table."""
    for delimiter in DELIMITERS:
        columns = [name.strip().strip('"').lower() for name in header.split(delimiter)]
        if columns[:2] == ["path", "split"]:
            return delimiter
    return None


def _read_rows(path: Path, faults: Faults) -> tuple[tuple[str, ...], list[list[str]], list[int]]:
    """Return the names of the classes, the rows, and the line that each row begins in."""
    text = read_text(path, faults, needed="it lists the images")
    delimiter = _delimiter(text.split("\n", 1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or ",")
    class_names = tuple(name.strip() for name in next(reader, [])[2:])
    problem = _header_problem(class_names)
    if problem:
        raise HashprobeError(f"{path}, line 1 {problem}.")
    rows, lines = [], []
    for line, row in _numbered(reader, path, faults):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < 2:
            faults.add(
                "rows that cannot be used", f"{path}, line {line} has {len(row)} column; expected more."
            )
            continue
        rows.append(row)
        lines.append(line)
    return class_names, rows, lines


def _numbered(reader: _Reader, path: Path, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the line that each begins in; a cell in quotes may hold line ends."""
    before = reader.line_num
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.add("rows that cannot be used", f"{path}, line {before + 1} is not CSV ({error}).")
            return
        yield before + 1, row
        before = reader.line_num


class _Reader(Protocol):
    """What ``csv.reader`` returns."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


def _header_problem(class_names: tuple[str, ...]) -> str:
    if not class_names:
        return "names no class; expected the columns path, split and one a class"
    if "" in class_names:
        return f"has a column without a name (column {class_names.index('') + 3})"
    twice = next((name for name in class_names if class_names.count(name) > 1), None)
    return f"names the class {twice!r} twice" if twice is not None else ""


def _splits(cell: str, where: str, faults: Faults) -> frozenset[str]:
    names = frozenset(cell.lower().split())
    unknown = sorted(names - set(SPLITS))
    if unknown or not names:
        found = repr(unknown[0]) if unknown else "nothing"
        faults.add(
            "rows that cannot be used",
            f"{where} has {found} in the column split; expected query, database, train, or several of them.",
        )
    return names
