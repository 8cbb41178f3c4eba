"""Files that are whole or absent: everything hashprobe writes goes to a temporary file first, then is renamed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError

PART = ".part"
"""How the name of a file ends while it is written."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends well.

    A full disk, an exception or a kill leaves the old file as it was. Parent folders are made.

    Raises:
        HashprobeError: the operating system refused to write (disk full, no permission).
    """
    path = Path(path)
    try:
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


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        HashprobeError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HashprobeError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise HashprobeError(f"{path} is not a JSON file ({error}).") from None


def read_json_lines(path: str | Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object a line; blank lines are passed over.

    Raises:
        HashprobeError: the file is missing, or a line of it is not a JSON object (the line is named).
    """
    try:
        lines = (
            Path(path).read_text(encoding="utf-8").split("\n")
        )  # splitlines() also cuts at U+2028, in a text
    except FileNotFoundError:
        raise HashprobeError(f"{path} does not exist.") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise HashprobeError(f"{path}, line {number} is not JSON ({error.msg}).") from None
        if not isinstance(row, dict):
            raise HashprobeError(f"{path}, line {number} holds {type(row).__name__}, not a JSON object.")
        rows.append(row)
    return rows


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
