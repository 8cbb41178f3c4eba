"""How much memory a piece of work takes at its peak."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

STATUS = Path("/proc/self/status")
SECONDS_BETWEEN_LOOKS = 0.002


def peak_growth(work: Callable[[], object]) -> int | None:
    """Run ``work`` and return by how many bytes the memory of this process grew at most, memory-mapped files
    aside.

    A thread looks every 2 ms, so that a shorter peak may be missed. ``None`` where the system keeps no
    ``/proc/self/status`` (it is Linux's).
    """
    before = _private_bytes()
    if before is None:
        work()
        return None
    peak = before
    done = threading.Event()

    def look() -> None:
        nonlocal peak
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            peak = max(peak, _private_bytes() or 0)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak, _private_bytes() or 0) - before


def _private_bytes() -> int | None:
    """Return the resident memory that is no file's, in bytes."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))]
    return sum(sizes) * 1024 if sizes else None
