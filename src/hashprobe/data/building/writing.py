"""A built data set on disk: list format 1, where its images are, and how it was made; whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hashprobe.data.formats.text_lists import CLASSES_FILE
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import PART, held, read_json, remove_left_over, write_json, write_text

PREFIXES = {"query": "test", "database": "database", "train": "train"}
BUILD_FILE = "build.json"

Rows = tuple[Sequence[str], UInt8Array]


def write_lists(folder: Path, class_names: Sequence[str], splits: Mapping[str, Rows]) -> None:
    """Write the paths and label rows of each split, and the names of the classes.

    Raises:
        HashprobeError: one of the names is no line of a text; it is said before anything is written.
    """
    _check_lines("class", class_names)
    for names, _ in splits.values():
        _check_lines("image", names)
    for split, (names, labels) in splits.items():
        prefix = PREFIXES[split]
        write_text(folder / f"{prefix}_img.txt", "".join(f"{name}\n" for name in names))
        rows = (" ".join(map(str, row)) + "\n" for row in labels.tolist())
        write_text(folder / f"{prefix}_label.txt", "".join(rows))
    write_text(folder / CLASSES_FILE, "".join(f"{name}\n" for name in class_names))


def _check_lines(kind: str, names: Sequence[str]) -> None:
    for name in names:
        # Lists are read line by line, and white space around a name is left out.
        if not name or name != name.strip() or "\n" in name or "\r" in name or not _is_utf8(name):
            raise HashprobeError(
                f"the {kind} {shortened(name)} cannot be written into a list: its name is no line of text; rename it."
            )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a name of a file may be any bytes
        return False
    return True


def built_already(out: Path, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what ``build.json`` says if the folder holds just this build, ``None`` if it is free.

    Raises:
        HashprobeError: the folder holds something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    record = read_json(out / BUILD_FILE) if (out / BUILD_FILE).is_file() else None
    if isinstance(record, dict) and record.get("request") == json.loads(json.dumps(request)):
        return record
    raise HashprobeError(f"{out} exists and holds something else; name a new or empty folder with --out.")


def write_folder(out: Path, record: Mapping[str, Any], fill: Callable[[Path], None]) -> None:
    """Make the folder ``out`` with what ``fill`` writes and ``build.json``.

    It is filled under a temporary name beside it and renamed, so that ``out`` is whole or not there.

    Raises:
        HashprobeError: the operating system refused to write.
    """
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(out.parent, f"{out.name}.")
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=PART, dir=out.parent))
        with held(temporary):
            fill(temporary)
            write_json(temporary / BUILD_FILE, record)
        temporary.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.replace(temporary, out)
    except OSError as error:
        raise HashprobeError(
            f"could not write {out}: {error.strerror or error}; nothing was left there."
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
