"""Precision and recall along the ranking, from counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.average_precision import Empty, apply_empty, check_empty
from hashprobe.retrieval.levels import LevelCounts
from hashprobe.retrieval.order import check_cuts
from hashprobe.retrieval.ties import Float64Array, Ties, hits_within, ranks_of_hits, refuse_order

RECALL_GRID = np.linspace(0.0, 1.0, 101)


def precision_at(counts: LevelCounts, ns: Sequence[int], *, ties: Ties = "expected") -> Float64Array:
    """Return the precision among the first n items, a column for each n; the mean over axis 0 is precision@N.

    Args:
        counts: From :func:`count_levels`.
        ns: The cut-offs. One beyond the database is divided by n all the same: what is not there is not
            found.
        ties: ``expected`` (exact mean over tie orders), ``optimistic`` or ``pessimistic``; for ``order`` see
            :func:`hits_in_order`.

    Returns:
        float64 ``(n_queries, len(ns))``.
    """
    refuse_order(ties, "hits_in_order")
    cuts = check_cuts(ns)
    return hits_within(counts, cuts, ties) / cuts


def recall_at(
    counts: LevelCounts, ns: Sequence[int], *, ties: Ties = "expected", empty: Empty = "count_as_zero"
) -> Float64Array:
    """Return the share of each query's relevant items that the first n items hold, a column for each n.

    Args:
        counts: From :func:`count_levels`.
        ns: The cut-offs.
        ties: As for :func:`precision_at`.
        empty: As for :func:`average_precision`.

    Returns:
        float64 ``(n_queries, len(ns))``.
    """
    refuse_order(ties, "hits_in_order")
    check_empty(empty)
    total = counts.relevant_total
    return apply_empty(
        hits_within(counts, check_cuts(ns), ties) / np.maximum(total, 1)[:, None], total, empty
    )


def precision_within_radius(counts: LevelCounts, radii: Sequence[int]) -> Float64Array:
    """Return the precision among the items at distance at most r (hash lookup); 0 where there is none.

    No tie policy: a radius takes a level whole. The field reports r = 2.

    Args:
        counts: From :func:`count_levels`.
        radii: Distances, 0 to K.

    Returns:
        float64 ``(n_queries, len(radii))``.
    """
    wanted = np.asarray(radii)
    bits = counts.items.shape[1] - 1
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu" or (wanted < 0).any() or (wanted > bits).any():
        raise HashprobeError(f"radii must be whole distances from 0 to {bits}; found {radii!r}.")
    items = np.cumsum(counts.items, axis=1)[:, wanted]
    values: Float64Array = np.cumsum(counts.relevant, axis=1)[:, wanted] / np.maximum(items, 1)
    return values


def precision_at_recall(
    counts: LevelCounts,
    recall_grid: npt.ArrayLike | None = None,
    *,
    ties: Ties = "expected",
    empty: Empty = "skip",
) -> Float64Array:
    """Return the precision at the first rank that reaches a recall, a column for each recall.

    Of R relevant items, recall r takes the first m = ceil(r R), and recall 0 the first one; the precision is m
    divided by the rank of the m-th. Under ``ties="expected"`` that is the mean rank over the tie orders. The
    precision at the mean rank is at most the mean of the precisions (Jensen); it lies clearly below where few
    relevant items tie with many others, and they are equal where nothing ties.

    Args:
        counts: From :func:`count_levels`.
        recall_grid: Recalls in [0, 1], ``(m,)``; 0, 0.01 ... 1 by default.
        ties: ``expected``, ``optimistic`` or ``pessimistic``; for ``order`` see :func:`hits_in_order`.
        empty: As for :func:`average_precision`, but such queries are left out by default.

    Returns:
        float64 ``(n_queries, m)``; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: a recall out of range, or a query without relevant items under ``empty="error"``.
    """
    refuse_order(ties, "hits_in_order")
    check_empty(empty)
    recall = _check_recalls(recall_grid)
    total = counts.relevant_total
    # A product that rounding has pushed just above a whole number must not demand one hit more.
    wanted = np.maximum(np.ceil(total[:, None] * recall * (1 - 1e-12)), 1).astype(np.int64)
    precision = wanted / ranks_of_hits(counts, wanted, ties)
    return apply_empty(np.where(total[:, None] > 0, precision, 0.0), total, empty)


def precision_recall_curve(
    counts: LevelCounts,
    recall_grid: npt.ArrayLike | None = None,
    *,
    ties: Ties = "expected",
    empty: Empty = "skip",
) -> tuple[Float64Array, Float64Array]:
    """Return the mean over the queries of :func:`precision_at_recall`, whose arguments these are.

    Returns:
        recall ``(m,)`` and precision ``(m,)``, float64; precision is 0 where no query is left to take a mean of.
    """
    values = precision_at_recall(counts, recall_grid, ties=ties, empty=empty)
    return _check_recalls(recall_grid), values.sum(axis=0) / max(len(values), 1)


def _check_recalls(recall_grid: npt.ArrayLike | None) -> Float64Array:
    recall = np.asarray(RECALL_GRID if recall_grid is None else recall_grid, dtype=np.float64)
    if recall.ndim != 1 or not ((recall >= 0) & (recall <= 1)).all():
        raise HashprobeError("recall_grid must be a list of recalls from 0 to 1.")
    return recall
