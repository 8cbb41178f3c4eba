"""What the text formats share: lines, rows of 0 and 1, and the names of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashprobe.data.faults import Faults
from hashprobe.data.formats.locations import Locations
from hashprobe.data.retrieval_data import UInt8Array

PREFIXES = ("database", "train", "test")  # of the names of list files
CLASSES_FILE = "classes.txt"
MISSING, UNREADABLE = "lists that are missing", "lists that cannot be read"
BAD_ROWS, UNEQUAL = "label rows that cannot be used", "lists of unequal length"


def read_text(path: Path, faults: Faults, *, needed: str) -> str:
    """Return the text of a UTF-8 file without a byte-order mark; ``""`` after a fault.

    Args:
        path: The file.
        faults: Where it is reported that the file is missing or cannot be read.
        needed: What is needed, to end the sentence about a missing file with.

    Raises:
        HashprobeError: the file cannot be read, if ``faults`` is strict.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        faults.add(MISSING, f"{path} does not exist; {needed}.")
    except UnicodeDecodeError as error:
        faults.add(UNREADABLE, f"{path} is not a UTF-8 text file (byte {error.start}).")
        return path.read_text(encoding="utf-8-sig", errors="replace").replace("\0", "\ufffd")
    except OSError as error:
        faults.add(UNREADABLE, f"{path} cannot be read ({error.strerror}).")
    return ""


def read_lines(path: Path, faults: Faults, *, needed: str) -> list[str]:
    """Return the lines of a text file without blank last lines; see :func:`read_text`."""
    lines = read_text(path, faults, needed=needed).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


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


def common_width(rows: Sequence[Sequence[str]], at: Locations) -> Width:
    """Return the length that most rows have, and the first line that has it."""
    lengths = [len(tokens) for tokens in rows]
    counted = Counter(length for length in lengths if length)
    if not counted:
        return NO_WIDTH
    most = max(counted, key=counted.__getitem__)
    row = lengths.index(most)
    return Width(most, f"{at.unit} {at.line[row]}" if len(at.files) == 1 else at[row])


def label_matrix(
    rows: Sequence[Sequence[str]],
    at: Locations,
    width: Width,
    faults: Faults,
    *,
    empty: str = "is empty; expected a row of 0 and 1",
) -> tuple[UInt8Array, npt.NDArray[np.bool_]]:
    """Return label rows as numbers; faulty rows are left out.

    Args:
        rows: Of each row, its values as they are written.
        at: Where each row is written.
        width: That the rows must have.
        faults: Where rows of another length or with another token than 0 and 1 are reported.
        empty: What is said of a row without values.

    Returns:
        uint8 ``(m, C)`` of 0 and 1, and bool ``(n,)``: which rows these are.

    Raises:
        HashprobeError: a row is faulty, if ``faults`` is strict.
    """
    sound = np.zeros(len(rows), dtype=bool)
    kept = []
    for row, tokens in enumerate(rows):
        digits = "".join(tokens)
        if not tokens:
            problem = f" {empty}."
        elif len(tokens) != width.classes:
            problem = f" has {len(tokens)} values; expected {width.classes} as in {width.origin}."
        elif len(digits) != width.classes or digits.strip("01"):
            wrong = next(token for token in tokens if token not in ("0", "1"))
            problem = f" has the value {wrong!r}; expected only 0 and 1."
        else:
            sound[row] = True
            kept.append(digits)
            continue
        faults.add(BAD_ROWS, at[row] + problem)
    values = np.frombuffer("".join(kept).encode(), dtype=np.uint8) - ord("0")
    return values.reshape(len(kept), width.classes).astype(np.uint8), sound


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
