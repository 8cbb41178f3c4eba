"""Precision and recall along the ranking, from counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.average_precision import Empty, apply_empty, check_empty
from hashprobe.retrieval.levels import Int64Array, LevelCounts
from hashprobe.retrieval.order import check_cuts
from hashprobe.retrieval.ties import Float64Array, Ties, hits_within, refuse_order

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


def precision_recall_curve(
    counts: LevelCounts, recall_grid: npt.ArrayLike | None = None, *, ties: Ties = "expected"
) -> tuple[Float64Array, Float64Array]:
    """Return the mean precision at each recall, over the queries that have relevant items.

    A query's curve runs through the points (recall, precision) among the first n items, for real n >= 1; both
    are exact expectations under ``ties="expected"``, where the hits grow evenly within a level. The precision
    at a recall is that of the first n that reaches it.

    Args:
        counts: From :func:`count_levels`.
        recall_grid: Recalls in [0, 1], ``(m,)``; 0, 0.01 ... 1 by default.
        ties: ``expected``, ``optimistic`` or ``pessimistic``; for ``order`` see :func:`hits_in_order`.

    Returns:
        recall ``(m,)`` and precision ``(m,)``, float64; precision is 0 where no query has a relevant item.
    """
    refuse_order(ties, "hits_in_order")
    recall = np.asarray(RECALL_GRID if recall_grid is None else recall_grid, dtype=np.float64)
    if recall.ndim != 1 or not ((recall >= 0) & (recall <= 1)).all():
        raise HashprobeError("recall_grid must be a list of recalls from 0 to 1.")
    rows = np.flatnonzero(counts.relevant_total)
    precision = np.zeros(len(recall))
    for q in rows:
        precision += _precision_at_recall(counts.items[q], counts.relevant[q], recall, ties)
    return recall, precision / max(len(rows), 1)


def _precision_at_recall(
    items: Int64Array, relevant: Int64Array, recall: Float64Array, ties: Ties
) -> Float64Array:
    """Return the precision of one query at the first rank, at least 1, that reaches each recall."""
    edges, found = np.cumsum(items), np.cumsum(relevant)
    # Rounding of recall x total must not push it past the level that ends exactly there.
    wanted = recall * found[-1] * (1 - 1e-12)
    # Recall 0 is reached at the first place, whatever lies there.
    level = np.where(wanted > 0, np.searchsorted(found, wanted), np.searchsorted(edges, 1))
    n, r = items[level], relevant[level]
    inside = wanted - (found[level] - r)
    if ties == "expected":
        inside = inside * n / np.maximum(r, 1)
    elif ties == "pessimistic":
        inside = np.where(wanted > 0, inside + (n - r), 0)
    rank = np.maximum(edges[level] - n + inside, 1.0)
    one = LevelCounts(items[None], relevant[None])
    precision: Float64Array = hits_within(one, rank, ties)[0] / rank
    return precision
