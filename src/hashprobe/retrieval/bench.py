"""How fast the measuring is: ours beside the field's plain way and beside faiss, in one process on the same inputs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.progress import progress_bar
from hashprobe.retrieval.codes import MAX_BITS, PackedCodes, pack, unpack
from hashprobe.retrieval.kernel.blocks import usable_threads
from hashprobe.retrieval.labels import MAX_CLASSES
from hashprobe.retrieval.memory import watch_memory
from hashprobe.retrieval.metrics.average_precision import average_precision

LABELS_AN_IMAGE = 2.5
# Distances of this many queries fill 12 MB at NUS-WIDE's size, which faiss writes to the last-level cache.
FAISS_QUERIES_AT_ONCE = 16

# The threads of a matrix product go on spinning for some hundredths of a second, at the cost of what comes next.
SECONDS_OF_REST = 0.2


MOST_BYTES = 1 << 80
"""That are said as a number; a float holds no number of 400 digits."""


@dataclass(frozen=True)
class Inputs:
    """Codes and labels that hang together: items of equal labels have near codes.

    Attributes:
        queries: uint8 ``(n, ceil(K / 8))``.
        database: uint8 ``(N, ceil(K / 8))``.
        query_labels: uint8 ``(n, C)``.
        database_labels: uint8 ``(N, C)``.
        bits: K.
    """

    queries: PackedCodes
    database: PackedCodes
    query_labels: npt.NDArray[np.uint8]
    database_labels: npt.NDArray[np.uint8]
    bits: int

    @property
    def bytes(self) -> int:
        """How much memory they take."""
        arrays = self.queries, self.database, self.query_labels, self.database_labels
        return sum(array.nbytes for array in arrays)


@dataclass(frozen=True)
class RetrievalBenchmark:
    """What :func:`run_retrieval_benchmark` measured.

    Attributes:
        queries: How many queries.
        database: How many items.
        bits: K.
        classes: C.
        threads: Threads of ours and of faiss.
        seconds: Average precision of all queries, ours; median over the repeats.
        seconds_distances: Distances alone by faiss, all pairs, in the same threads; median.
        seconds_plain: The plain way for all queries, scaled from ``plain_queries``; median. Its product takes as many
            threads as numpy's BLAS is set to, whatever ``threads`` is.
        seconds_plain_stable: The same with a stable sort, whose result ``as_published`` equals; numpy's default sort is
            faster and leaves ties to the machine.
        plain_queries: How many queries the plain way was timed on, in each repeat.
        repeats: How often each was timed, in turn.
        input_bytes: Memory of the inputs.
        peak_bytes: Memory that ours took beyond the inputs at its peak; ``None`` where the system does not
            say.
        largest_difference: Between ours (``as_published``) and the plain way, over the queries of the plain
            way.
    """

    queries: int
    database: int
    bits: int
    classes: int
    threads: int
    seconds: float
    seconds_distances: float
    seconds_plain: float
    seconds_plain_stable: float
    plain_queries: int
    repeats: int
    input_bytes: int
    peak_bytes: int | None
    largest_difference: float

    @property
    def plain_ratio(self) -> float:
        """How many times as long the plain way takes."""
        return self.seconds_plain / self.seconds

    @property
    def plain_stable_ratio(self) -> float:
        """How many times as long the plain way takes with a stable sort."""
        return self.seconds_plain_stable / self.seconds

    @property
    def distances_ratio(self) -> float:
        """How many times the distances alone ours takes."""
        return self.seconds / self.seconds_distances

    def row(self) -> dict[str, Any]:
        """Return everything as one JSON object."""
        names = "plain_ratio", "plain_stable_ratio", "distances_ratio"
        return asdict(self) | {name: getattr(self, name) for name in names}

    def lines(self) -> list[str]:
        """Return the result in sentences for a person."""
        mebibyte = 1 << 20
        peak = "not measured here" if self.peak_bytes is None else f"{self.peak_bytes / mebibyte:.1f} MiB"
        return [
            f"{self.queries} queries x {self.database} items, {self.bits} bits, {self.classes} classes, "
            f"ours and faiss in {self.threads} threads; medians of {self.repeats}",
            f"ours, average precision of every query: {self.seconds:.3f} s",
            "plain way (float product, in as many threads as numpy's BLAS takes, and argsort a query), scaled from "
            f"{self.plain_queries} queries: "
            f"{self.seconds_plain:.1f} s, {self.plain_ratio:.0f} times ours",
            f"plain way with a stable sort, which as_published equals: {self.seconds_plain_stable:.1f} s, "
            f"{self.plain_stable_ratio:.0f} times ours",
            f"faiss, distances alone: {self.seconds_distances:.3f} s; ours takes {self.distances_ratio:.2f} times as "
            "long",
            f"memory beyond the inputs ({self.input_bytes / mebibyte:.1f} MiB) at its peak, ours: {peak}",
            f"largest difference from the plain way (ours as_published): {self.largest_difference:.1e}",
        ]


def _memory_of_the_machine() -> int:
    """Return how many bytes of memory this machine has; a terabyte where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 10**12


