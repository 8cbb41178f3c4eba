"""Label sets as packed bits, so that "shares a label" is one AND."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.codes import as_array, check_spare_bits

MAX_CLASSES = 1024
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class PackedLabels:
    """Multi-hot labels, one bit a class; taken wherever multi-hot labels are.

    Attributes:
        packed: uint8 ``(n, ceil(C / 8))``, memory-mapped or not; the first class is the highest bit of the first
            byte. The bits behind the last class are 0, which is checked where the rows are read.
        classes: C, 1 to 1024.

    Raises:
        HashprobeError: another shape or type.
    """

    packed: npt.NDArray[np.uint8]
    classes: int

    def __post_init__(self) -> None:
        classes, packed = check_whole_number("classes", self.classes, least=1, most=MAX_CLASSES), self.packed
        wanted = f"packed labels of {classes} classes must be a numpy array, uint8 of shape (n, {-(-classes // 8)})"
        if not isinstance(packed, np.ndarray):
            raise HashprobeError(
                f"{wanted}; found {type(packed).__name__}. See hashprobe.retrieval.pack_labels."
            )
        if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != -(-classes // 8):
            raise HashprobeError(f"{wanted}; found {packed.dtype} of shape {packed.shape}.")

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, rows: Any) -> PackedLabels:
        """Return the labels of some rows: a slice, or indices ``(m,)``."""
        return PackedLabels(self.packed[rows], self.classes)

    def unpack(self) -> npt.NDArray[np.uint8]:
        """Return the labels multi-hot, uint8 ``(n, C)``."""
        return np.unpackbits(self.packed, axis=1, count=self.classes)


LabelSource = npt.NDArray[Any] | PackedLabels


def pack_labels(labels: Any, name: str = "labels") -> PackedLabels:
    """Pack multi-hot labels.

    Args:
        labels: ``(n, C)`` of 0 and 1, any real dtype or booleans; 1 <= C <= 1024.
        name: What they are, for the message.

    Raises:
        HashprobeError: another shape, or a value that is neither 0 nor 1 (its row is named).
    """
    source = check_labels(name, labels)
    packed = np.empty((len(source), -(-class_count(source) // 8)), dtype=np.uint8)
    for start in range(0, len(source), ROWS_AT_ONCE):
        packed[start : start + ROWS_AT_ONCE] = packed_rows(name, source, start, start + ROWS_AT_ONCE)
    return PackedLabels(packed, class_count(source))


def multi_hot(name: str, labels: Any) -> npt.NDArray[np.uint8]:
    """Return multi-hot labels as uint8 ``(n, C)`` of 0 and 1; no copy where they are that.

    Args:
        name: What they are, for the message.
        labels: ``(n, C)`` of 0 and 1, any real dtype or booleans, or :class:`PackedLabels`.

    Raises:
        HashprobeError: another shape, or a value that is neither 0 nor 1.
    """
    source = check_labels(name, labels)
    if isinstance(source, PackedLabels):
        return source.unpack()
    if source.dtype == np.uint8 and source.max(initial=0) <= 1:
        return source
    return pack_labels(source, name).unpack()


def distinct_labels(labels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the different label vectors ``(M, C)`` of a set, in lexicographic order, and how often each is there ``(M,)``.

    The same as ``np.unique(labels, axis=0, return_counts=True)``, which sorts rows of bytes; here 64 classes are one number.

    Args:
        labels: Multi-hot, uint8 ``(n, C)`` of 0 and 1.
    """
    width = max(1, -(-labels.shape[1] // 64)) * 8
    packed = np.zeros((len(labels), width), dtype=np.uint8)
    for start in range(0, len(labels), ROWS_AT_ONCE):
        rows = np.packbits(labels[start : start + ROWS_AT_ONCE], axis=1)
        packed[start : start + ROWS_AT_ONCE, : rows.shape[1]] = rows
    words = packed.view(">u8").astype(np.uint64)
    if width == 8:
        found, counts = np.unique(words[:, 0], return_counts=True)
        found = found[:, None]
    else:
        found, counts = np.unique(words, axis=0, return_counts=True)
    as_bytes = found.astype(">u8").view(np.uint8)
    return np.unpackbits(as_bytes, axis=1, count=labels.shape[1]), counts.astype(np.int64)


def check_labels(name: str, labels: Any) -> LabelSource:
    """Return ``labels`` as packed labels or as an array of shape ``(n, C)``; nothing of it is read yet."""
    if isinstance(labels, PackedLabels):
        return labels
    array = labels if type(labels) in (np.ndarray, np.memmap) else as_array(labels, name)
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_CLASSES:
        raise HashprobeError(
            f"{name} must be multi-hot of shape (n, C) with 1 <= C <= {MAX_CLASSES}; "
            f"found shape {array.shape}."
        )
    if array.dtype.kind not in "biuf":
        raise HashprobeError(f"{name} must be multi-hot, of 0 and 1; found {array.dtype}.")
    return array


def class_count(labels: LabelSource) -> int:
    """Return C."""
    return int(labels.classes if isinstance(labels, PackedLabels) else labels.shape[1])


def packed_rows(name: str, labels: LabelSource, start: int, stop: int) -> npt.NDArray[np.uint8]:
    """Return the rows from ``start`` to ``stop`` packed, uint8 ``(rows, ceil(C / 8))``.

    Raises:
        HashprobeError: a value is neither 0 nor 1 (its row is named), or packed labels have a one behind the
            last class.
    """
    if isinstance(labels, PackedLabels):
        packed = labels.packed[start:stop]
        check_spare_bits(name, packed, labels.classes, "classes")
        return packed
    rows = labels[start:stop]
    if rows.dtype == np.uint8 and rows.max(initial=0) <= 1:
        rows = rows.view(np.bool_)
    if rows.dtype != np.bool_:
        ones = rows == 1
        wrong = ~(ones | (rows == 0))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise HashprobeError(
                f"{name} must hold 0 and 1 alone; row {start + row}, class {column} holds "
                f"{rows[row, column]}."
            )
        rows = ones
    # Whole bytes in one stretch: numpy packs short rows one by one, at half the speed.
    width = -(-rows.shape[1] // 8)
    padded = np.zeros((len(rows), 8 * width), dtype=np.bool_)
    padded[:, : rows.shape[1]] = rows
    return np.packbits(padded.reshape(-1)).reshape(len(rows), width)
