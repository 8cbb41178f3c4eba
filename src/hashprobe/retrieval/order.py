"""Rankings whose ties follow the database's order: a second pass instead of a sort.

An item's rank is the number of nearer items plus its place among those equally near. The counts know the
first, and a pass in database order the second. Nothing of size queries x database is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.blocks import Block, in_order, pass_over
from hashprobe.retrieval.kernels import walk_in_order
from hashprobe.retrieval.levels import Int64Array, LevelCounts, RankingInput, check_ranking, count_checked

Float64Array = npt.NDArray[np.float64]


def check_cuts(ns: Sequence[int]) -> Int64Array:
    """Return cut-offs as int64 ``(m,)``, or say that they are not whole numbers of at least 1."""
    cuts = np.asarray(ns)
    if cuts.ndim != 1 or not cuts.size or cuts.dtype.kind not in "iu" or (cuts < 1).any():
        raise HashprobeError(f"cut-offs must be whole numbers of at least 1; found {ns!r}.")
    return cuts.astype(np.int64)


def hits_in_order(
    queries: Any,
    database: Any,
    query_labels: Any,
    database_labels: Any,
    ns: Sequence[int],
    *,
    bits: int,
    threads: int | None = None,
    progress: bool = False,
) -> Int64Array:
    """Count the relevant items among the first n, with ties in database order.

    Divided by n this is precision@n under ``ties="order"``; divided by the relevant items of the query,
    recall@n. The means of both over the queries, n running, are the precision-recall curve of the field's
    scripts.

    Args:
        queries: Packed codes ``(n, ceil(K / 8))``.
        database: Packed codes ``(N, ceil(K / 8))``, memory-mapped or not; read twice.
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        ns: The cut-offs ``(m,)``.
        bits: K, 1 to 1024.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.

    Returns:
        int64 ``(n, m)``.
    """
    cuts, back = np.unique(check_cuts(ns), return_inverse=True)
    given = check_ranking(queries, database, query_labels, database_labels, bits)
    counts = count_checked(given, threads=threads, progress=progress)
    _, within = walk(given, counts, cuts, 0, threads=threads, progress=progress)
    return within[:, back]


def walk(
    given: RankingInput,
    counts: LevelCounts,
    cuts: Int64Array,
    limit: int,
    *,
    threads: int | None,
    progress: bool,
) -> tuple[Float64Array, Int64Array]:
    """Rank the database in its own order within each distance.

    Args:
        given: Checked input.
        counts: What was counted for it.
        cuts: Ascending ranks ``(m,)``.
        limit: Ranks above it add no precision.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.

    Returns:
        The sum of precision@rank over the relevant items within ``limit``, ``(n,)``; and the relevant items
        within each cut, ``(n, m)``.
    """
    ranked = np.cumsum(counts.items, axis=1) - counts.items
    hits = np.cumsum(counts.relevant, axis=1) - counts.relevant
    gained = np.zeros(len(counts))
    marks = np.zeros((len(counts), len(cuts) + 1), dtype=np.int64)

    def work(run: slice, block: Block) -> None:
        own = given.query_codes[run], given.query_labels[run]
        sums = ranked[run], hits[run], limit, gained[run], cuts, marks[run]
        walk_in_order(*own, block.codes, block.labels, *sums)

    pass_over(
        given.database,
        given.database_labels,
        work,
        arrange=in_order,
        bits=given.bits,
        queries=len(counts),
        threads=threads,
        progress=progress,
        description="ranking in database order",
    )
    return gained, np.cumsum(marks, axis=1)[:, :-1]
