"""A table of one's own: one CSV file with the columns ``path``, ``split`` and one a class.

``split`` holds one or more of ``query``, ``database`` and ``train``, with spaces between them; training images are
usually ``database train``. A table that is given itself, not its folder, may lack that column; the splits are then
drawn. Columns are separated by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from hashprobe.bounds import check_readable
from hashprobe.data.faults import Faults
from hashprobe.data.formats.drawing import Draw
from hashprobe.data.formats.listing import ListedSplit, Listing
from hashprobe.data.formats.locations import Locations
from hashprobe.data.formats.text_lists import Width, label_matrix, read_text
from hashprobe.errors import HashprobeError

SPLITS = ("query", "database", "train")
BAD_TABLE_ROWS = "rows that cannot be used"
DELIMITERS = (",", ";", "\t")
SEPARATOR = "\x1f"  # between the cells of a label row; no value that is allowed holds it
MOST_CHARACTERS = 1 << 16  # of a header that is looked at to tell a table of images from another


def tables(folder: Path) -> list[Path]:
    """Return the CSV files of a folder whose first two columns are ``path`` and ``split``."""
    return [path for path in sorted(folder.glob("*.csv")) if has_splits(path)]


def has_splits(table: Path) -> bool:
    """Say whether the first two columns of a file are ``path`` and ``split``."""
    return (_layout(table) or ("", 0))[1] == 2


def read_only_table(folder: Path, faults: Faults) -> Listing:
    """Read the table of a folder, which must hold one alone; see :func:`read_table`."""
    found = tables(folder)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise HashprobeError(
            f"{folder} must hold one CSV file with the columns path and split; found {names}: give one of them itself."
        )
    return read_table(found[0], faults)


def read_table(path: Path, faults: Faults, draw: Draw | None = None) -> Listing:
    """Read a table; images are not looked at, and paths are as they are written.

    Args:
        path: The CSV file.
        faults: Where is reported what is wrong.
        draw: How the splits are drawn if it has no column ``split``.

    Raises:
        HashprobeError: it is no table, its splits cannot be drawn, or, if ``faults`` is strict, a row of it is wrong.
    """
    delimiter, leading = _layout(path) or (None, 0)
    if delimiter is None:
        raise HashprobeError(
            f"{path} is a file; expected a folder of lists, or a CSV table whose first line is path, split and the "
            "names of the classes."
        )
    class_names, rows, lines = _read_rows(path, delimiter, leading, faults)
    paths, members, written = rows
    at = Locations.lines_of(path, lines)
    width = Width(len(class_names), "line 1, which names the classes")
    labels, sound = label_matrix(written, at, width, faults, separator=SEPARATOR)
    kept = np.flatnonzero(sound)
    table = ListedSplit(tuple(paths[row] for row in kept), labels, at.rows(kept), at.rows(kept))
    notes: tuple[str, ...] = ()
    if leading == 2:
        known = {cell: _splits(cell) for cell in set(members)}
        for number, cell in enumerate(members):
            if not known[cell] or not known[cell] <= set(SPLITS):
                _report_splits(known[cell], at[number], faults)
        chosen = {name: np.flatnonzero([name in known[members[row]] for row in kept]) for name in SPLITS}
    elif draw is None or draw.queries is None:
        raise HashprobeError(
            f"{path} has no column split; write query, database or train for each image into one behind path, or "
            "give the number of queries to draw, as in queries=100."
        )
    else:
        chosen = draw.rows(table.names)
        notes = (f"there is no column split; the splits are drawn with seed {draw.seed}",)
    query, database, train = (table.take(chosen[name]) for name in SPLITS)
    return Listing(class_names, query, database, train, notes)


def _layout(path: Path) -> tuple[str, int] | None:
    """Return what separates the columns of a table and how many lead the classes; ``None`` if it is another file."""
    try:
        check_readable(path, None)
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(MOST_CHARACTERS)
    except OSError:
        return None
    for delimiter in DELIMITERS:
        columns = [name.strip().strip('"').lower() for name in header.split(delimiter)]
        if columns[0] == "path" and len(columns) > 1:
            return delimiter, 2 if columns[1] == "split" else 1
    return None


def _read_rows(
    path: Path, delimiter: str, leading: int, faults: Faults
) -> tuple[tuple[str, ...], tuple[list[str], list[str], list[str]], list[int]]:
    """Return the names of the classes; of each row its path, split and label row; and the line that it begins in."""
    text = read_text(path, faults, needed="it lists the images")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    class_names = tuple(name.strip() for name in next(reader, [])[leading:])
    problem = _header_problem(class_names, leading)
    if problem:
        raise HashprobeError(f"{path}, line 1 {problem}.")
    paths, splits, rows, lines = list[str](), list[str](), list[str](), list[int]()
    seen: dict[str, str] = {}
    line = reader.line_num + 1
    try:
        for row in reader:  # a cell in quotes may hold line ends
            filled = any(cell.strip() for cell in row)
            if filled and len(row) < leading:
                faults.add(BAD_TABLE_ROWS, f"{path}, line {line} has {len(row)} column; expected more.")
            elif filled:
                cells = SEPARATOR.join(cell.strip().replace(SEPARATOR, "\ufffd") for cell in row[leading:])
                paths.append(row[0])
                splits.append(seen.setdefault(row[1], row[1]) if leading == 2 else "")
                rows.append(seen.setdefault(cells, cells))
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        faults.add(BAD_TABLE_ROWS, f"{path}, line {line} is not CSV ({error}).")
    return class_names, (paths, splits, rows), lines


def _header_problem(class_names: tuple[str, ...], leading: int) -> str:
    if not class_names:
        return "names no class; expected the columns path, split and one a class"
    if "" in class_names:
        return f"has a column without a name (column {class_names.index('') + leading + 1})"
    if "split" in class_names:
        return "has the column split behind a class; expected it behind path"
    twice = next((name for name in class_names if class_names.count(name) > 1), None)
    return f"names the class {twice!r} twice" if twice is not None else ""


def _splits(cell: str) -> frozenset[str]:
    return frozenset(cell.lower().split())


def _report_splits(names: frozenset[str], where: str, faults: Faults) -> None:
    unknown = sorted(names - set(SPLITS))
    faults.add(
        BAD_TABLE_ROWS,
        f"{where} has {repr(unknown[0]) if unknown else 'nothing'} in the column split; expected query, database, "
        "train, or several of them.",
    )
