"""One registered thing told in full: what its docstring says, what it needs, its settings, and those of its training."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hashprobe.experiments import SCALES
from hashprobe.registry import Registry
from hashprobe.results import epsilon_text
from hashprobe.trained import TRAINED

SECTION = re.compile(r"^(Attributes|Args):$", re.MULTILINE)
ENTRY = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
REFERS = ("See :", "Likewise", "As for :")
MARKUP = re.compile(r":\w+:`(?:~?[\w.]*\.)?(\w+)`|``")


def told(registry: Registry[object], name: str) -> Iterator[str]:
    """Yield lines on what a registry files under a name.

    Raises:
        HashprobeError: it files nothing there.
    """
    thing = registry[name]
    described = isinstance(thing, type) or inspect.isroutine(thing)
    text = (inspect.getdoc(thing) if described else None) or registry.describe(name)
    yield from f"{name}: {_plain(SECTION.split(text)[0]).strip()}".splitlines()
    if needs := registry.needs(name):
        yield f"Needs: {needs}."
    if settings := registry.settings(name):
        yield from ("", "Settings:")
        yield from _rows(thing, settings)
    if name in TRAINED and TRAINED[name] is thing:
        own, published = (SCALES[scale].settings(name) for scale in ("cpu", "paper"))
        yield from (
            "",
            "Settings of its training (--set), at the scale cpu, and of paper where that differs:",
        )
        yield from _rows(type(own), own.model_dump(), published.model_dump())


def _rows(thing: Any, settings: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Yield a line a setting: its value, another value where that differs, and what a docstring says of it."""
    said = _entries(thing)
    for name, value in settings.items():
        shown = f"{name}={_value(value)}"
        if other is not None and other[name] != value:
            shown += f" ({_value(other[name])})"
        yield f"  {shown:<24}  {said.get(name, '')}".rstrip()


def _entries(thing: Any) -> dict[str, str]:
    """Return what docstrings of a class and of those above it say of attributes: the nearest that does not refer to another."""
    found: dict[str, str] = {}
    for kind in inspect.getmro(thing):
        for section in SECTION.split(inspect.cleandoc(kind.__doc__ or ""))[2::2]:
            for name, text in ENTRY.findall(section):
                if not text.startswith(REFERS):
                    found.setdefault(name, _plain(" ".join(text.split())))
    return found


def _plain(text: str) -> str:
    return MARKUP.sub(lambda match: match[1] or "", text)


def _value(value: Any) -> str:
    """Return a value as it is given, whole levels of 255 as such."""
    if isinstance(value, float) and 0 < value < 1 and (255 * value).is_integer():
        return epsilon_text(value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)
