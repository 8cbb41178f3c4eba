"""How much memory a piece of work takes at its peak."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")
SECONDS_BETWEEN_LOOKS = 0.002


@dataclass(frozen=True)
class Memory:
    """Resident memory of this process, memory-mapped files aside, in bytes.

    Attributes:
        before: Before the work.
        peak: The most while it ran.
    """

    before: int
    peak: int

    @property
    def growth(self) -> int:
        """What the work added."""
        return self.peak - self.before


def watch_memory(work: Callable[[], object]) -> Memory | None:
    """Run ``work`` and return how much memory this process held.

    A thread looks every 2 ms, so that a shorter peak may be missed. ``None`` where the system keeps no
    ``/proc/self/status`` (it is Linux's).
    """
    if _private_bytes() is None:
        work()
        return None
    _give_back_what_is_free()
    before = peak = _private_bytes() or 0
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
    return Memory(before, max(peak, _private_bytes() or 0))


def _give_back_what_is_free() -> None:
    """Give the system what earlier work left behind: used again or freed meanwhile, it would hide what is taken.

    Where the C library cannot trim (it is glibc's ``malloc_trim``), free memory that is used again is not seen.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _private_bytes() -> int | None:
    """Return the resident memory that is no file's, in bytes."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))]
    return sum(sizes) * 1024 if sizes else None
