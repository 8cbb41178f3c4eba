"""Packages that only some uses need: imported there, and named in a sentence where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hashprobe.errors import HashprobeError


def package(module: str, extra: str) -> Any:
    """Import a module of a package that comes with an extra of hashprobe.

    Args:
        module: Its name, as ``import`` takes it.
        extra: The extra that brings it.

    Raises:
        HashprobeError: it cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise HashprobeError(
            f"{module} cannot be imported ({error}); install it: pip install 'hashprobe[{extra}]'."
        ) from None
