"""The nearest items themselves, with their indices, found exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.arrays import Bytes, Int64Array
from hashprobe.retrieval.codes import PackedCodes, check_codes, check_spare_bits
from hashprobe.retrieval.kernel.blocks import Block, in_order, pass_over
from hashprobe.retrieval.kernel.database_order import write_nearest
from hashprobe.retrieval.levels import count_checked, nearer
from hashprobe.retrieval.ranking import RankingInput
from hashprobe.typed_values import checked


class Neighbours(NamedTuple):
    """The items found near each query, the nearest first.

    Attributes:
        ids: Indices into the database, int64 ``(n, k)``; -1 where nothing was found.
        distances: Hamming distances, int64 ``(n, k)``; K + 1 where nothing was found.
    """

    ids: Int64Array
    distances: Int64Array


@checked
def top_k(
    queries: Any,
    database: Any,
    k: int,
    *,
    bits: int,
    threads: int | None = None,
    progress: bool = False,
) -> Neighbours:
    """Return the k nearest items of each query, exactly; equal distances in the order of the database.

    Two passes: the first counts items by distance, the second writes each near item straight to where it belongs.

    Args:
        queries: Packed codes, uint8 ``(n, ceil(K / 8))``.
        database: Packed codes, uint8 ``(N, ceil(K / 8))``, memory-mapped or not.
        k: How many items; at most N are returned.
        bits: K, 1 to 1024.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.

    Returns:
        Indices into the database and Hamming distances, each int64 ``(n, min(k, N))``; all are found.

    Raises:
        HashprobeError: codes that do not fit, or ``k`` below 1.
    """
    asked, codes = check_search(queries, database, k, bits)
    ids = np.zeros((len(asked), min(k, len(codes))), dtype=np.int64)
    distances = np.zeros_like(ids)
    given = RankingInput(asked, no_labels(asked), codes, no_labels(codes), bits)
    ranked = nearer(count_checked(given, threads=threads, progress=progress).items)

    def work(run: slice, block: Block) -> None:
        write_nearest(asked[run], block.codes, ranked[run], block.start, ids[run], distances[run])

    pass_over(
        codes,
        no_labels(codes),
        work,
        arrange=in_order,
        bits=bits,
        queries=len(asked),
        threads=threads,
        progress=progress,
        description="finding neighbours",
    )
    return Neighbours(ids, distances)


def check_search(queries: Any, database: Any, k: int, bits: int) -> tuple[PackedCodes, PackedCodes]:
    """Return queries and database as packed codes that fit each other, or say what is wrong."""
    asked, codes = check_codes("queries", queries, bits), check_searched(database, bits)
    check_spare_bits("queries", asked, bits)
    check_whole_number("k", k, least=1)
    return np.array(asked, order="C"), codes


def check_searched(database: Any, bits: int) -> PackedCodes:
    """Return what is to be searched as packed codes, or say what is wrong."""
    codes = check_codes("database", database, bits)
    if not len(codes):
        raise HashprobeError("database is empty; there is nothing to search.")
    return codes


def no_labels(codes: PackedCodes) -> Bytes:
    """Return labels of no class, ``(n, 0)``, for a search, in which labels play no part."""
    return codes[:, :0]
