"""Settings in a TOML file that names what it starts from and gives what differs: a size of the paper's grid, a recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hashprobe.bounds import read_bytes
from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import user_path

SETTINGS = TypeVar("SETTINGS", bound=BaseModel)


def read_based(file: str, named: Callable[[str], SETTINGS], *, kind: str, example: str) -> SETTINGS:
    """Return settings of a file: those that it names as ``base``, and its own fields in place of theirs.

    Nested fields stand in tables; a list stands for the whole list.

    Args:
        file: Its path.
        named: Returns what a name stands for.
        kind: What is named, for sentences.
        example: A name, likewise.

    Raises:
        HashprobeError: a file that cannot be read, an unknown base, or a field or value in it that there is not.
    """
    try:
        changes = tomllib.loads(read_bytes(user_path(file), "text_bytes").decode())
    except OSError as error:
        raise HashprobeError(f"{file} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise HashprobeError(f"{file} is not a TOML file ({reason}).") from None
    if not isinstance(base := changes.pop("base", None), str):
        raise HashprobeError(f'{file} must name the {kind} it starts from: base = "{example}".')
    start = named(base)
    try:
        return type(start).model_validate(_merged(start.model_dump(), changes))
    except ValidationError as error:
        first = error.errors()[0]
        field, found = ".".join(map(str, first["loc"])), shortened(first["input"])
        raise HashprobeError(f"{file}: {field}: {first['msg']}; found {found}.") from None


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with changes in place of their own values."""
    nested = {
        name: _merged(values[name], change)
        for name, change in changes.items()
        if isinstance(change, Mapping) and isinstance(values.get(name), Mapping)
    }
    return {**values, **changes, **nested}
