"""Files that are whole or absent: everything hashprobe writes goes to a temporary file first, then is renamed."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashprobe.bounds import read_bytes
from hashprobe.errors import HashprobeError, shortened

PART = ".part"
"""How the name of a file ends while it is written."""
SECONDS_UNTIL_HELD = 60.0
"""A temporary file that is younger may not be held yet by its writer."""
LONGEST_NUMBER = 300
"""Digits of a whole number that a float holds as well."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends well.

    A full disk, an exception or a kill leaves the old file as it was. Parent folders are made.

    Raises:
        HashprobeError: the operating system refused to write (disk full, no permission), or there is something there that is
            no file, as a device, which a rename would take away.
    """
    path = user_path(path)
    try:
        if path.exists() and not path.is_file():
            raise HashprobeError(
                f"{path} is a folder or a device, not a file; give another place to write to."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise write_failed(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def held(temporary: Path) -> Iterator[None]:
    """Hold a temporary file or folder, so that :func:`remove_left_over` knows that somebody is at work on it."""
    handle = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_left_over(folder: Path, name: str = "") -> None:
    """Remove what killed runs left in a folder, and nobody holds.

    Args:
        folder: Where it is looked for; not in folders below it.
        name: Of the file or folder that was being written; of any if not given.
    """
    for left in folder.glob(f".{glob.escape(name)}*{PART}"):
        try:
            if time.time() - left.stat().st_mtime < SECONDS_UNTIL_HELD:
                continue
            handle = os.open(left, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        except OSError:  # held, or not ours to remove
            continue
        finally:
            os.close(handle)


def write_failed(path: Path, error: Exception) -> HashprobeError:
    """Build the error for a file that the operating system refused to write."""
    reason = getattr(error, "strerror", None) or str(error)
    return HashprobeError(f"could not write {path}: {reason}; what was there before is unchanged.")


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_json_lines(path: str | Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object a line, whole or not at all."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def user_path(path: str | Path) -> Path:
    """Return a path that a person gave, ``~`` expanded.

    Raises:
        HashprobeError: it can be no path: too long, a character that no name has, or the home of a user that there is not.
    """
    if "\0" in str(path):
        raise HashprobeError(f"{shortened(path)} is no path (it holds a NUL character).")
    try:
        given = Path(path).expanduser()
        str(path).encode()  # it is written into files of results, which are UTF-8
        os.stat(given)  # asks the operating system, which knows how long a name may be, and loops of links
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return given
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise HashprobeError(f"{shortened(path)} is no path ({reason}).") from None
    return given


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        HashprobeError: the file is missing, cannot be read, or is not JSON with numbers that a float can hold.
    """
    return _parsed(_text(path), f"{path} is not a JSON file")


def read_json_lines(path: str | Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object a line; blank lines are passed over.

    Raises:
        HashprobeError: the file is missing or cannot be read, or a line of it is not a JSON object (the line is named).
    """
    rows = []
    # splitlines() also cuts at U+2028, in a text.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        row = _parsed(line, f"{path}, line {number} is not JSON")
        if not isinstance(row, dict):
            raise HashprobeError(f"{path}, line {number} holds {type(row).__name__}, not a JSON object.")
        rows.append(row)
    return rows


def _text(path: str | Path) -> str:
    try:
        # As in text mode: lines may end as on another system.
        return read_bytes(path, "text_bytes").decode().replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise HashprobeError(f"{path} does not exist.") from None
    except UnicodeDecodeError as error:
        raise HashprobeError(f"{path} is not a UTF-8 text file (byte {error.start}).") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HashprobeError(f"{_named(path)} cannot be read ({reason}).") from None


def _named(path: str | Path) -> str:
    """Name a path in a sentence; one that is no line of text, or very long, as it would be written in Python."""
    name = str(path)
    return name if name.isprintable() and len(name) < 1000 else shortened(name)


def _parsed(text: str, problem: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite, parse_int=_whole)
        if "\\u" in text:
            json.dumps(
                value, ensure_ascii=False
            ).encode()  # an escape may be half a character, which no file holds
        return value
    except json.JSONDecodeError as error:
        raise HashprobeError(f"{problem} ({error.msg}: line {error.lineno} column {error.colno}).") from None
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise HashprobeError(f"{problem} (it holds {half}, half a character).") from None
    except RecursionError:
        raise HashprobeError(f"{problem} (it is nested too deeply).") from None
    except _NotFinite as error:
        raise HashprobeError(f"{problem} (it holds the number {error}).") from None


class _NotFinite(ValueError):
    """A number that no float holds."""


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotFinite(text[:20])
    return number


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise _NotFinite(f"{text[:20]}…")
    return int(text)


def sha256_of(*parts: bytes | str | Mapping[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of the parts in order; a mapping counts as its sorted JSON."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Mapping):
            part = json.dumps(part, sort_keys=True, ensure_ascii=False)
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
