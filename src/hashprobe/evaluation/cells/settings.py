"""Settings of an attack as they are given by name, checked against the fields of its class."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hashprobe.attacks import Attack
from hashprobe.errors import HashprobeError, shortened, unknown_name
from hashprobe.trained import Trained

_SAID = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "none"}


def check_settings(kind: type[Attack], name: str, settings: Mapping[str, Any]) -> None:
    """Say what is wrong with the settings of an attack.

    Args:
        kind: Its class.
        name: What it is called.
        settings: Values by name. A trained attack takes only those that have a default: the others were trained.

    Raises:
        HashprobeError: a setting that the attack does not have, one of another type, or one that is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    needed = {own for own, field in fields.items() if not _has_default(field)}
    if issubclass(kind, Trained):
        fields = {own: fields[own] for own in fields if own not in {*needed, "attacked_model"}}
        needed = set()
    for setting in settings:
        if setting not in fields:
            raise unknown_name(f"setting of {name}", setting, fields)
    if missing := sorted(needed - settings.keys()):
        raise HashprobeError(
            f"{name} needs the setting {missing[0]}; give it after a colon, {name}:{missing[0]}=…."
        )
    hints = typing.get_type_hints(kind)
    for setting, value in settings.items():
        try:
            TypeAdapter(hints[setting]).validate_python(value, strict=True)
        except ValidationError:
            raise HashprobeError(
                f"{name}: {setting} must be {_say(hints[setting])}; found {shortened(value)}."
            ) from None


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return not (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)


def _say(hint: Any) -> str:
    """Say a type in words."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if union:
        return " or ".join(map(_say, typing.get_args(hint)))
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    return _SAID.get(hint, str(hint))
