"""The on-disk cache of decoded images: one array in a file a data set, image size and content."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.bounds import check_readable
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError
from hashprobe.files import held, remove_left_over, replacing, user_path

Shape = tuple[int, int, int, int]


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Return the folder for cached images: ``cache_dir``, or the user's own cache folder."""
    if cache_dir is not None:
        return user_path(cache_dir)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hashprobe"


class StoredImages:
    """Images in a file, ``(n, 3, S, S)`` uint8, that are read when they are asked for.

    Each is read(), not mapped into memory: a mapped file that becomes shorter kills the process. The file stays open, so
    that it may be deleted meanwhile.

    Args:
        path: The file.
        start: Where its first image begins, in bytes.
        shape: ``(n, 3, S, S)``.

    Raises:
        OSError: the file cannot be opened.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, start: int, shape: Shape) -> None:
        self._path, self._start, self.shape = path, start, shape
        self._bytes = math.prod(shape[1:])
        self._handle = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    @property
    def name(self) -> str:
        """Name of the file, which stands for its content."""
        return self._path.name

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> UInt8Array:
        """Return a copy of some images: of a single row ``(3, S, S)``, of a slice, a list or an array ``(m, 3, S, S)``.

        Raises:
            HashprobeError: the file has become shorter, or cannot be read.
            IndexError: there is no such row.
        """
        numbers = self._numbers(rows)
        found = np.empty((numbers.size, self._bytes), dtype=np.uint8)
        for place, number in enumerate(np.atleast_1d(numbers).tolist()):
            found[place] = self._read(number)
        return found.reshape(*numbers.shape, *self.shape[1:])

    def _numbers(self, rows: Any) -> npt.NDArray[np.intp]:
        if isinstance(
            rows, tuple
        ):  # numpy would take a part of each image; as a list of rows it would be others
            raise IndexError(f"rows of images are a number, a slice, a list or an array; found {rows!r}")
        given = rows if isinstance(rows, slice) else np.asarray(rows)
        if isinstance(given, slice) or given.dtype.kind not in "iu":  # a mask, or what numpy refuses
            return np.arange(len(self), dtype=np.intp)[given]
        if given.size and not -len(self) <= int(given.min()) <= int(given.max()) < len(self):
            raise IndexError(f"there are {len(self)} images; found rows {given.min()} to {given.max()}")
        return np.where(given < 0, given + len(self), given).astype(np.intp)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredImages, (self._path, self._start, self.shape)

    def _read(self, number: int) -> UInt8Array:
        try:
            read = os.pread(self._handle, self._bytes, self._start + number * self._bytes)
        except OSError as error:
            raise HashprobeError(f"the image cache {self._path} cannot be read ({error.strerror}).") from None
        if len(read) != self._bytes:
            raise HashprobeError(
                f"the image cache {self._path} became shorter while it was read; run the command again, which makes it anew."
            )
        return np.frombuffer(read, dtype=np.uint8)


def open_store(path: Path, shape: Shape, blocks: Callable[[], Iterable[UInt8Array]]) -> StoredImages:
    """Open the images at ``path``, building the file first if it is not there or cannot be used.

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
    remove_left_over(path.parent)
    _write(path, shape, blocks())
    stored = _read(path, shape)
    if stored is None:
        raise HashprobeError(
            f"the image cache {path} was written but cannot be read; does a program change it?"
        )
    return stored


def _read(path: Path, shape: Shape) -> StoredImages | None:
    """Return the images, or None where there are none that are whole and fit."""
    try:
        check_readable(path, None)
        with path.open("rb") as file:
            known = np.lib.format.read_magic(file) == (1, 0)
            header = np.lib.format.read_array_header_1_0(file) if known else None
            start, size = file.tell(), os.fstat(file.fileno()).st_size
        fits = header == (shape, False, np.dtype(np.uint8)) and size == start + math.prod(shape)
        return StoredImages(path, start, shape) if fits else None
    except (OSError, ValueError, EOFError):  # absent, unreadable, another kind
        return None


def _write(path: Path, shape: Shape, blocks: Iterable[UInt8Array]) -> None:
    # Written with write(), not through a memory map: on a full disk a map kills the process, write() raises.
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    rows = 0
    if path.is_fifo():  # in a cache, which is hashprobe's own; nothing else that is no file is replaced
        path.unlink()
    with replacing(path) as temporary, held(temporary), temporary.open("wb") as file:
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
