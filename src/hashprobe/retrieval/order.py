"""Rankings in which items at equal distance stand in database order: nearest neighbours, and AP as published."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.codes import PackedCodes, check_codes
from hashprobe.retrieval.levels import as_words, check_labels


def hamming_distances(query: PackedCodes, database: PackedCodes) -> npt.NDArray[np.int64]:
    """Return the Hamming distances of one packed code ``(b,)`` to all of a database ``(N, b)``, ``(N,)``."""
    distances: npt.NDArray[np.int64] = np.bitwise_count(as_words(query[None]) ^ as_words(database)).sum(
        axis=1, dtype=np.int64
    )
    return distances


def top_k(
    queries: PackedCodes, database: PackedCodes, k: int, *, bits: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the k nearest items of each query; at equal distance the lower database index comes first.

    Args:
        queries: Packed codes ``(n, ceil(bits / 8))``.
        database: Packed codes ``(N, ceil(bits / 8))``.
        k: How many; at most N are returned.
        bits: Code length K.

    Returns:
        ``(indices, distances)``, each int64 ``(n, min(k, N))``.
    """
    asked, items = check_codes("queries", queries, bits), check_codes("database", database, bits)
    if k < 1:
        raise HashprobeError(f"k must be at least 1; found {k}.")
    size = min(k, len(items))
    indices = np.empty((len(asked), size), dtype=np.int64)
    distances = np.empty_like(indices)
    for row, query in enumerate(asked):
        far = hamming_distances(query, items)
        # Distance and index in one number, so that a partial sort breaks ties by index.
        keys = far * len(items) + np.arange(len(items))
        nearest = np.sort(np.partition(keys, size - 1)[:size])
        indices[row], distances[row] = nearest % len(items), nearest // len(items)
    return indices, distances


def average_precision_in_order(
    queries: PackedCodes,
    database: PackedCodes,
    query_labels: npt.NDArray[Any],
    database_labels: npt.NDArray[Any],
    *,
    bits: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return each query's AP with ties in database order (0 without relevant items), and its number of relevant items."""
    asked, items = check_codes("queries", queries, bits), check_codes("database", database, bits)
    wanted, given = check_labels(query_labels, database_labels, len(asked), len(items))
    precision = np.zeros(len(asked))
    total = np.zeros(len(asked), dtype=np.int64)
    for row, query in enumerate(asked):
        order = np.argsort(hamming_distances(query, items), kind="stable")
        places = np.flatnonzero((given & wanted[row]).any(axis=1)[order]) + 1
        total[row] = len(places)
        if len(places):
            precision[row] = (np.arange(1, len(places) + 1) / places).mean()
    return precision, total
