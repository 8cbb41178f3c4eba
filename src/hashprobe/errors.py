"""Errors for people: one clear sentence that says what, where, what was expected and what to do."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from typing import Any


class HashprobeError(ValueError):
    """Input or state that its user can mend; the message is one clear sentence.

    The command line prints the message alone, without a traceback, and exits with code 2. Of a message that quotes very much, the
    middle is left out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= 1200 else f"{message[:800]} … {message[-300:]}")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> HashprobeError:
    """Build the error for a name that nothing is registered under, with the nearest known one.

    Args:
        kind: What the name should have named, as a person says it (``"attack"``).
        name: What was given for it.
        known: The names that exist.
    """
    names = sorted(known)
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(str(name)[:100].lower(), by_lower, n=1, cutoff=0.5)
    hint = f"; did you mean {by_lower[close[0]]!r}?" if close else "."
    listed = f"Known: {', '.join(names)}." if names else "None is registered; see --plugin."
    return HashprobeError(f"no {kind} is named {shortened(name)}{hint} {listed}")


def shortened(value: object, most: int = 80) -> str:
    """Return the ``repr`` of a value that somebody gave, as it may stand in a sentence."""
    try:
        text = repr(value)
    except Exception:  # whole numbers of many digits have none, nor have damaged objects
        return f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def check_whole_number(name: str, value: Any, *, least: int, most: int | None = None, also: str = "") -> int:
    """Return ``value`` as an int, or say that it is no whole number from ``least`` to ``most``.

    Args:
        name: What the number is, for the message.
        value: A Python or numpy integer; True and False are none.
        least: The smallest that is allowed.
        most: The largest, if there is one.
        also: What else the caller takes, for the message (``", or None for all"``).
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise HashprobeError(f"{name} must be a whole number {allowed}{also}; found {shortened(value)}.")
    return number
