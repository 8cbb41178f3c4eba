"""One pass over the database, block by block, each block served to all queries on all threads."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from hashprobe.cpus import usable_cpus
from hashprobe.errors import check_whole_number
from hashprobe.progress import progress_bar
from hashprobe.retrieval.arrays import Bytes
from hashprobe.retrieval.codes import PackedCodes, byte_major, check_spare_bits
from hashprobe.retrieval.labels import LabelSource, packed_rows

BLOCK_ITEMS = 1 << 16
# Fewer items of long codes: arranged for counting, they take up to 6 times their size.
BLOCK_BITS = 1 << 24
# More runs of queries than threads, so that a thread held up by other work does not hold up the block.
RUNS_A_THREAD = 4


# What the kernel reads of a block of the database.
Arranged = TypeVar("Arranged")


@dataclass(frozen=True)
class Block:
    """Some items of the database in its order, byte by byte.

    Attributes:
        codes: Their codes, uint8 ``(code bytes, n)``.
        labels: Their labels, uint8 ``(label bytes, n)``.
        start: Database index of the first item.
    """

    codes: Bytes
    labels: Bytes
    start: int


def in_order(codes: Bytes, labels: Bytes, start: int) -> Block:
    """Arrange packed rows for a kernel that goes through the items in the order of the database."""
    return Block(byte_major(codes), byte_major(labels), start)


MOST_THREADS = 4096


def usable_threads(threads: int | None) -> int:
    """Return the number of threads: as many as this process may use where it is ``None``."""
    if threads is None:
        return usable_cpus()
    return check_whole_number("threads", threads, least=1, most=MOST_THREADS, also=", or None for all")


def pass_over(
    database: PackedCodes,
    labels: LabelSource,
    work: Callable[[slice, Arranged], None],
    *,
    arrange: Callable[[Bytes, Bytes, int], Arranged],
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
        database: Packed codes ``(N, ceil(K / 8))``, memory-mapped or not; ``BLOCK_ITEMS`` of it are copied
            at a time, in as many blocks as there are threads, and the next ones while these are worked on.
        labels: Labels of the database.
        work: ``work(queries, block)``: a slice of the queries and the block that they meet.
        arrange: Makes a block of packed codes ``(n, code bytes)``, packed labels ``(n, label bytes)`` and the database
            index of the first: a copy.
        bits: K.
        queries: How many queries there are.
        threads: How many threads; ``None`` is all.
        progress: Whether to show a bar.
        description: What is being done, for the bar.
    """
    count = usable_threads(threads)
    runs = _cut(0, queries, count * RUNS_A_THREAD)
    with (
        ThreadPoolExecutor(count) as pool,
        progress_bar(description, len(database), show=progress) as advance,
    ):
        size = max(1, min(BLOCK_ITEMS, BLOCK_BITS // bits))
        read = functools.partial(_block, database, labels, arrange, bits)
        block = _cut(0, min(size, len(database)), count)
        waiting = [pool.submit(read, part) for part in block]
        while block:
            blocks = [job.result() for job in waiting]
            jobs = [pool.submit(_meet, work, run, blocks) for run in runs]
            # Queued behind these jobs, so that a thread that is done with its last one goes on with the next block.
            stop = block[-1].stop
            following = _cut(stop, min(stop + size, len(database)), count)
            waiting = [pool.submit(read, part) for part in following]
            for job in jobs:
                job.result()
            advance(stop - block[0].start)
            block = following


def _block(
    database: PackedCodes,
    labels: LabelSource,
    arrange: Callable[[Bytes, Bytes, int], Arranged],
    bits: int,
    part: slice,
) -> Arranged:
    """Read and arrange a part of the database, on the thread that calls."""
    rows = database[part]
    check_spare_bits("database", rows, bits)
    return arrange(rows, packed_rows("database_labels", labels, part.start, part.stop), part.start)


def _meet(work: Callable[[slice, Arranged], None], run: slice, blocks: list[Arranged]) -> None:
    for block in blocks:
        work(run, block)


def _cut(start: int, stop: int, most: int) -> list[slice]:
    """Cut a range into at most ``most`` parts, as even as they come; none is empty."""
    size = stop - start
    parts = min(size, most)
    edges = [start + size * part // parts for part in range(parts + 1)] if parts else []
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
