"""How the loops of this room are compiled: by numba, without the interpreter's lock, and kept on disk where possible."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def fingerprint(folder: Path) -> str:
    """Return a hash of all sources in a folder and the folders in it."""
    sources = sorted(folder.rglob("*.py"))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


# Compiled functions of the metrics call the kernel, and constants are read into both: the whole room is watched.
SOURCES = fingerprint(Path(__file__).parents[1])


def compiled(function: Callable[..., Any], *, sources: str = SOURCES) -> Any:
    """Compile a function when it is first called.

    numba compiles what a function calls and the constants it reads into it, but looks only at the function's own file to
    see whether what it kept on disk is still valid. Here it is valid for these sources of the whole room alone.

    Args:
        function: Written for numba.
        sources: What the result on disk is valid for.

    Returns:
        What calls the compiled function. Where numba finds no folder that it may write to, it is compiled in each process.
    """
    try:
        made: Any = njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)
    made._cache._cache_file._source_stamp = sources
    return made
