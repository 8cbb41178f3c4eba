"""The codes in a file of faiss's ``write_index_binary``, read without faiss: every number of it is checked before it is used.

faiss trusts what such a file says of sizes, links and ids, and follows a wrong one out of its memory. What passes here may be
handed to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hashprobe.bounds import read_bytes
from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.files import user_path
from hashprobe.retrieval.arrays import Int64Array
from hashprobe.retrieval.codes import MAX_BITS, PackedCodes, check_spare_bits
from hashprobe.typed_values import checked

DEEPEST = 3
"""Indexes within one another: an id map over lists over a graph."""
MOST_WIDTH = 1 << 20
OTHERS = {
    b"IBHh": "a hash table",
    b"IBHm": "several hash tables",
    b"IBHc": "a graph of another kind",
    b"IBFf": "an index of floats in place of bits",
}


class FaissCodes(NamedTuple):
    """The database in a file of faiss.

    Attributes:
        codes: Packed codes, uint8 ``(N, ceil(K / 8))``, in the order of the ids.
        ids: What faiss calls each of them, int64 ``(N,)``, rising: 0 to N - 1 unless somebody gave others.
    """

    codes: PackedCodes
    ids: Int64Array


@checked
def read_faiss_codes(path: str | Path, *, bits: int) -> FaissCodes:
    """Read the database of a binary index of faiss: flat, lists (IVF) or a graph (HNSW), or an id map over one.

    Args:
        path: File that ``faiss.write_index_binary`` wrote.
        bits: Code length K, 1 to 1024; faiss keeps whole bytes, so that up to 7 bits behind the K-th may be there, as zeros.

    Raises:
        HashprobeError: it cannot be read, is damaged or of another kind, is empty, or its codes have other bits.
    """
    return read_index(path, bits)[1]


def read_index(path: str | Path, bits: int) -> tuple[bytes, FaissCodes]:
    """Return the bytes of a file, which faiss may be given, and the database in them; see :func:`read_faiss_codes`."""
    bits, given = check_whole_number("bits", bits, least=1, most=MAX_BITS), user_path(path)
    try:
        data = read_bytes(given, "index_bytes")
    except OSError as error:
        raise HashprobeError(f"cannot read {given}: {error.strerror or error}.") from error
    source = _Source(data)
    try:
        part = _read(source)
        if source.at != len(data):
            raise _Damaged(f"{len(data) - source.at} bytes follow its end")
        order = np.argsort(part.ids, kind="stable")
        ids = part.ids[order]
        if (ids[1:] == ids[:-1]).any():
            raise _Damaged("an id stands twice")
    except _Damaged as error:
        raise HashprobeError(
            f"{given} is no binary index of faiss that can be read: {error}. Flat, IVF and HNSW are, as "
            "faiss.write_index_binary writes them."
        ) from None
    if not len(ids):
        raise HashprobeError(f"{given}: the index is empty; there is nothing to search.")
    codes = part.codes[order]
    if codes.shape[1] != -(-bits // 8):
        raise HashprobeError(
            f"{given}: the index has codes of {8 * codes.shape[1]} bits, and {bits} bits are searched; is it of this model?"
        )
    check_spare_bits(f"{given}: the index", codes, bits)
    return data, FaissCodes(codes, ids)


class _Damaged(Exception):
    """Why a file cannot be read."""


@dataclass(frozen=True)
class _Part:
    """An index within a file: its codes ``(N, bytes)`` and ids ``(N,)``."""

    codes: PackedCodes
    ids: Int64Array


class _Source:
    """Bytes, read one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.at:
            raise _Damaged("it ends before its end")
        self.at += count
        return memoryview(self.data)[self.at - count : self.at]

    def number(self, kind: str) -> int:
        return int(np.frombuffer(self.take(np.dtype(kind).itemsize), kind)[0])

    def rows(self, kind: str, count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self.take(count * np.dtype(kind).itemsize), kind)

    def array(self, kind: str) -> npt.NDArray[Any]:
        """Read how many there are, and them."""
        return self.rows(kind, self.number("<u8"))


def _check(right: object, wrong: str) -> None:
    if not right:
        raise _Damaged(wrong)


def _read(source: _Source, depth: int = 1) -> _Part:
    kind = bytes(source.take(4))
    _check(kind in _READERS, f"it is {OTHERS.get(kind, 'something else')}")
    _check(depth <= DEEPEST, "too many indexes are within one another")
    bits, width, count = source.number("<i4"), source.number("<i4"), source.number("<i8")
    _check(0 < bits <= MAX_BITS and bits == 8 * width, f"its codes have {bits} bits in {width} bytes")
    _check(count >= 0, f"it has {count} items")
    _check(source.number("u1") == 1, "it is not trained")
    source.number("<i4")  # the metric, which for bits is always Hamming
    part = _READERS[kind](source, count, width, depth)
    _check(part.codes.shape == (count, width), "numbers of items do not agree")
    return part


