"""One pass over the database, block by block, each block served to all queries on all threads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.progress import progress_bar
from hashprobe.retrieval.codes import PackedCodes, byte_major, check_spare_bits
from hashprobe.retrieval.kernels import TILE
from hashprobe.retrieval.labels import LabelSource, packed_rows

BLOCK_ITEMS = 1 << 16
# More runs of queries than threads, so that a thread held up by other work does not hold up the block.
RUNS_A_THREAD = 4
# A key is 2 * distance + relevant; up to here it fits a byte.
BITS_OF_A_BYTE_KEY = 127

Bytes = npt.NDArray[np.uint8]
# work(queries, codes, labels, keys, offset)
Work = Callable[[slice, Bytes, Bytes, npt.NDArray[Any], int], None]


def usable_threads(threads: int | None) -> int:
    """Return the number of threads: as many as this process may use where it is ``None``."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise HashprobeError(f"threads must be at least 1, or None for all; found {threads}.")
    return threads


def pass_over(
    database: PackedCodes,
    labels: LabelSource | None,
    work: Work,
    *,
    bits: int,
    queries: int,
    threads: int | None,
    progress: bool,
    description: str,
) -> None:
    """Call ``work`` for every block of the database and every run of the queries.

    A run of queries meets the blocks in database order. Runs go on at the same time: ``work`` writes only
    what belongs to its queries, and releases the interpreter's lock.

    Args:
        database: Packed codes ``(N, ceil(K / 8))``, memory-mapped or not; one block of it is copied at a
            time.
        labels: Labels of the database, or ``None`` where they play no part.
        work: ``work(queries, codes, labels, keys, offset)``: a slice of the queries, the block byte by byte,
            scratch for keys, and the database index of the block's first item.
        bits: K.
        queries: How many queries there are.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.
        description: What is being done, for the bar.
    """
    count = usable_threads(threads)
    runs = _runs(queries, count * RUNS_A_THREAD)
    key_type = np.uint8 if bits <= BITS_OF_A_BYTE_KEY else np.uint16
    with (
        ThreadPoolExecutor(count) as pool,
        progress_bar(description, len(database), show=progress) as advance,
    ):
        for start in range(0, len(database), BLOCK_ITEMS):
            stop = min(start + BLOCK_ITEMS, len(database))
            rows = database[start:stop]
            check_spare_bits("database", rows, bits)
            codes = byte_major(rows)
            block_labels = (
                codes[:0]
                if labels is None
                else byte_major(packed_rows("database_labels", labels, start, stop))
            )
            jobs = [
                pool.submit(work, run, codes, block_labels, np.empty(TILE, key_type), start) for run in runs
            ]
            for job in jobs:
                job.result()
            advance(stop - start)


def _runs(queries: int, most: int) -> list[slice]:
    """Cut the queries into at most ``most`` runs, as even as they come; none is empty."""
    parts = min(queries, most)
    edges = [queries * part // parts for part in range(parts + 1)] if parts else []
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
