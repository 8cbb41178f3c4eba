"""Identity: the fingerprint of what a trained part or a measured cell depends on.

Of settings that is their kind, their ``VERSION`` and the values that differ from the defaults. A new optional field therefore
changes no fingerprint, and whoever changes a default also raises ``VERSION``, so that nothing made with the old default is
taken for something made with the new one; ``tests/test_identity.py`` holds every default beside its version.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from hashprobe.files import sha256_of
from hashprobe.plugins import plugin_sha256

NOT_IDENTITY: dict[str, Any] = {"identity": False}
"""Metadata of a field that a result does not depend on, as a title (pydantic: ``json_schema_extra``)."""


def optional(default: Any) -> Any:
    """Return a dataclass field that was added later: it is left out of ``repr`` while it has its default.

    What is seeded with a ``repr`` then draws what it drew before there was the field.
    """
    return dataclasses.field(default=default, metadata={"optional": True})


def fingerprint(*values: Any) -> str:
    """Return the SHA-256, in hexadecimal, of what identifies each value; see :func:`identity_of`."""
    return sha256_of(json.dumps([identity_of(value) for value in values], sort_keys=True, ensure_ascii=False))


def identity_of(value: Any) -> Any:
    """Return what identifies a value, as JSON holds it.

    Settings (pydantic models, dataclasses) become their kind, version and values that differ from the defaults; settings within
    them always count, since their own defaults may change. A thing with a method ``identity`` says it itself. A path is known
    by its text: whoever means a file's content passes its fingerprint.

    Raises:
        TypeError: a value that has no identity, as a function.
    """
    if hasattr(value, "identity") and not isinstance(value, type):
        return identity_of(value.identity())
    if _is_settings(value):
        return settings_identity(value)
    if isinstance(value, Mapping):
        return {
            str(name): identity_of(own) for name, own in sorted(value.items(), key=lambda pair: str(pair[0]))
        }
    if isinstance(value, list | tuple):
        return [identity_of(own) for own in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a {type(value).__name__} has no identity; pass a fingerprint of it")


def settings_identity(value: Any, **instead: Any) -> dict[str, Any]:
    """Return what identifies settings: kind, version and the values that differ from the defaults.

    Args:
        value: A pydantic model or a dataclass.
        instead: What identifies a field in place of its value, as a file's fingerprint in place of its path.
    """
    differing = {
        name: identity_of(instead.get(name, own))
        for name, own, default in _fields(value)
        if _is_settings(own) or not _equal(own, default)
    }
    return {"kind": type(value).__name__, "version": version_of(type(value)), **differing}


def version_of(kind: Any) -> str:
    """Return the ``VERSION`` of a class or function, 1 if it names none; of a plugin's with the fingerprint of its file.

    Where a class and one that it derives from both name theirs, both count, the base's first: ``"1.2"``.
    """
    own = [
        str(vars(base)["VERSION"])
        for base in reversed(getattr(kind, "__mro__", (kind,)))
        if "VERSION" in vars(base)
    ]
    source, version = plugin_sha256(kind.__module__), ".".join(own) or "1"
    return f"{version} {source}" if source else version


def _fields(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and default of each field that is identity."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if not _left_out(field.json_schema_extra):
                yield name, getattr(value, name), field.get_default(call_default_factory=True)
    else:
        for own in dataclasses.fields(value):
            if not _left_out(own.metadata):
                yield own.name, getattr(value, own.name), _default(own)


def _left_out(metadata: Any) -> bool:
    return isinstance(metadata, Mapping) and metadata.get("identity") is False


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _is_settings(value: Any) -> bool:
    return isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _equal(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
