"""Settings of an attack as they are given by name, checked against the fields of its class."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from hashprobe.attacks import Attack, IterativeAttack
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.trained import Trained
from hashprobe.typed_values import check_type


def check_settings(kind: type[Attack], name: str, settings: Mapping[str, Any]) -> None:
    """Say what is wrong with the settings of an attack.

    Args:
        kind: Its class.
        name: What it is called.
        settings: Values by name. A trained attack takes only those that have a default: the others were trained. The ``start``
            of gradient steps, an attack, is none of them.

    Raises:
        HashprobeError: a setting that the attack does not have, one of another type, or one that is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    if issubclass(kind, IterativeAttack):
        del fields["start"]
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
        check_type(f"{name}: {setting}", value, hints[setting])


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return not (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)
