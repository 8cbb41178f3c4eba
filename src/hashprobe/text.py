"""Text from outside, such as names of files and classes, as it may be shown on a terminal or a page."""

from __future__ import annotations

import unicodedata

_HIDDEN_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Make control characters visible: those that reverse text, and those that have no shape at all.

    A file may be named so that it reads as another one, or moves the cursor of a terminal; that is not passed on.
    """
    return "".join(
        f"\\u{ord(char):04x}"
        if char in _HIDDEN_DIRECTION or unicodedata.category(char) in ("Cc", "Cs")
        else char
        for char in text
    )
