"""Rankings whose ties follow the database's order: a second pass instead of a sort.

An item's rank is the number of nearer items plus its position among those equally near. The counts know the
first, and a pass in database order the second. Nothing of size queries x database is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hashprobe.retrieval.arrays import Float64Array, Int64Array
from hashprobe.retrieval.kernel.blocks import Block, in_order, pass_over
from hashprobe.retrieval.kernel.database_order import rank_hits, walk_in_order
from hashprobe.retrieval.levels import LevelCounts, count_checked, nearer
from hashprobe.retrieval.ranking import RankingInput, check_ranking
from hashprobe.typed_values import checked


@dataclass(frozen=True, eq=False, kw_only=True)
class OrderedLevelCounts(LevelCounts):
    """Counts that know where the database is, so that the curves can be had with ``ties="order"``.

    Each answer reads the database once more. A slice or a sum of them is plain :class:`LevelCounts`.

    Attributes:
        given: What was counted.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.
    """

    given: RankingInput = field(repr=False)
    threads: int | None
    progress: bool

    def hits_within(self, cuts: Int64Array) -> Int64Array:
        """Return the relevant items among the first ranks, for cut-offs ``(m,)``: int64 ``(n_queries, m)``."""
        ascending, back = np.unique(cuts, return_inverse=True)
        _, within = walk(self.given, self, ascending, 0, threads=self.threads, progress=self.progress)
        return within[:, back]

    def ranks_of_hits(self, wanted: Int64Array) -> Int64Array:
        """Return the ranks of some relevant items of each query.

        Args:
            wanted: Which of them, counted from 1, ``(n_queries, m)``, ascending along a row.

        Returns:
            int64 ``(n_queries, m)``; 0 where there are not as many.
        """
        ranked, hits = nearer(self.items), nearer(self.relevant)
        ranks = np.zeros_like(wanted)

        def work(run: slice, block: Block) -> None:
            own = self.given.query_codes[run], self.given.query_labels[run]
            rank_hits(*own, block.codes, block.labels, ranked[run], hits[run], wanted[run], ranks[run])

        _pass_in_order(self.given, work, threads=self.threads, progress=self.progress)
        return ranks


@checked
def count_levels_in_order(
    queries: Any,
    database: Any,
    query_labels: Any,
    database_labels: Any,
    *,
    bits: int,
    threads: int | None = None,
    progress: bool = False,
) -> OrderedLevelCounts:
    """Count levels and keep hold of the database, for curves with ``ties="order"``.

    Give the result to :func:`precision_at`, :func:`recall_at`, :func:`precision_at_recall` or
    :func:`precision_recall_curve`. Each of them goes through the database once more, block by block, and
    holds one number for each query and cut-off or recall.

    Args:
        queries: Packed codes ``(n, ceil(K / 8))``.
        database: Packed codes ``(N, ceil(K / 8))``, memory-mapped or not; kept by reference, not copied.
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`; likewise.
        bits: K, 1 to 1024.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.

    Raises:
        HashprobeError: shapes or values do not fit; the message says which.
    """
    given = check_ranking(queries, database, query_labels, database_labels, bits)
    counts = count_checked(given, threads=threads, progress=progress)
    return OrderedLevelCounts(counts.items, counts.relevant, given=given, threads=threads, progress=progress)


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
    ranked, hits = nearer(counts.items), nearer(counts.relevant)
    gained = np.zeros(len(counts))
    marks = np.zeros((len(counts), len(cuts) + 1), dtype=np.int64)

    def work(run: slice, block: Block) -> None:
        own = given.query_codes[run], given.query_labels[run]
        sums = ranked[run], hits[run], limit, gained[run], cuts, marks[run]
        walk_in_order(*own, block.codes, block.labels, *sums)

    _pass_in_order(given, work, threads=threads, progress=progress)
    return gained, np.cumsum(marks, axis=1)[:, :-1]


def _pass_in_order(
    given: RankingInput, work: Callable[[slice, Block], None], *, threads: int | None, progress: bool
) -> None:
    pass_over(
        given.database,
        given.database_labels,
        work,
        arrange=in_order,
        bits=given.bits,
        queries=len(given.query_codes),
        threads=threads,
        progress=progress,
        description="ranking in database order",
    )
