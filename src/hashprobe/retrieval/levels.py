"""How many items, and how many relevant ones, lie at each Hamming distance of each query.

Every metric of a Hamming ranking follows from these counts, exactly, whatever the order within a distance.
They need no sort and no distance matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.arrays import Int64Array
from hashprobe.retrieval.kernel.blocks import pass_over
from hashprobe.retrieval.kernel.counting import arrange_queries, count_items, empty_sums, levels_of
from hashprobe.retrieval.kernel.planes import Tiles, arrange_tiles
from hashprobe.retrieval.labels import check_labels
from hashprobe.retrieval.ranking import RankingInput, check_ranking
from hashprobe.typed_values import checked


@dataclass(frozen=True, eq=False)
class LevelCounts:
    """Items by Hamming distance.

    ``counts[3]`` and ``counts[10:20]`` are the counts of some of the queries; ``counts + others`` those of the same
    queries over two parts of a database together.

    Attributes:
        items: int64 ``(n_queries, K + 1)``: database items at distance 0 ... K from each query.
        relevant: int64 ``(n_queries, K + 1)``: those of them that share a label with the query (or its
            target).
        missed: int64 ``(n_queries,)``: relevant items that lie at no distance, since a search did not find them; or one
            number for all queries. They count among the relevant items of the database, and are at no rank.

    Raises:
        HashprobeError: not whole numbers, another shape, or more relevant items at a distance than items.
    """

    items: Int64Array
    relevant: Int64Array
    missed: Int64Array | int = 0

    def __post_init__(self) -> None:
        for name in ("items", "relevant"):
            array = np.asarray(getattr(self, name))
            if array.dtype.kind not in "iu" or array.ndim != 2 or not array.shape[1]:
                raise HashprobeError(
                    f"{name} must be whole numbers of shape (n_queries, K + 1); found {array.dtype} of shape "
                    f"{array.shape}."
                )
            object.__setattr__(self, name, array.astype(np.int64, copy=False))
        if self.items.shape != self.relevant.shape:
            raise HashprobeError(
                f"items and relevant must have one shape; found {self.items.shape} and {self.relevant.shape}."
            )
        wrong = (self.relevant < 0) | (self.relevant > self.items)
        if wrong.any():
            query, distance = (int(index) for index in np.argwhere(wrong)[0])
            raise HashprobeError(
                f"relevant must lie between 0 and items; query {query} has {self.relevant[query, distance]} "
                f"relevant of {self.items[query, distance]} items at distance {distance}."
            )
        missed = np.asarray(self.missed)
        if missed.dtype.kind not in "iu" or missed.shape not in ((), (len(self),)) or (missed < 0).any():
            raise HashprobeError(
                f"missed must be a whole number of at least 0, or one for each of {len(self)} queries; found {missed!r}."
            )
        object.__setattr__(self, "missed", np.broadcast_to(missed.astype(np.int64), len(self)))

    @property
    def relevant_total(self) -> Int64Array:
        """How many items are relevant to each query, ``(n_queries,)``."""
        total: Int64Array = self.relevant.sum(axis=1) + self.missed
        return total

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: int | slice) -> LevelCounts:
        """Return the counts of one query or of a slice of them."""
        missed = np.atleast_1d(np.asarray(self.missed)[rows])
        return LevelCounts(np.atleast_2d(self.items[rows]), np.atleast_2d(self.relevant[rows]), missed)

    def __add__(self, others: LevelCounts) -> LevelCounts:
        """Add the counts of the same queries over another part of the database."""
        if self.items.shape != others.items.shape:
            raise HashprobeError(
                f"counts of shape {self.items.shape} and {others.items.shape} do not add up; both must be of the same "
                "queries and bits."
            )
        missed = self.missed + others.missed
        return LevelCounts(self.items + others.items, self.relevant + others.relevant, missed)


def nearer(levels: Int64Array) -> Int64Array:
    """Return how many lie nearer than each distance, of numbers at each distance ``(n_queries, K + 1)``."""
    return np.asarray(np.cumsum(levels, axis=1) - levels)


@checked
def count_levels(
    queries: Any,
    database: Any,
    query_labels: Any,
    database_labels: Any,
    *,
    bits: int,
    device: str | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> LevelCounts:
    """Count items and relevant items at each Hamming distance of each query.

    The database is read once, block by block, and may be memory-mapped; a block and the counts are all that
    is held.

    Args:
        queries: Packed codes, uint8 ``(n, ceil(K / 8))``; see :func:`pack`.
        database: Packed codes, uint8 ``(N, ceil(K / 8))``.
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`: an item is relevant when it shares a
            label. Target labels for t-MAP.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        bits: K, 1 to 1024.
        device: A torch device (``"cuda"``) to count on, with equal counts; ``None`` is the CPU kernel.
        threads: How many threads of the CPU; ``None`` is all.
        progress: Whether to show a bar.

    Raises:
        HashprobeError: shapes or values do not fit (the message says which), or the device cannot be used here.
    """
    given = check_ranking(queries, database, query_labels, database_labels, bits)
    return count_checked(given, device=device, threads=threads, progress=progress)


def count_checked(
    given: RankingInput, *, device: str | None = None, threads: int | None, progress: bool
) -> LevelCounts:
    """Do the work of :func:`count_levels` on checked input."""
    if device is not None:
        from hashprobe.retrieval.kernel.torch_kernel import count_on_device

        return LevelCounts(*count_on_device(given, device, progress=progress))
    items, relevant = (empty_sums(len(given.query_codes), given.bits) for _ in range(2))
    queries = arrange_queries(given.query_codes, given.query_labels)

    def work(run: slice, tiles: Tiles) -> None:
        count_items(queries[run], tiles, items[run], relevant[run])

    pass_over(
        given.database,
        given.database_labels,
        work,
        arrange=lambda codes, labels, _: arrange_tiles(codes, labels),
        bits=given.bits,
        queries=len(items),
        threads=threads,
        progress=progress,
        description="counting distances",
    )
    return LevelCounts(levels_of(items, given.bits), levels_of(relevant, given.bits))


def count_unranked(query_labels: Any, database_labels: Any, *, threads: int | None = None) -> LevelCounts:
    """Count as if all codes were equal: at distance 0 the whole database and all of each query's relevant items.

    Args:
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        threads: How many threads; ``None`` is all.

    Raises:
        HashprobeError: labels that do not fit each other, or an empty database.
    """
    wanted, labels = (
        check_labels("query_labels", query_labels),
        check_labels("database_labels", database_labels),
    )
    if not len(labels):
        raise HashprobeError("database_labels is empty; there is nothing to rank.")
    asked, alike = (np.zeros((len(rows), 1), dtype=np.uint8) for rows in (wanted, labels))
    return count_levels(asked, alike, wanted, labels, bits=1, threads=threads)


@checked
def count_levels_of_sets(
    query_sets: Mapping[str, tuple[Any, Any]],
    database: Any,
    database_labels: Any,
    *,
    bits: int,
    device: str | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> dict[str, LevelCounts]:
    """Count levels for several query sets in one pass over the database.

    An experiment ranks the same database for the benign queries and for each attack's, by own and by target
    labels.

    Args:
        query_sets: By name, a pair of packed codes ``(n, ceil(K / 8))`` and labels ``(n, C)``; the same codes
            may come with several labels.
        database: Packed codes ``(N, ceil(K / 8))``, memory-mapped or not.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        bits: K, 1 to 1024.
        device: As for :func:`count_levels`.
        threads: How many threads of the CPU; ``None`` is all.
        progress: Whether to show a bar.

    Raises:
        HashprobeError: no set, a set that is no pair, or shapes or values that do not fit.
    """
    if not isinstance(query_sets, Mapping):
        raise HashprobeError(
            f"query_sets must be a dict from names to pairs (codes, labels); found {type(query_sets).__name__}."
        )
    if not query_sets:
        raise HashprobeError("query_sets is empty; give at least one pair of codes and labels.")
    pairs: Mapping[str, Any] = query_sets
    given = []
    for name, pair in pairs.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            size = f" of {len(pair)}" if isinstance(pair, tuple | list) else ""
            raise HashprobeError(
                f"query set {name!r} must be a pair (codes, labels); found {type(pair).__name__}{size}."
            )
        try:
            given.append(check_ranking(pair[0], database, pair[1], database_labels, bits))
        except HashprobeError as error:
            raise HashprobeError(f"query set {name!r}: {error}") from None
    together = RankingInput(
        np.concatenate([one.query_codes for one in given]),
        np.concatenate([one.query_labels for one in given]),
        given[0].database,
        given[0].database_labels,
        given[0].bits,
    )
    counts = count_checked(together, device=device, threads=threads, progress=progress)
    ends = np.cumsum([len(one.query_codes) for one in given])
    return {
        name: counts[int(end) - len(one.query_codes) : int(end)]
        for name, one, end in zip(query_sets, given, ends, strict=True)
    }
