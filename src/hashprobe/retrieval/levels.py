"""The kernel: for each query and each Hamming level, how many database items there are and how many are relevant.

Every metric but database-order ranking derives from these counts. They need no sort and no distance matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.progress import progress_bar
from hashprobe.retrieval.codes import PackedCodes, check_codes

MAX_CLASSES = 1024
QUERIES_AT_A_TIME = 256

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class LevelCounts:
    """Counts per query (rows) and Hamming distance 0..K (columns).

    Attributes:
        items: Database items at that distance, int64 ``(n, K + 1)``.
        relevant: Those that share a label with the query (or its target), int64 ``(n, K + 1)``.
    """

    items: npt.NDArray[np.int64]
    relevant: npt.NDArray[np.int64]

    @property
    def relevant_total(self) -> npt.NDArray[np.int64]:
        """Relevant items of each query, ``(n,)``."""
        total: npt.NDArray[np.int64] = self.relevant.sum(axis=1)
        return total


def count_levels(
    queries: PackedCodes,
    database: PackedCodes,
    query_labels: npt.NDArray[Any],
    database_labels: npt.NDArray[Any],
    *,
    bits: int,
    progress: bool = False,
) -> LevelCounts:
    """Count items and relevant items per query and Hamming level.

    Args:
        queries: Packed codes ``(n, ceil(bits / 8))``.
        database: Packed codes ``(N, ceil(bits / 8))``.
        query_labels: Multi-hot ``(n, C)``: what counts as relevant for each query; target labels for t-MAP.
        database_labels: Multi-hot ``(N, C)``.
        bits: Code length K, 1 to 1024.
        progress: Whether a progress bar is shown.

    Raises:
        HashprobeError: shapes that do not fit, an empty database, or labels that are not 0/1.
    """
    query_words = as_words(check_codes("queries", queries, bits))
    database_words = as_words(check_codes("database", database, bits))
    wanted, given = check_labels(query_labels, database_labels, len(query_words), len(database_words))
    items = np.zeros((len(query_words), bits + 1), dtype=np.int64)
    relevant = np.zeros_like(items)
    with progress_bar("ranking", len(query_words), show=progress) as advance:
        for start in range(0, len(query_words), QUERIES_AT_A_TIME):
            rows = slice(start, start + QUERIES_AT_A_TIME)
            _count(query_words[rows], database_words, wanted[rows], given, items[rows], relevant[rows])
            advance(len(query_words[rows]))
    return LevelCounts(items, relevant)


def as_words(packed: npt.NDArray[np.uint8]) -> Words:
    """Return bytes ``(n, b)`` as 64-bit words ``(n, ceil(b / 8))``, padded with zeros."""
    padded = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


def check_labels(
    query_labels: npt.NDArray[Any], database_labels: npt.NDArray[Any], queries: int, items: int
) -> tuple[Words, Words]:
    """Check multi-hot labels against each other and the codes, and pack them into words."""
    pair = []
    for name, labels, count in (
        ("query labels", query_labels, queries),
        ("database labels", database_labels, items),
    ):
        array = np.asarray(labels)
        if array.ndim != 2 or len(array) != count:
            raise HashprobeError(f"{name} must have shape ({count}, C), one row a code; found {array.shape}.")
        if not 1 <= array.shape[1] <= MAX_CLASSES:
            raise HashprobeError(f"{name} must have 1 to {MAX_CLASSES} classes; found {array.shape[1]}.")
        if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
            raise HashprobeError(f"{name} must be multi-hot, 0 or 1; found other values.")
        pair.append(array.astype(bool))
    if pair[0].shape[1] != pair[1].shape[1]:
        raise HashprobeError(
            f"query labels have {pair[0].shape[1]} classes and database labels {pair[1].shape[1]}; they must agree."
        )
    if items == 0:
        raise HashprobeError("the database is empty; there is nothing to rank.")
    return as_words(np.packbits(pair[0], axis=1)), as_words(np.packbits(pair[1], axis=1))


@numba.njit(cache=True, inline="always")
def _ones(word):  # type: ignore[no-untyped-def]
    """Count the ones of a 64-bit word: sums of neighbouring bits, pairs, nibbles, then all bytes by one product."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit(parallel=True, cache=True)
def _count(queries, database, wanted, given, items, relevant):  # type: ignore[no-untyped-def]
    for query in numba.prange(len(queries)):
        for item in range(len(database)):
            distance = np.uint64(0)
            for word in range(queries.shape[1]):
                distance += _ones(queries[query, word] ^ database[item, word])
            shared = np.uint64(0)
            for word in range(wanted.shape[1]):
                shared |= wanted[query, word] & given[item, word]
            items[query, distance] += 1
            relevant[query, distance] += np.int64(shared != 0)
