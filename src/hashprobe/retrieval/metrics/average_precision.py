"""Average precision of a Hamming ranking; every choice that the field leaves unsaid is a named argument."""

from __future__ import annotations

import sys
from typing import Any, Literal, get_args

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number, unknown_name
from hashprobe.retrieval.arrays import Float64Array, Int64Array
from hashprobe.retrieval.levels import LevelCounts, count_checked
from hashprobe.retrieval.metrics.order import walk
from hashprobe.retrieval.metrics.ties import Ties, check_ties, precision_gained, refuse_order
from hashprobe.retrieval.ranking import check_ranking
from hashprobe.typed_values import checked

Empty = Literal["count_as_zero", "skip", "error"]
Mode = Literal["exact", "as_published"]


@checked
def average_precision(
    queries: Any,
    database: Any,
    query_labels: Any,
    database_labels: Any,
    *,
    bits: int,
    ties: Ties | None = None,
    empty: Empty = "count_as_zero",
    top_k: int | None = None,
    mode: Mode = "exact",
    device: str | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Float64Array:
    """Return the average precision of each query's Hamming ranking of the database; its mean is the MAP.

    Args:
        queries: Packed codes, uint8 ``(n, ceil(K / 8))``.
        database: Packed codes, uint8 ``(N, ceil(K / 8))``, memory-mapped or not.
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`: an item is relevant when it shares a
            label. Give target labels for t-MAP.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        bits: K, 1 to 1024.
        ties: Order of items at equal distance: ``expected`` is the exact mean over all orders, ``optimistic``
            puts relevant items first, ``pessimistic`` last, ``order`` keeps the order of the database. ``None``
            is ``expected``, and ``order`` in the mode ``as_published``, which takes no other.
        empty: A query without relevant items: ``count_as_zero`` as published, ``skip`` leaves it out of the
            result, ``error`` refuses.
        top_k: Only the first ``top_k`` ranks count (MAP@k). The sum of precisions is divided by
            ``min(relevant items, top_k)``, the most that can be found, so that a perfect ranking scores 1.
        mode: ``as_published`` is what the field's scripts compute: ``ties="order"``,
            ``empty="count_as_zero"``, and with ``top_k`` a division by the relevant items found in the first
            ``top_k``, which rewards finding few.
        device: A torch device (``"cuda"``) to count on, with an equal result; ``None`` is the CPU kernel. The order
            of ties, where it matters, is found on the CPU.
        threads: How many threads of the CPU; ``None`` is all.
        progress: Whether to show a bar.

    Returns:
        float64 ``(n,)`` in [0, 1]; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: input that does not fit, policies that contradict the mode, or a query without relevant
            items under ``empty="error"``.
    """
    ties, top_k = check_policies(ties, empty, top_k, mode)
    given = check_ranking(queries, database, query_labels, database_labels, bits)
    counts = count_checked(given, device=device, threads=threads, progress=progress)
    if ties != "order":
        return average_precision_from_counts(counts, ties=ties, empty=empty, top_k=top_k)
    limit = len(given.database) if top_k is None else min(top_k, len(given.database))
    cuts = np.array([limit], dtype=np.int64)
    gained, within = walk(given, counts, cuts, limit, threads=threads, progress=progress)
    possible = within[:, 0] if mode == "as_published" else _possible(counts, top_k)
    return apply_empty(_ratio(gained, possible), counts.relevant_total, empty)


@checked
def average_precision_from_counts(
    counts: LevelCounts,
    *,
    ties: Ties = "expected",
    empty: Empty = "count_as_zero",
    top_k: int | None = None,
) -> Float64Array:
    """Return the average precision of each query from its counts; arguments as for :func:`average_precision`.

    Raises:
        HashprobeError: ``ties="order"``, since counts do not know the order of the database.
    """
    refuse_order(ties, "average_precision")
    ties, top_k = check_policies(ties, empty, top_k, "exact")
    gained = precision_gained(counts, ties, top_k).sum(axis=1)
    return apply_empty(_ratio(gained, _possible(counts, top_k)), counts.relevant_total, empty)


def apply_empty(values: Float64Array, relevant: Int64Array, empty: Empty) -> Float64Array:
    """Apply the policy for queries without relevant items to values that are already 0 for them."""
    none = relevant == 0
    if empty == "skip":
        kept: Float64Array = values[~none]
        return kept
    if empty == "error" and none.any():
        raise HashprobeError(
            f"{int(none.sum())} of {len(none)} queries have no relevant item in the database, the first is "
            f"query {int(np.argmax(none))}; use empty='count_as_zero' (as published) or 'skip'."
        )
    return values


def check_empty(empty: str) -> None:
    """Refuse an unknown policy for queries without relevant items."""
    if empty not in get_args(Empty):
        raise unknown_name("policy for queries without relevant items", empty, get_args(Empty))


def check_policies(ties: Ties | None, empty: Empty, top_k: int | None, mode: Mode) -> tuple[Ties, int | None]:
    """Return the tie policy that holds and ``top_k``; refuse what is unknown, out of range or contradicts the mode."""
    if mode not in get_args(Mode):
        raise unknown_name("mode", mode, get_args(Mode))
    if ties is None:
        ties = "order" if mode == "as_published" else "expected"
    check_ties(ties)
    check_empty(empty)
    if top_k is not None:
        top_k = check_whole_number("top_k", top_k, least=1, also=", or None for the whole database")
        top_k = min(top_k, sys.maxsize)  # beyond any database; numpy's numbers end there
    if mode == "as_published" and (ties != "order" or empty != "count_as_zero"):
        raise HashprobeError(
            f"mode='as_published' fixes ties='order' and empty='count_as_zero'; found ties={ties!r} and "
            f"empty={empty!r}. Leave both out, or use mode='exact'."
        )
    return ties, top_k


def _possible(counts: LevelCounts, top_k: int | None) -> Int64Array:
    total = counts.relevant_total
    return total if top_k is None else np.minimum(total, top_k)


def _ratio(gained: Float64Array, possible: Int64Array) -> Float64Array:
    """Divide, 0 where nothing is possible; rounding may not carry a perfect ranking beyond 1."""
    values: Float64Array = np.where(possible > 0, gained / np.maximum(possible, 1), 0.0)
    return np.clip(values, 0.0, 1.0)
