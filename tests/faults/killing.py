"""Every place where a command touches the disk, as a place to die or to find the disk full."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

import hashprobe.weights


class Killed(BaseException):
    """Stands for a kill: nothing after it touches the disk, not even what tidies up."""


class Disk:
    """Counts what is done to the disk inside :meth:`watched`, and fails from a place on.

    Args:
        fails_at: The place, from 0; none if not given.
        full: Whether the disk is full from then on, rather than the command killed.
    """

    def __init__(self, fails_at: int | None = None, *, full: bool = False) -> None:
        self.fails_at, self.full = fails_at, full
        self.done, self.failed = 0, False
        self.shorter: list[str] = []

    def touch(self, half: Callable[[], object] = lambda: None, error: type[Exception] = OSError) -> None:
        """Do one more thing; at the place of failure do half of it, and fail."""
        at, self.done = self.done, self.done + 1
        if self.fails_at is None or at < self.fails_at:
            return
        if not self.failed:
            self.failed = True
            half()
        if not self.full:
            raise Killed
        said = os.strerror(errno.ENOSPC)
        raise OSError(errno.ENOSPC, said) if error is OSError else error(f"I/O error: {said} (os error 28)")

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        """Watch all that hashprobe writes inside the block."""
        mkstemp, write_text, replace = tempfile.mkstemp, Path.write_text, os.replace
        fsync, save_file, unlink = os.fsync, hashprobe.weights.save_file, Path.unlink

        def make(*args: Any, **kwargs: Any) -> Any:
            self.touch()
            return mkstemp(*args, **kwargs)

        def write(path: Path, text: str, **kwargs: Any) -> int:
            self.touch(lambda: write_text(path, text[: len(text) // 2], **kwargs))
            return write_text(path, text, **kwargs)

        def save(tensors: Any, path: Path, metadata: Any = None) -> None:
            self.touch(lambda: path.write_bytes(b"\0" * 100), SafetensorError)
            save_file(tensors, path, metadata)

        def sync(handle: int) -> None:
            self.touch()
            fsync(handle)

        def rename(source: Path, target: Path) -> None:
            self.touch()
            results = Path(target).name == "results.jsonl" and Path(target).exists()
            if results and Path(source).stat().st_size < Path(target).stat().st_size:
                self.shorter.append(str(target))
            replace(source, target)
            if not self.full:
                self.touch()  # died after it, before anything else

        def remove(path: Path, **kwargs: Any) -> None:
            if self.failed and not self.full:
                raise Killed
            unlink(path, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "mkstemp", make)
            patch.setattr(Path, "write_text", write)
            patch.setattr(os, "fsync", sync)
            patch.setattr(os, "replace", rename)
            patch.setattr(Path, "unlink", remove)
            patch.setattr(hashprobe.weights, "save_file", save)
            yield self


def spread(places: int, most: int | None) -> list[int]:
    """At most so many of the places, evenly; all of them without a number."""
    if most is None or places <= most:
        return list(range(places))
    return sorted({round(place * (places - 1) / (most - 1)) for place in range(most)})


Walk = Callable[[Path], list[dict[str, Any]]]


def places_of(walk: Walk, folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """How often a walk touches the disk, and its rows."""
    with Disk().watched() as disk:
        rows = walk(folder)
    return disk.done, rows


def fault_of_kill(walk: Walk, folder: Path, place: int, rows: list[dict[str, Any]]) -> str:
    """Kill a walk at a place and start it again; return what is wrong with that, or nothing."""
    try:
        with Disk(place).watched() as disk:
            walk(folder)
    except Killed:
        pass
    try:
        with Disk().watched() as again:
            found = walk(folder)
    except Exception as error:
        return f"place {place}: the command does not go on: {type(error).__name__}: {error}"
    if found != rows:
        return f"place {place}: other rows"
    if disk.shorter or again.shorter:
        return f"place {place}: results.jsonl became shorter"
    left = [path.name for path in folder.rglob(".*.part")]
    return f"place {place}: {left[0]} is left" if left else ""


def fault_of_full_disk(
    walk: Walk, folder: Path, place: int, rows: list[dict[str, Any]], sentence: type[Exception]
) -> str:
    """Fill the disk at a place of a walk, then go on with room; return what is wrong with that, or nothing."""
    try:
        with Disk(place, full=True).watched() as disk:
            walk(folder)
    except sentence as error:
        said = str(error)
        if "\n" in said or "No space left on device" not in said:
            return f"place {place}: not one sentence: {said}"
    except Exception as error:
        return f"place {place}: {type(error).__name__}: {error}"
    else:
        if disk.failed:
            return f"place {place}: a full disk is not said"
    left = [path.name for path in folder.rglob(".*.part")]
    if left:
        return f"place {place}: {left[0]} is left"
    try:
        return "" if walk(folder) == rows else f"place {place}: other rows"
    except Exception as error:
        return f"place {place}: the command does not go on: {type(error).__name__}: {error}"
