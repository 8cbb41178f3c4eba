"""What a user's function or object is, in words: part of the fingerprint of what it has a share in."""

from __future__ import annotations

from hashprobe.errors import HashprobeError


def described(thing: object) -> str:
    """Return a function's full name, or an object's ``repr``, which says its settings.

    Raises:
        HashprobeError: neither tells it apart from others: a lambda, a function inside a function, or an object without a
            ``repr`` of its own.
    """
    name = getattr(thing, "__qualname__", None)
    text = repr(thing) if name is None else f"{thing.__module__}.{name}"
    if " at 0x" in text or (name and "<" in name):
        raise HashprobeError(
            f"{thing!r} does not say what it is, so nothing can be told apart by it; "
            "make it a frozen dataclass, an nn.Module, or a function of a module."
        )
    return text
