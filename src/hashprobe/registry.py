"""A registry: things of one kind, found by name, so that a new one is one file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from hashprobe.errors import HashprobeError, unknown_name

S = TypeVar("S")
T = TypeVar("T")
M = TypeVar("M")


class Registry(Generic[T]):
    """Things of one kind by name, in the order of their registration.

    Args:
        kind: What is registered, as a person says it; it appears in error messages.

    Example:
        >>> shapes: Registry[type] = Registry("shape")
        >>> @shapes.register("square")
        ... class Square: ...
        >>> shapes["square"] is Square
        True
        >>> shapes["sqare"]
        Traceback (most recent call last):
        hashprobe.errors.HashprobeError: no shape is named 'sqare'; did you mean 'square'? Known: square.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def register(self, name: str) -> Callable[[S], S]:
        """Return a decorator that files its argument under ``name``.

        Raises:
            HashprobeError: from the decorator; the name is taken.
        """

        def file(thing: S) -> S:
            if name in self._things:
                taken = self._things[name]
                by = f" by {taken.__module__}" if isinstance(taken, type) or inspect.isroutine(taken) else ""
                raise HashprobeError(
                    f"the {self.kind} {name!r} is registered already{by}; choose another name."
                )
            self._things[name] = thing  # type: ignore[assignment]
            return thing

        return file

    def __getitem__(self, name: str) -> T:
        """Return what is filed under ``name``, or raise with the nearest known name."""
        try:
            return self._things[name]
        except KeyError:
            raise unknown_name(self.kind, name, self._things) from None

    def make(self: Registry[type[M]], name: str, settings: Mapping[str, Any]) -> M:
        """Return what the class that is filed under ``name`` makes of settings.

        Raises:
            HashprobeError: no such name, a setting that it does not have, or one that it needs.
        """
        kind = self[name]
        known = inspect.signature(kind).parameters
        if unknown := sorted(set(settings) - set(known)):
            raise HashprobeError(
                f"the {self.kind} {name!r} has no setting {unknown[0]!r}; it has {', '.join(known) or 'none'}."
            )
        needed = (setting for setting, its in known.items() if its.default is inspect.Parameter.empty)
        if missing := sorted(set(needed) - set(settings)):
            raise HashprobeError(f"the {self.kind} {name!r} needs the setting {missing[0]!r}.")
        return kind(**settings)

    def describe(self, name: str) -> str:
        """Return a line of plain text on what is filed under ``name``: its ``title``, or the first of its docstring."""
        thing = self[name]
        title = getattr(thing, "title", None)
        text = title if isinstance(title, str) else inspect.getdoc(thing) or ""
        return text.partition("\n")[0].replace("``", "")

    def settings(self, name: str) -> dict[str, Any]:
        """Return the settings with their defaults of what is filed under ``name``, where that is a class: those that are numbers,
        texts or nothing."""
        thing = self[name]
        if not isinstance(thing, type):
            return {}
        known = inspect.signature(thing).parameters.values()
        return {
            own.name: own.default
            for own in known
            if isinstance(own.default, int | float | str | None) and own.name != "attacked_model"
        }

    def needs(self, name: str) -> str:
        """Return what the thing filed under ``name`` says it needs, in a few words; nothing if it says nothing.

        It says so as a text, ``needs``, or as its ``access`` to a model and the trained parts that it ``requires``.
        """
        thing = self[name]
        said, requires = getattr(thing, "needs", None), getattr(thing, "requires", ())
        if isinstance(said, str):
            return said
        access = getattr(getattr(thing, "access", None), "value", None)
        parts = requires if isinstance(requires, tuple) else ()
        return ", ".join(str(part) for part in (access, *parts) if part not in (None, "nothing"))

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)
