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
        HashprobeError: the file cannot be read, or is not JSON.
    """
    return _parsed(_read_text(path), str(path), "is not a JSON file")


def read_json_lines(path: str | Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object a line; blank lines are passed over.

    Raises:
        HashprobeError: the file cannot be read, or a line of it is not a JSON object (the line is named).
    """
    rows = []
    # splitlines() would also cut at U+2028, in a text
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        row = _parsed(line, f"{path}, line {number}", "is not JSON")
        if not isinstance(row, dict):
            raise HashprobeError(f"{path}, line {number} holds {type(row).__name__}, not a JSON object.")
        rows.append(row)
    return rows


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HashprobeError(f"{path} does not exist.") from None
    except OSError as error:
        raise HashprobeError(f"{path} cannot be read ({error.strerror or error}).") from None
    except ValueError as error:  # bytes that are no UTF-8, a path with a NUL
        raise HashprobeError(f"{path} is not a text file ({error}).") from None


def _parsed(text: str, where: str, complaint: str) -> Any:
    """Return what JSON holds; no number that JSON does not know, and nothing so deep or long that Python gives up on it."""

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no number of JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise HashprobeError(f"{where} {complaint} (it is nested too deeply).") from None
    except json.JSONDecodeError as error:
        raise HashprobeError(f"{where} {complaint} ({error.msg}).") from None
    except ValueError as error:  # NaN, or an integer of thousands of digits
        raise HashprobeError(f"{where} {complaint} ({error}).") from None


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
