"""Precision and recall along the ranking, from counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, shortened
from hashprobe.retrieval.arrays import Float64Array, Int64Array
from hashprobe.retrieval.levels import LevelCounts
from hashprobe.retrieval.metrics.average_precision import Empty, apply_empty, check_empty
from hashprobe.retrieval.metrics.order import OrderedLevelCounts
from hashprobe.retrieval.metrics.ties import Ties, hits_within, precision_at_hits, refuse_order
from hashprobe.typed_values import checked

RECALL_GRID = np.linspace(0.0, 1.0, 101)


@checked
def precision_at(
    counts: LevelCounts,
    ns: int | Sequence[int],
    *,
    ties: Ties = "expected",
    empty: Empty = "count_as_zero",
) -> Float64Array:
    """Return the precision among the first n items, a column for each n; the mean over axis 0 is precision@N.

    Args:
        counts: From :func:`count_levels`.
        ns: The cut-offs ``(m,)``, or one. One beyond the database is divided by n all the same: what is not there
            is not found.
        ties: ``expected`` (exact mean over tie orders), ``optimistic`` or ``pessimistic``; ``order`` for counts from
            :func:`count_levels_in_order`.
        empty: As for :func:`average_precision`.

    Returns:
        float64 ``(n_queries, m)``; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: a cut-off below 1, an unknown policy, or a query without relevant items under
            ``empty="error"``.
    """
    check_empty(empty)
    cuts = _check_cuts(ns)
    return apply_empty(_hits_within(counts, cuts, ties) / cuts, counts.relevant_total, empty)


@checked
def recall_at(
    counts: LevelCounts,
    ns: int | Sequence[int],
    *,
    ties: Ties = "expected",
    empty: Empty = "count_as_zero",
) -> Float64Array:
    """Return the share of each query's relevant items that the first n items hold, a column for each n.

    Arguments, result and errors are those of :func:`precision_at`.
    """
    check_empty(empty)
    total = counts.relevant_total
    hits = _hits_within(counts, _check_cuts(ns), ties)
    return apply_empty(hits / np.maximum(total, 1)[:, None], total, empty)


@checked
def precision_within_radius(
    counts: LevelCounts, radii: int | Sequence[int], *, empty: Empty = "count_as_zero"
) -> Float64Array:
    """Return the precision among the items at distance at most r (hash lookup); 0 where there is none.

    No tie policy: a radius takes a level whole. The field reports r = 2.

    Args:
        counts: From :func:`count_levels`.
        radii: Distances ``(m,)``, 0 to K, or one.
        empty: As for :func:`average_precision`. It asks for relevant items in the database, not within the radius.

    Returns:
        float64 ``(n_queries, m)``; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: a radius out of range, or a query without relevant items under ``empty="error"``.
    """
    check_empty(empty)
    bits = counts.items.shape[1] - 1
    wanted = _whole_numbers(radii)
    if wanted is None or (wanted < 0).any() or (wanted > bits).any():
        raise HashprobeError(
            f"radii must be a whole distance from 0 to {bits}, or a list of them; found {radii!r}."
        )
    items = np.cumsum(counts.items, axis=1)[:, wanted]
    values = np.cumsum(counts.relevant, axis=1)[:, wanted] / np.maximum(items, 1)
    return apply_empty(values, counts.relevant_total, empty)


@checked
def precision_at_recall(
    counts: LevelCounts,
    recall_grid: npt.ArrayLike | None = None,
    *,
    ties: Ties = "expected",
    empty: Empty = "skip",
) -> Float64Array:
    """Return the precision at the first rank that reaches a recall, a column for each recall.

    Of R relevant items, recall r takes the first m = ceil(r R); the precision is m divided by the rank of the m-th.
    Recall 0 is reached at the first rank, whatever lies there. Under ``ties="expected"`` the precision is the exact
    mean over the tie orders.

    Args:
        counts: From :func:`count_levels`.
        recall_grid: Recalls in [0, 1], ``(m,)``; 0, 0.01 ... 1 by default.
        ties: As for :func:`precision_at`.
        empty: As for :func:`average_precision`, but such queries are left out by default.

    Returns:
        float64 ``(n_queries, m)``; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: a recall out of range, or a query without relevant items under ``empty="error"``.
    """
    check_empty(empty)
    # Each recall once, ascending.
    recall, back = np.unique(_check_recalls(recall_grid), return_inverse=True)
    total = counts.relevant_total
    # A product that rounding has pushed just above a whole number must not demand one hit more.
    wanted = np.maximum(np.ceil(total[:, None] * recall * (1 - 1e-12)), 1).astype(np.int64)
    precision = _precision_at_hits(counts, wanted, ties)
    if recall.size and recall[0] == 0:
        precision[:, 0] = _hits_within(counts, np.ones(1, dtype=np.int64), ties)[:, 0]
    return apply_empty(np.where(total[:, None] > 0, precision, 0.0)[:, back], total, empty)


@checked
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
    try:
        recall = np.asarray(RECALL_GRID if recall_grid is None else recall_grid, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RuntimeError):
        raise HashprobeError(
            f"recall_grid must be a list of recalls from 0 to 1; found {shortened(recall_grid)}."
        ) from None
    if recall.ndim != 1 or not ((recall >= 0) & (recall <= 1)).all():
        raise HashprobeError("recall_grid must be a list of recalls from 0 to 1.")
    return recall


def _whole_numbers(given: Any) -> Int64Array | None:
    """Return one or several whole numbers as int64 ``(m,)``, ``None`` where they are something else."""
    array = np.atleast_1d(given)
    return array.astype(np.int64) if array.ndim == 1 and array.dtype.kind in "iu" else None


def _check_cuts(ns: int | Sequence[int]) -> Int64Array:
    cuts = _whole_numbers(ns)
    if cuts is None or not cuts.size or (cuts < 1).any():
        raise HashprobeError(
            f"cut-offs must be a whole number of at least 1, or a list of them; found {ns!r}."
        )
    return cuts


def _hits_within(counts: LevelCounts, cuts: Int64Array, ties: Ties) -> Float64Array:
    if ties == "order" and isinstance(counts, OrderedLevelCounts):
        return counts.hits_within(cuts).astype(np.float64)
    refuse_order(ties, "counts from count_levels_in_order")
    return hits_within(counts, cuts, ties)


def _precision_at_hits(counts: LevelCounts, wanted: Int64Array, ties: Ties) -> Float64Array:
    if ties == "order" and isinstance(counts, OrderedLevelCounts):
        return wanted / np.maximum(counts.ranks_of_hits(wanted), 1)
    refuse_order(ties, "counts from count_levels_in_order")
    return precision_at_hits(counts, wanted, ties)