def make_inputs(*, queries: int, database: int, bits: int, classes: int, seed: int) -> Inputs:
    """Draw codes and labels: a code is the sign of the sum of its labels' directions and of noise.

    Args:
        queries: n.
        database: N.
        bits: K.
        classes: C.
        seed: Of the draw.
    """
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((classes, bits), dtype=np.float32)
    chance = min(1.0, LABELS_AN_IMAGE / classes)

    def draw(count: int) -> tuple[PackedCodes, npt.NDArray[np.uint8]]:
        codes = np.empty((count, -(-bits // 8)), dtype=np.uint8)
        labels = np.empty((count, classes), dtype=np.uint8)
        for start in range(0, count, 1 << 16):
            rows = slice(start, min(start + (1 << 16), count))
            labels[rows] = generator.random((rows.stop - start, classes), dtype=np.float32) < chance
            noise = generator.standard_normal((rows.stop - start, bits), dtype=np.float32)
            codes[rows] = pack(labels[rows] @ directions + noise)
        return codes, labels

    (query_codes, query_labels), (codes, labels) = draw(queries), draw(database)
    return Inputs(query_codes, codes, query_labels, labels, bits)


def run_retrieval_benchmark(
    *,
    queries: int = 2100,
    database: int = 193_734,
    bits: int = 32,
    classes: int = 21,
    seed: int = 0,
    plain_queries: int = 20,
    repeats: int = 5,
    threads: int | None = None,
    progress: bool = False,
) -> RetrievalBenchmark:
    """Time average precision beside the plain way and beside faiss's distances, taking turns in one process.

    The defaults are NUS-WIDE's size. Turns are taken so that other work on the machine slows all of them; the
    ratios are the result, the seconds are this machine's. The plain way's product takes as many threads as
    numpy's BLAS is set to (``OMP_NUM_THREADS``), whatever ``threads`` is.

    Args:
        queries: n.
        database: N.
        bits: K, 1 to 1024.
        classes: C, 1 to 1024.
        seed: Of the inputs, at least 0.
        plain_queries: How many queries the plain way is timed on; its time is scaled to n.
        repeats: How often each is timed.
        threads: How many threads for ours and faiss; ``None`` is all.
        progress: Whether to show a bar.

    Raises:
        HashprobeError: a number out of range.
    """
    numbers = {"queries": queries, "database": database, "plain_queries": plain_queries, "repeats": repeats}
    for name, number in numbers.items():
        check_whole_number(name, number, least=1)
    check_whole_number("bits", bits, least=1, most=MAX_BITS)
    check_whole_number("classes", classes, least=1, most=MAX_CLASSES)
    check_whole_number("seed", seed, least=0)
    count = usable_threads(threads)
    needed, there = (queries + database) * (-(-bits // 8) + classes), _memory_of_the_machine()
    if needed > there:
        gigabytes = min(needed, MOST_BYTES) / 1e9
        raise HashprobeError(
            f"queries and database would take {gigabytes:.1f} GB, and this machine has {there / 1e9:.1f} GB; give fewer."
        )
    given = make_inputs(queries=queries, database=database, bits=bits, classes=classes, seed=seed)
    sample = min(plain_queries, queries)
    arguments = given.queries, given.database, given.query_labels, given.database_labels

    def ours() -> None:
        average_precision(*arguments, bits=bits, threads=count)

    average_precision(*(array[:2] for array in arguments), bits=bits)  # compiles, which is not measured
    memory = watch_memory(ours)
    plain, distances = PlainWay(given), FaissDistances(given, count)
    published = average_precision(
        given.queries[:sample],
        *arguments[1:2],
        given.query_labels[:sample],
        arguments[3],
        bits=bits,
        mode="as_published",
        threads=count,
    )
    difference = float(np.abs(published - plain(sample, stable=True)).max())
    distances()
    taken: dict[str, list[float]] = {"ours": [], "distances": [], "plain": [], "stable": []}
    with progress_bar("timing", repeats, show=progress) as advance:
        for _ in range(repeats):
            taken["ours"].append(_seconds(ours))
            taken["distances"].append(_seconds(distances))
            taken["plain"].append(_seconds(lambda: plain(sample)) * queries / sample)
            taken["stable"].append(_seconds(lambda: plain(sample, stable=True)) * queries / sample)
            advance(1)
    median = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return RetrievalBenchmark(
        queries=queries,
        database=database,
        bits=bits,
        classes=classes,
        threads=count,
        seconds=median["ours"],
        seconds_distances=median["distances"],
        seconds_plain=median["plain"],
        seconds_plain_stable=median["stable"],
        plain_queries=sample,
        repeats=repeats,
        input_bytes=given.bytes,
        peak_bytes=None if memory is None else memory.growth,
        largest_difference=difference,
    )


class PlainWay:
    """Average precision as the field's scripts take it: for each query a float product, a sort, a mean."""

    def __init__(self, given: Inputs) -> None:
        self.queries = unpack(given.queries, given.bits).astype(np.float32)
        self.database = unpack(given.database, given.bits).astype(np.float32)
        self.query_labels = given.query_labels.astype(np.float32)
        self.database_labels = given.database_labels.astype(np.float32)

    def __call__(self, count: int, *, stable: bool = False) -> npt.NDArray[np.float64]:
        """Return the average precision of the first ``count`` queries.

        The scripts sort with numpy's default, which is faster than a stable sort and leaves ties to the
        machine.
        """
        kind: Literal["stable"] | None = "stable" if stable else None
        values = np.zeros(count)
        for row in range(count):
            relevant = self.database_labels @ self.query_labels[row] > 0
            distances = 0.5 * (self.database.shape[1] - self.database @ self.queries[row])
            ranks = np.flatnonzero(relevant[np.argsort(distances, kind=kind)]) + 1.0
            if len(ranks):
                values[row] = np.mean(np.arange(1, len(ranks) + 1) / ranks)
        return values


class FaissDistances:
    """All Hamming distances by faiss, block by block into buffers that are kept; nothing is done with them.

    faiss computes in one thread, so its blocks are shared out to as many threads as ours has. Codes are
    padded with zeros to a width that it has a fast loop for.
    """

    def __init__(self, given: Inputs, threads: int) -> None:
        width = given.database.shape[1]
        padding = ((0, 0), (0, 4 - width if width <= 4 else -width % 8))
        self.queries, self.database = (np.pad(codes, padding) for codes in (given.queries, given.database))
        self.threads = threads
        size = FAISS_QUERIES_AT_ONCE, len(self.database)
        self.buffers = [np.zeros(size, dtype=np.int32) for _ in range(threads)]

    def __call__(self) -> None:
        """Compute them once."""
        with ThreadPoolExecutor(self.threads) as pool:
            for job in [pool.submit(self._share, thread) for thread in range(self.threads)]:
                job.result()

    def _share(self, thread: int) -> None:
        import faiss

        hammings: Any = faiss.hammings  # type: ignore[attr-defined]

        step = FAISS_QUERIES_AT_ONCE * self.threads
        for start in range(thread * FAISS_QUERIES_AT_ONCE, len(self.queries), step):
            block = self.queries[start : start + FAISS_QUERIES_AT_ONCE]
            pointers = [faiss.swig_ptr(array) for array in (block, self.database, self.buffers[thread])]
            sizes = len(block), len(self.database), self.database.shape[1]
            hammings(pointers[0], pointers[1], *sizes, pointers[2])


def _seconds(work: Callable[[], object]) -> float:
    time.sleep(SECONDS_OF_REST)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
