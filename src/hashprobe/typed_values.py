"""Values that are given by name, held to the types that the fields of a dataclass state."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from hashprobe.errors import HashprobeError, shortened

_SAID = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "none"}


def check_type(name: str, value: Any, hint: Any) -> None:
    """Say that a value is not of a type; numpy's numbers count as Python's, and a whole number counts as a number.

    Raises:
        HashprobeError: it is not.
    """
    try:
        own = value.item() if isinstance(value, np.generic) else value
        TypeAdapter(hint).validate_python(own, strict=True)
    except (ValidationError, OverflowError):
        raise HashprobeError(f"{name} must be {_say(hint)}; found {shortened(value)}.") from None


def check_fields(settings: Any) -> None:
    """Hold the numbers, texts and switches of a dataclass to their types; other fields are passed over.

    Raises:
        HashprobeError: one is of another type.
    """
    for name, hint in _plain_fields(type(settings)).items():
        check_type(name, getattr(settings, name), hint)


def _plain_fields(kind: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(kind)
    except NameError:  # a type that is imported for the type checker alone
        return {}
    named = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return {name: hint for name, hint in named.items() if all(own in _SAID for own in _kinds(hint))}


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _say(hint: Any) -> str:
    """Say a type in words."""
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    if (kinds := _kinds(hint)) != (hint,):
        return " or ".join(map(_say, kinds))
    return _SAID.get(hint, str(hint))
