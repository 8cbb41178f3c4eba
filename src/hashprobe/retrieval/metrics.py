"""MAP, its chance level and the curves, from the counts of a Hamming level: exact, whatever order ties are put in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.levels import LevelCounts, check_labels, count_levels
from hashprobe.retrieval.order import average_precision_in_order

Ties = Literal["expected", "optimistic", "pessimistic", "order"]
Empty = Literal["count_as_zero", "skip", "error"]
Floats = npt.NDArray[np.float64]

RECALL_GRID: Floats = np.linspace(0, 1, 101)


def average_precision(
    queries: PackedCodes,
    database: PackedCodes,
    query_labels: npt.NDArray[Any],
    database_labels: npt.NDArray[Any],
    *,
    bits: int,
    ties: Ties = "expected",
    empty: Empty = "count_as_zero",
) -> Floats:
    """Return the average precision of each query's Hamming ranking of the whole database.

    Args:
        queries: Packed codes ``(n, ceil(bits / 8))``.
        database: Packed codes ``(N, ceil(bits / 8))``.
        query_labels: Multi-hot ``(n, C)``; an item is relevant that shares a label. Give target labels for t-MAP.
        database_labels: Multi-hot ``(N, C)``.
        bits: Code length K.
        ties: How items at equal distance are ordered. ``expected``: the exact expectation over all orders.
            ``optimistic`` and ``pessimistic``: relevant items first, last. ``order``: by database index.
        empty: Queries without a relevant item: ``count_as_zero`` (as published), ``skip`` (left out of the result) or
            ``error``.

    Returns:
        float64 ``(n,)``; shorter with ``skip``.

    Raises:
        HashprobeError: shapes that do not fit, unknown names, or an empty query with ``error``.
    """
    if ties != "order":
        counts = count_levels(queries, database, query_labels, database_labels, bits=bits)
        return average_precision_from_counts(counts, ties=ties, empty=empty)
    precision, total = average_precision_in_order(queries, database, query_labels, database_labels, bits=bits)
    return _apply_empty(precision, total, empty)


def average_precision_from_counts(
    counts: LevelCounts, *, ties: Ties = "expected", empty: Empty = "count_as_zero"
) -> Floats:
    """Return each query's average precision from its counts; see :func:`average_precision`.

    For a level of n items, r of them relevant, behind N items and R relevant ones, the j-th place holds a relevant item
    with probability r/n, and then R + 1 + (j − 1)(r − 1)/(n − 1) relevant ones up to it are expected. With harmonic numbers
    H the level adds ``r/n · ((R + 1 − (N + 1) a)(H(N + n) − H(N)) + a n)``, ``a = (r − 1)/(n − 1)``: no loop over items.
    """
    items, relevant = counts.items, counts.relevant
    before, relevant_before = np.cumsum(items, axis=1) - items, np.cumsum(relevant, axis=1) - relevant
    harmonic = _harmonic_numbers(int(items.sum(axis=1).max(initial=0)))
    if ties == "expected":
        slope = (relevant - 1) / np.maximum(items - 1, 1)
        span = harmonic[before + items] - harmonic[before]
        added = (
            relevant
            / np.maximum(items, 1)
            * ((relevant_before + 1 - (before + 1) * slope) * span + slope * items)
        )
        added = np.where(relevant > 0, added, 0.0)
    elif ties in ("optimistic", "pessimistic"):
        # r relevant items in a row from place N + 1 on: the i-th adds (R + i)/(N + i).
        start = before if ties == "optimistic" else before + items - relevant
        added = relevant + (relevant_before - start) * (harmonic[start + relevant] - harmonic[start])
    else:
        raise unknown_name("tie policy", ties, ("expected", "optimistic", "pessimistic", "order"))
    total = counts.relevant_total
    return _apply_empty(added.sum(axis=1) / np.maximum(total, 1), total, empty)


def _apply_empty(precision: Floats, total: npt.NDArray[np.int64], empty: Empty) -> Floats:
    if empty == "skip":
        return precision[total > 0]
    if empty == "error" and (total == 0).any():
        row = int(np.argmin(total))
        raise HashprobeError(
            f"query {row} has no relevant item in the database; use empty='count_as_zero' or 'skip'."
        )
    if empty not in ("count_as_zero", "error"):
        raise unknown_name(
            "policy for queries without relevant items", empty, ("count_as_zero", "skip", "error")
        )
    return precision


def chance_level(query_labels: npt.NDArray[Any], database_labels: npt.NDArray[Any]) -> Floats:
    """Return the expected average precision of a random ranking, for each query, float64 ``(n,)``.

    With R of N items relevant it is that of one level that holds everything:
    ``((1 − a) H(N) + a N) / N`` with ``a = (R − 1)/(N − 1)``; 0 where nothing is relevant.

    Args:
        query_labels: Multi-hot ``(n, C)``; target labels for the chance level of t-MAP.
        database_labels: Multi-hot ``(N, C)``.
    """
    wanted, given = check_labels(query_labels, database_labels, len(query_labels), len(database_labels))
    # Few label vectors are distinct, so each is counted once.
    unique, inverse = np.unique(wanted, axis=0, return_inverse=True)
    counted = np.array([(given & label).any(axis=1).sum() for label in unique], dtype=np.int64)
    total = counted[inverse.reshape(-1)]
    counts = LevelCounts(np.full((len(total), 1), len(given), dtype=np.int64), total[:, None])
    return average_precision_from_counts(counts)


def precision_at(counts: LevelCounts, ns: Sequence[int]) -> Floats:
    """Return the expected precision in the first N places, ``(n, len(ns))``; a level that N cuts counts in proportion.

    Raises:
        HashprobeError: an N below 1.
    """
    return _relevant_within(counts, ns) / np.asarray(ns, dtype=np.float64)


def recall_at(counts: LevelCounts, ns: Sequence[int]) -> Floats:
    """Return the expected share of the relevant items in the first N places, ``(n, len(ns))``; 0 where there are none."""
    return _relevant_within(counts, ns) / np.maximum(counts.relevant_total, 1)[:, None]


def _relevant_within(counts: LevelCounts, ns: Sequence[int]) -> Floats:
    places = np.asarray(ns, dtype=np.int64)
    if places.size == 0 or places.min() < 1:
        raise HashprobeError(f"N must be at least 1; found {list(ns)}.")
    before = np.cumsum(counts.items, axis=1) - counts.items
    within = np.empty((len(counts.items), len(places)))
    for column, n in enumerate(places):
        taken = np.clip(n - before, 0, counts.items)
        within[:, column] = (counts.relevant * (taken / np.maximum(counts.items, 1))).sum(axis=1)
    return within


def precision_recall_curve(counts: LevelCounts) -> tuple[Floats, Floats]:
    """Return the precision-recall curve over Hamming radii, interpolated to recalls 0, 0.01 … 1 and averaged over queries.

    Precision at a recall is that of the smallest radius that reaches it. Queries without a relevant item are left out.

    Returns:
        ``(recall, precision)``, each ``(101,)``; precision is NaN-free (0 where no query has a relevant item).
    """
    kept = counts.relevant_total > 0
    found = np.cumsum(counts.relevant[kept], axis=1)
    seen = np.cumsum(counts.items[kept], axis=1)
    if not kept.any():
        return RECALL_GRID, np.zeros_like(RECALL_GRID)
    recall, precision = found / found[:, -1:], found / np.maximum(seen, 1)
    mean = np.zeros_like(RECALL_GRID)
    for row in range(len(recall)):
        # Not beyond rounding: the last radius has recall 1 and stays the first to reach it.
        first = np.searchsorted(recall[row], np.maximum(RECALL_GRID, recall[row][recall[row] > 0][0]) - 1e-12)
        mean += precision[row][np.minimum(first, recall.shape[1] - 1)]
    return RECALL_GRID, mean / len(recall)


def bootstrap_interval(
    values: npt.NDArray[Any], *, seed: int, confidence: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean over queries.

    Args:
        values: One value a query, ``(n,)``.
        seed: Of the resampling.
        confidence: Share of the resampled means between the ends.
        resamples: How many.

    Raises:
        HashprobeError: no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise HashprobeError(f"values must have shape (n,) with at least one; found {sample.shape}.")
    generator = np.random.default_rng(seed)
    means = np.array(
        [sample[generator.integers(sample.size, size=sample.size)].mean() for _ in range(resamples)]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _harmonic_numbers(count: int) -> Floats:
    """Return H(0), H(1), … H(count)."""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, count + 1))])
