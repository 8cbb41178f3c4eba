"""Settings as people write them: ``NAME=VALUE``, on the command line and in calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hashprobe.errors import HashprobeError


def read_value(text: str) -> Any:
    """Read ``none``, a fraction such as ``8/255``, or JSON; what is none of them is a text."""
    if text.lower() == "none":
        return None
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else json.loads(text)
    except (ValueError, ZeroDivisionError):
        return text


def read_pairs(texts: Sequence[str], option: str) -> dict[str, Any]:
    """Read ``NAME=VALUE`` texts.

    Raises:
        HashprobeError: a text without a name or ``=``, or a name that is given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise HashprobeError(f"{option}: expected NAME=VALUE, as in epochs=3; found {text!r}.")
        if name in values:
            raise HashprobeError(f"{option}: {name} is given twice; give it once.")
        values[name] = read_value(value)
    return values
