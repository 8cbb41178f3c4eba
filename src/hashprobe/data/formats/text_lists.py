"""What the text formats share: lines, rows of 0 and 1, and the names of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashprobe.bounds import check_readable, read_bytes
from hashprobe.data.faults import Faults
from hashprobe.data.formats.locations import Locations
from hashprobe.data.retrieval_data import UInt8Array

PREFIXES = ("database", "train", "test")  # of the names of list files
CLASSES_FILE = "classes.txt"
MISSING, UNREADABLE = "lists that are missing", "lists that cannot be read"
BAD_ROWS, UNEQUAL = "label rows that cannot be used", "lists of unequal length"


def read_text(path: Path, faults: Faults, *, needed: str) -> str:
    """Return the text of a UTF-8 file without a byte-order mark, its line ends as ``\\n``; ``""`` after a fault.

    Args:
        path: The file.
        faults: Where it is reported that the file is missing or cannot be read.
        needed: What is needed, to end the sentence about a missing file with.

    Raises:
        HashprobeError: the file cannot be read, if ``faults`` is strict.
    """
    try:
        content = read_bytes(path, "text_bytes")
    except FileNotFoundError:
        faults.add(MISSING, f"{path} does not exist; {needed}.")
        return ""
    except OSError as error:
        faults.add(UNREADABLE, f"{path} cannot be read ({error.strerror}).")
        return ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(UNREADABLE, f"{path} is not a UTF-8 text file (byte {error.start}).")
        text = content.decode("utf-8-sig", errors="replace").replace("\0", "\ufffd")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path, faults: Faults, *, needed: str, alike: bool = False) -> list[str]:
    """Return the lines of a text file without blank last lines; see :func:`read_text`.

    Args:
        path: The file.
        faults: As for :func:`read_text`.
        needed: Likewise.
        alike: Whether many lines are the same, which then share memory.
    """
    try:
        check_readable(path, "text_bytes")
        with path.open(encoding="utf-8-sig") as file:
            lines = _shared(file) if alike else [line.rstrip("\n") for line in file]
    except (OSError, UnicodeDecodeError):  # what is wrong is said there
        lines = read_text(path, faults, needed=needed).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _shared(lines: Iterable[str]) -> list[str]:
    seen: dict[str, str] = {}
    return [seen.setdefault(line, line) for line in (line.rstrip("\n") for line in lines)]


@dataclass(frozen=True)
class Width:
    """How long label rows must be.

    Attributes:
        classes: C; 0 where no row says it.
        origin: Where a row of that length is written, for messages.
    """

    classes: int
    origin: str

    def seen_from_another_list(self, path: Path) -> Width:
        """Return the width with the whole list as its origin, if no other list is; to be told to further lists."""
        return Width(self.classes, str(path)) if self.origin.startswith("line ") else self


NO_WIDTH = Width(0, "line 1")


def common_width(rows: Sequence[str], at: Locations) -> Width:
    """Return the length that most rows have, and the first line that has it; rows as for :func:`label_matrix`."""
    counted: Counter[int] = Counter()
    first: dict[int, str] = {}
    for text, count in Counter(rows).items():  # in the order of their first lines
        length = len(values_of(text))
        if length:
            counted[length] += count
            first.setdefault(length, text)
    if not counted:
        return NO_WIDTH
    most = max(counted, key=counted.__getitem__)
    row = rows.index(first[most])
    return Width(most, f"{at.unit} {at.line[row]}" if len(at.files) == 1 else at[row])


def values_of(text: str, separator: str | None = None) -> list[str]:
    """Return the values of a label row as they are written."""
    return text.split(separator) if text else []


def label_matrix(
    rows: Sequence[str],
    at: Locations,
    width: Width,
    faults: Faults,
    *,
    separator: str | None = None,
    empty: str = "is empty; expected a row of 0 and 1",
) -> tuple[UInt8Array, npt.NDArray[np.bool_]]:
    """Return label rows as numbers; faulty rows are left out.

    Rows that are written alike are read once: of a million rows, few are different.

    Args:
        rows: As they are written.
        at: Where each row is written.
        width: That the rows must have.
        faults: Where rows of another length or with another value than 0 and 1 are reported.
        separator: Of the values of a row; ``None`` is white space.
        empty: What is said of a row without values.

    Returns:
        uint8 ``(m, C)`` of 0 and 1, and bool ``(n,)``: which rows these are.

    Raises:
        HashprobeError: a row is faulty, if ``faults`` is strict.
    """
    numbers: dict[str, int] = {}
    problems: dict[str, str] = {}
    digits = bytearray()
    for text in dict.fromkeys(rows):
        values = values_of(text, separator)
        problem = _problem(values, width, empty)
        if problem:
            problems[text] = problem
        else:
            numbers[text] = len(numbers)
            digits += "".join(values).encode()
    index = np.fromiter((numbers.get(text, -1) for text in rows), dtype=np.intp, count=len(rows))
    sound = index >= 0
    faulty = np.flatnonzero(~sound).tolist()
    faults.add_all(BAD_ROWS, (at[row] + problems[rows[row]] for row in faulty), len(faulty))
    table = (np.frombuffer(digits, dtype=np.uint8) - ord("0")).reshape(len(numbers), width.classes)
    return table.astype(np.uint8)[index[sound]], sound


def _problem(values: Sequence[str], width: Width, empty: str) -> str:
    """Say what is wrong with the values of a label row, as the end of a sentence, or nothing."""
    if not values:
        return f" {empty}."
    if len(values) != width.classes:
        return f" has {len(values)} values; expected {width.classes} as in {width.origin}."
    wrong = next((value for value in values if value not in ("0", "1")), None)
    return "" if wrong is None else f" has the value {wrong!r}; expected only 0 and 1."


def read_class_names(folder: Path, width: Width, faults: Faults) -> tuple[str, ...]:
    """Return the names of the classes, one a line of ``classes.txt``; their numbers where there is no such list.

    Raises:
        HashprobeError: the list has another length, a blank line or a name twice, if ``faults`` is strict.
    """
    path = folder / CLASSES_FILE
    numbered = tuple(f"class {number}" for number in range(1, width.classes + 1))
    if not path.exists():
        return numbered
    names = tuple(line.strip() for line in read_lines(path, faults, needed="it names the classes"))
    kind = "names of classes that cannot be used"
    if not width.classes:  # without rows there is nothing to compare with
        return names
    if len(names) != width.classes:
        faults.add(
            kind,
            f"{path} names {len(names)} classes but the rows of {width.origin} have {width.classes} values.",
        )
        return numbered
    for number, name in enumerate(names, start=1):
        if not name:
            faults.add(kind, f"{path}, line {number} is empty; expected the name of a class.")
            return numbered
        if name in names[: number - 1]:
            first = names.index(name) + 1
            faults.add(kind, f"{path}, line {number} names the class {name!r} again (line {first}).")
            return numbered
    return names
