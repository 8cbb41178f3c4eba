"""Errors for people: one clear sentence that says what, where, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HashprobeError(ValueError):
    """Input or state that its user can mend; the message is one clear sentence.

    The command line prints the message alone, without a traceback, and exits with code 2.
    """


def unknown_name(kind: str, name: str, known: Iterable[str]) -> HashprobeError:
    """Build the error for a name that nothing is registered under, with the nearest known one.

    Args:
        kind: What the name should have named, as a person says it (``"attack"``).
        name: The name that was given.
        known: The names that exist.
    """
    names = sorted(known)
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f"; did you mean {by_lower[close[0]]!r}?" if close else "."
    return HashprobeError(f"no {kind} is named {name!r}{hint} Known: {', '.join(names)}.")
