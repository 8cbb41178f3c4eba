"""The metrics of what a search has found, be it all or not: counts of the found items, and their average precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.arrays import Float64Array
from hashprobe.retrieval.codes import MAX_BITS, as_array
from hashprobe.retrieval.labels import check_labels, pack_labels, packed_rows
from hashprobe.retrieval.levels import LevelCounts, count_unranked
from hashprobe.retrieval.metrics.average_precision import Empty, average_precision_from_counts
from hashprobe.retrieval.search import Neighbours
from hashprobe.typed_values import checked

# Found items whose labels are looked up at a time.
PAIRS_AT_ONCE = 1 << 14


@checked
def average_precision_from_neighbours(
    neighbours: Neighbours,
    query_labels: Any,
    database_labels: Any,
    *,
    bits: int,
    empty: Empty = "count_as_zero",
    threads: int | None = None,
) -> Float64Array:
    """Return AP@k of the k neighbours that a search has found of each query; its mean is the MAP@k.

    The sum of precisions is divided by ``min(relevant items of the database, k)``, as in :func:`average_precision` with
    ``top_k``; so a relevant item that was not found costs what it would have added. Items at equal distance count in the
    exact mean over their orders, but the k-th distance holds only what was found: where it holds more in the database,
    :func:`average_precision` takes the mean over all of it.

    Args:
        neighbours: Of :func:`top_k` or of a :class:`SearchIndex`.
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`; target labels for t-MAP.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        bits: K, 1 to 1024.
        empty: As for :func:`average_precision`.
        threads: How many threads; ``None`` is all.

    Returns:
        float64 ``(n,)`` in [0, 1]; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: as :func:`count_neighbours`, or a query without relevant items under ``empty="error"``.
    """
    counts = count_neighbours(neighbours, query_labels, database_labels, bits=bits, threads=threads)
    return average_precision_from_counts(counts, empty=empty, top_k=as_array(neighbours[0]).shape[1])


@checked
def count_neighbours(
    neighbours: Neighbours,
    query_labels: Any,
    database_labels: Any,
    *,
    bits: int,
    threads: int | None = None,
) -> LevelCounts:
    """Count the found items by distance, and of the relevant ones those that were missed, for the curves.

    Beyond what was found, precision@N goes on to fall, recall@N stays, and the precision at a recall that is not reached
    is 0. Arguments are those of :func:`average_precision_from_neighbours`.

    Raises:
        HashprobeError: labels that do not fit, or neighbours that are none: another shape, an item that the database does
            not have or that is named twice for a query, a distance beyond K.
    """
    bits = check_whole_number("bits", bits, least=1, most=MAX_BITS)
    whole = count_unranked(query_labels, database_labels, threads=threads)
    labels = check_labels("database_labels", database_labels)
    ids, distances = _check_neighbours(neighbours, len(whole), len(labels), bits)
    own = pack_labels(query_labels, "query_labels").packed
    items, relevant = (np.zeros((len(ids), bits + 1), dtype=np.int64) for _ in range(2))
    step = max(1, PAIRS_AT_ONCE // ids.shape[1])
    for start in range(0, len(ids), step):
        rows = ids[start : start + step]
        found = np.nonzero(rows >= 0)
        theirs = packed_rows("database_labels", labels[rows[found]], 0, len(found[0]))
        queries = start + found[0]
        at = queries, distances[queries, found[1]]
        np.add.at(items, at, 1)
        np.add.at(relevant, at, (theirs & own[queries]).any(axis=1))
    return LevelCounts(items, relevant, whole.relevant_total - relevant.sum(axis=1))


def _check_neighbours(neighbours: Any, queries: int, items: int, bits: int) -> Neighbours:
    """Return the neighbours as arrays, or say why they are none of these queries and items."""
    ids, distances = (as_array(part, "neighbours") for part in neighbours)
    if any(part.dtype.kind not in "iu" for part in (ids, distances)) or ids.ndim != 2 or not ids.shape[1]:
        raise HashprobeError(
            f"neighbours must be ids and distances, whole numbers of shape (n, k); found {ids.dtype} and "
            f"{distances.dtype} of shape {ids.shape} and {distances.shape}."
        )
    if ids.shape != distances.shape or len(ids) != queries:
        raise HashprobeError(
            f"neighbours must be of {queries} queries, as query_labels is; found ids of shape {ids.shape} and distances of "
            f"shape {distances.shape}."
        )
    for name, values, wrong, wanted in (
        ("item", ids, (ids < -1) | (ids >= items), f"from 0 to {items - 1}, or -1 for nothing found"),
        ("distance", distances, (ids >= 0) & ((distances < 0) | (distances > bits)), f"from 0 to {bits}"),
    ):
        if wrong.any():
            query, column = np.argwhere(wrong)[0]
            raise HashprobeError(
                f"neighbours has {name} {values[query, column]} for query {query}; it must be {wanted}."
            )
    ordered = np.sort(ids, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        query, column = np.argwhere(twice)[0]
        raise HashprobeError(f"neighbours has item {ordered[query, column]} twice for query {query}.")
    return Neighbours(ids, distances)
