"""Values that are given by name, held to the types that the fields of a dataclass state."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hashprobe.errors import HashprobeError, shortened

_SAID = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "none"}
_SAID_BESIDE = {Path: "a path"}


def check_type(name: str, value: Any, hint: Any) -> None:
    """Say that a value is not of a type; numpy's numbers count as Python's, and a whole number counts as a number.

    Raises:
        HashprobeError: it is not.
    """
    test = _test(hint)
    if test is not None and not test(value):
        raise HashprobeError(f"{name} must be {_say(hint)}; found {shortened(value)}.")


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
    if typing.get_origin(hint) is not None:
        return f"of the type {hint}".replace("collections.abc.", "")
    return (_SAID | _SAID_BESIDE).get(hint) or f"a {getattr(hint, '__name__', hint)}"


Function = TypeVar("Function", bound=Callable[..., Any])
LONGEST = 10**300
"""Of whole numbers that are given: more digits have no float, and from some number on no text."""


def checked(function: Function) -> Function:
    """Say in a sentence that an argument of a public function is not of the type that it states, where that is why it failed.

    What the function says itself comes first: it knows ranges, and names that were meant. Arrays are left to it altogether,
    and so is what is stated as ``Any``. Numbers of numpy count as Python's.
    """
    signature = inspect.signature(function)

    @cache
    def tests() -> dict[str, tuple[Test, Any]]:
        found = {}
        for name, parameter in signature.parameters.items():
            if parameter.annotation is parameter.empty:
                continue
            try:
                hint = typing.get_type_hints(_Stated(parameter.annotation, function))["value"]
            except (NameError, TypeError):  # imported for the type checker alone
                continue
            test = _test(hint)
            if test is not None and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found[name] = (test, hint)
        return found

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except HashprobeError:
            raise
        except Exception as error:
            given = signature.bind(*args, **kwargs).arguments
            for name, (test, hint) in tests().items():
                if name in given and not test(given[name]):
                    raise HashprobeError(
                        f"{name} must be {_say(hint)}; found {shortened(given[name])}."
                    ) from error
            raise

    return typing.cast("Function", run)


Test = Callable[[Any], bool]


class _Stated:
    """One annotation, as something whose annotations can be resolved where a function was defined."""

    def __init__(self, annotation: Any, function: Callable[..., Any]) -> None:
        self.__annotations__ = {"value": annotation}
        self.__globals__ = getattr(function, "__globals__", {})


def _test(hint: Any) -> Test | None:
    """Return what says whether a value is of a type; ``None`` where any is."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return None
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is typing.Annotated:
        return _test(arguments[0])
    if origin is typing.Literal:
        return lambda value: type(value) in (str, bool, int, type(None)) and value in arguments
    if origin in (typing.Union, types.UnionType):
        tests = [_test(each) for each in arguments]
        known = [test for test in tests if test is not None]
        return (lambda value: any(test(value) for test in known)) if len(known) == len(tests) else None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return lambda value: isinstance(value, Mapping)
    if isinstance(origin, type) and origin is not np.ndarray and issubclass(origin, Iterable):
        return _test_of_items(origin, arguments)
    if origin is Callable or hint is Callable:
        return callable
    if isinstance(hint, type) and hint is not object and not getattr(hint, "_is_protocol", False):
        return None if issubclass(hint, np.ndarray) else lambda value: isinstance(value, hint)
    return None


def _test_of_items(kind: type, arguments: tuple[Any, ...]) -> Test:
    of_item = _test(arguments[0]) if arguments else None
    # A tuple is asked for where any sequence will do.
    kind = Sequence if issubclass(kind, tuple | list) else kind

    def test(value: Any) -> bool:
        if not isinstance(value, kind) or isinstance(value, (str, bytes, np.ndarray, *_tensors())):
            return False
        return of_item is None or not isinstance(value, Sequence) or all(map(of_item, value))

    return test


def _tensors() -> tuple[type, ...]:
    """Return the type of tensors, where torch is there already; nothing is imported for the question."""
    torch = sys.modules.get("torch")
    return () if torch is None else (torch.Tensor,)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) < LONGEST


_PLAIN: dict[Any, Test] = {
    int: _is_whole,
    float: lambda value: isinstance(value, float | np.floating) or _is_whole(value),
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool | np.bool_),
    type(None): lambda value: value is None,
    None: lambda value: value is None,
}
