"""The on-disk cache of decoded images: one memory-mapped array a data set, image size and content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError
from hashprobe.files import replacing, user_path

Shape = tuple[int, int, int, int]


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Return the folder for cached images: ``cache_dir``, or the user's own cache folder."""
    if cache_dir is not None:
        return user_path(cache_dir)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hashprobe"


def open_store(path: Path, shape: Shape, blocks: Callable[[], Iterable[UInt8Array]]) -> UInt8Array:
    """Memory-map the images at ``path``, building the file first if it is not there or cannot be used.

    The file appears whole or not at all. Two processes that build it at once both end with a whole file: each
    writes its own temporary one, and the later rename wins with equal content.

    Args:
        path: A ``.npy`` file whose name stands for its content.
        shape: ``(n, 3, S, S)`` that it must have.
        blocks: Called only if the file must be built; yields the rows in order, uint8 ``(m, 3, S, S)``.

    Raises:
        HashprobeError: the cache folder cannot be written, or the disk is full.
    """
    stored = _read(path, shape)
    if stored is not None:
        return stored
    _require_writable(path.parent)
    _write(path, shape, blocks())
    stored = _read(path, shape)
    if stored is None:
        raise HashprobeError(
            f"the image cache {path} was written but cannot be read; does a program change it?"
        )
    return stored


def _read(path: Path, shape: Shape) -> UInt8Array | None:
    """Return the memory-mapped array, or None where there is none that is whole and fits."""
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # absent, unreadable, another kind, shorter than its header says
        return None
    return np.asarray(stored) if stored.shape == shape and stored.dtype == np.uint8 else None


def _write(path: Path, shape: Shape, blocks: Iterable[UInt8Array]) -> None:
    # Written with write(), not through a memory map: on a full disk a map kills the process, write() raises.
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    rows = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)
            rows += len(block)
        if rows != shape[0]:
            raise RuntimeError(f"{rows} images were made for a store of {shape[0]}")


def _require_writable(folder: Path) -> None:
    """Say what is wrong before work is spent on what cannot be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise HashprobeError(
            f"the cache folder {folder} cannot be written ({reason}); name another one or make it writable."
        )
