"""List format 1 of the field: ``database_img.txt``, ``database_label.txt``, ``train_…`` and ``test_…``.

One relative path a line, and one row of 0 and 1 a line, separated by spaces. ``classes.txt`` (one name a
line) is optional.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashprobe.data.listing import ListedSplit, Listing, clean_path
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError

CLASSES_FILE = "classes.txt"


def read_lists(folder: Path) -> Listing:
    """Read the lists of a folder; images are not looked at.

    Raises:
        HashprobeError: a list is missing, a line of it is wrong, or the lists contradict each other; the
            message names file and line.
    """
    database = _read_split(folder, "database", None)
    train = _read_split(folder, "train", database)
    query = _read_split(folder, "test", database)
    class_names = _read_class_names(folder / CLASSES_FILE, database)
    return Listing(class_names, query=query, database=database, train=train)


def _read_split(folder: Path, prefix: str, model: ListedSplit | None) -> ListedSplit:
    """Read one split; its label rows must be as long as those of ``model``, or of its own first row."""
    image_list, label_list = folder / f"{prefix}_img.txt", folder / f"{prefix}_label.txt"
    lines = _read_lines(image_list)
    names = tuple(clean_path(line, f"{image_list}, line {row}") for row, line in enumerate(lines, start=1))
    labels = _read_labels(label_list, model)
    if len(names) != len(labels):
        raise HashprobeError(
            f"{image_list} lists {len(names)} images but {label_list} has {len(labels)} rows; "
            "expected one row an image."
        )
    return ListedSplit(names, labels, image_list, label_list)


def _read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without a byte-order mark and blank last lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise HashprobeError(
            f"{path} does not exist; a folder of lists needs database_img.txt, database_label.txt, "
            "train_img.txt, train_label.txt, test_img.txt and test_label.txt."
        ) from None
    except UnicodeDecodeError as error:
        raise HashprobeError(f"{path} is not a UTF-8 text file (byte {error.start}).") from None
    except OSError as error:
        raise HashprobeError(f"{path} cannot be read ({error.strerror}).") from None
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _read_labels(path: Path, model: ListedSplit | None) -> UInt8Array:
    lines = _read_lines(path)
    if model is None:
        width, origin = len(lines[0].split()) if lines else 0, "line 1"
    else:
        width, origin = model.labels.shape[1], str(model.label_list)
    rows = []
    for number, line in enumerate(lines, start=1):
        tokens = line.split()
        digits = "".join(tokens)
        if not tokens:
            raise HashprobeError(f"{path}, line {number} is empty; expected a row of 0 and 1.")
        if len(tokens) != width:
            raise HashprobeError(
                f"{path}, line {number} has {len(tokens)} values; expected {width} as in {origin}."
            )
        if len(digits) != width or digits.strip("01"):
            wrong = next(token for token in tokens if token not in ("0", "1"))
            raise HashprobeError(f"{path}, line {number} has the value {wrong!r}; expected only 0 and 1.")
        rows.append(digits)
    values = np.frombuffer("".join(rows).encode(), dtype=np.uint8) - ord("0")
    return values.reshape(len(rows), width).astype(np.uint8)


def _read_class_names(path: Path, database: ListedSplit) -> tuple[str, ...]:
    """Return the names of the classes; their numbers where there is no list of them."""
    width = database.labels.shape[1]
    if not path.exists():
        return tuple(f"class {number}" for number in range(1, width + 1))
    names = tuple(line.strip() for line in _read_lines(path))
    if len(names) != width:
        raise HashprobeError(
            f"{path} names {len(names)} classes but the rows of {database.label_list} have {width} values."
        )
    for number, name in enumerate(names, start=1):
        if not name:
            raise HashprobeError(f"{path}, line {number} is empty; expected the name of a class.")
        if name in names[: number - 1]:
            first = names.index(name) + 1
            raise HashprobeError(f"{path}, line {number} names the class {name!r} again (line {first}).")
    return names