def _flat(source: _Source, count: int, width: int, depth: int) -> _Part:
    codes = source.array("u1")
    _check(len(codes) == count * width, "numbers of items do not agree")
    return _Part(codes.reshape(count, width), np.arange(count))


def _graph(source: _Source, count: int, _: int, depth: int) -> _Part:
    source.array("<f8")  # how likely each level is for a new item
    ends, levels = source.array("<i4").astype(np.int64), source.array("<i4")
    offsets, links = source.array("<u8").astype(np.int64), source.array("<i4")
    entry, top = source.number("<i4"), source.number("<i4")
    for width in source.rows(
        "<i4", 2
    ):  # candidates kept while building and searching: memory is taken for all at once
        _check(0 < width <= MOST_WIDTH, f"it keeps {width} candidates")
    _check(source.number("<i4") == 1, "its upper levels are searched in a way that is not read")
    _check(len(levels) == count and len(offsets) == count + 1, "numbers of items do not agree")
    if count:
        _check(levels.min() >= 1 and levels.max() < len(ends), "an item has a level that is none")
        _check(ends[0] == 0 and (np.diff(ends) >= 0).all(), "levels end before they begin")
        _check(
            offsets[0] == 0 and (np.diff(offsets) == ends[levels]).all(), "links are not where they should be"
        )
        _check(0 <= entry < count and levels[entry] == top + 1 == levels.max(), "its search starts nowhere")
    else:
        _check(top < 0, "its search starts nowhere")
    _check(offsets[-1] == len(links), "links are not where they should be")
    _check(((links >= -1) & (links < count)).all(), "a link leads nowhere")
    for level in range(1, top + 1):
        begins = offsets[:-1][levels > level] + ends[level]
        linked = links[begins[:, None] + np.arange(ends[level + 1] - ends[level])]
        _check(
            (levels[linked[linked >= 0]] > level).all(), "a link leads to an item that is not on its level"
        )
    return _read(source, depth + 1)


def _lists(source: _Source, count: int, width: int, depth: int) -> _Part:
    lists = source.number("<u8")
    source.number("<u8")  # how many a search looks into
    centres = _read(source, depth + 1)
    _check(centres.codes.shape == (lists, width), "the number of lists does not agree")
    _check((centres.ids == np.arange(lists)).all(), "its lists are not in order")
    _direct_map(source)
    _check(bytes(source.take(4)) == b"ilar", "its lists are not in the file")
    for wanted in (lists, width):
        _check(source.number("<u8") == wanted, "the number of lists does not agree")
    sizes = _sizes(source, lists)
    codes, ids = [np.empty((0, width), np.uint8)], [np.empty(0, np.int64)]
    for size in sizes:
        codes.append(source.rows("u1", size * width).reshape(size, width))
        ids.append(source.rows("<i8", size))
    return _Part(np.concatenate(codes), np.concatenate(ids))


def _direct_map(source: _Source) -> None:
    """Pass over a map from ids to places, which no search looks at."""
    kind = source.number("u1")
    _check(kind in (0, 1, 2), "its map of ids is of a kind that is not read")
    source.array("<i8")
    if kind == 2:
        source.rows("<i8", 2 * source.number("<u8"))


def _sizes(source: _Source, lists: int) -> list[int]:
    """Read how long each list is: of all, or of those that are not empty."""
    kind, given = bytes(source.take(4)), source.array("<u8")
    if kind == b"full":
        _check(len(given) == lists, "the number of lists does not agree")
        return [int(size) for size in given]
    _check(kind == b"sprs" and len(given) % 2 == 0, "lengths of its lists are not read")
    sizes = [0] * lists
    for number, size in given.reshape(-1, 2).tolist():
        _check(number < lists, "the number of lists does not agree")
        sizes[number] = size
    return sizes


def _id_map(source: _Source, count: int, width: int, depth: int) -> _Part:
    inner, ids = _read(source, depth + 1), source.array("<i8")
    _check(len(ids) == count == len(inner.ids), "numbers of items do not agree")
    _check((np.sort(inner.ids) == np.arange(count)).all(), "it maps ids that are not in it")
    return _Part(inner.codes, ids[inner.ids])


_READERS: dict[bytes, Callable[[_Source, int, int, int], _Part]] = {
    b"IBxF": _flat,
    b"IBHf": _graph,
    b"IBwF": _lists,
    b"IBMp": _id_map,
    b"IBM2": _id_map,
}
