"""The measurements of docs/results/retrieval.md, one case a run.

python benchmarks/retrieval.py nuswide     # 2,100 queries x 193,734 items, 32 bits, 21 classes
python benchmarks/retrieval.py coco        # 5,000 queries x 117,218 items, 48 bits, 80 classes
python benchmarks/retrieval.py scale       # 100 queries x 10^5 ... 10^7 items from a memory-mapped file
python benchmarks/retrieval.py sets        # five query sets in one pass and in five
python benchmarks/retrieval.py kernel      # the counting kernel beside a loop over bytes and a plain count, one thread
python benchmarks/retrieval.py search      # exact and approximate search of 200,000 items
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from hashprobe import retrieval
from hashprobe.retrieval import levels
from hashprobe.retrieval.bench import make_inputs, run_retrieval_benchmark
from hashprobe.retrieval.kernel import blocks, counting, database_order, planes
from hashprobe.retrieval.kernel.plain import count_plainly
from hashprobe.retrieval.memory import watch_memory

SIZES: dict[str, dict[str, Any]] = {
    "nuswide": {"queries": 2100, "database": 193_734, "bits": 32, "classes": 21},
    "coco": {"queries": 5000, "database": 117_218, "bits": 48, "classes": 80},
}
MEBIBYTE = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=[*SIZES, "scale", "store", "sets", "kernel", "search"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, default=10_000_000, help="Items of the last row of scale.")
    parser.add_argument("--path", type=Path, help="Where store writes.")
    parser.add_argument("--items", type=int, default=10_000_000, help="How many items store writes.")
    options = parser.parse_args()
    if options.case in SIZES:
        print("\n".join(run_retrieval_benchmark(**SIZES[options.case], repeats=options.repeats).lines()))
    elif options.case == "scale":
        scale(options.largest, options.repeats)
    elif options.case == "store":
        write_store(options.path, options.items)
    elif options.case == "sets":
        sets(options.repeats)
    elif options.case == "kernel":
        kernel(options.repeats)
    else:
        search(options.repeats)


def scale(largest: int, repeats: int) -> None:
    """100 queries, 64 bits, 80 classes; the database is a code store. All sizes are timed in turn."""
    sizes = [size for size in (100_000, 316_228, 1_000_000, 3_162_278, 10_000_000) if size <= largest]
    queries = make_inputs(queries=100, database=1, bits=64, classes=80, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        stores = []
        for size in sizes:
            path = Path(folder) / f"{size}.codes"
            # In another process, so that what it took to make the file is not counted here.
            command = [sys.executable, __file__, "store", "--path", str(path), "--items", str(size)]
            subprocess.run(command, check=True)
            stores.append(retrieval.open_code_store(path))

        def measure(store: retrieval.CodeStore) -> None:
            retrieval.average_precision(
                queries.queries, store.codes, queries.query_labels, store.labels, bits=64
            )

        measure(stores[0])  # compiles
        peaks = [watch_memory(lambda store=store: measure(store)) for store in stores]
        taken: list[list[float]] = [[] for _ in stores]
        for _ in range(repeats):
            for times, store in zip(taken, stores, strict=True):
                times.append(seconds(lambda store=store: measure(store)))
        first = statistics.median(taken[0])
        print("| items | seconds | items x | time x | memory before, MiB | at its peak, MiB |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        for size, times, peak in zip(sizes, taken, peaks, strict=True):
            median = statistics.median(times)
            memory = [f"{held / MEBIBYTE:.1f}" for held in (peak.before, peak.peak)] if peak else ["?", "?"]
            print(
                f"| {size:,} | {median:.3f} | {size / sizes[0]:.1f} | {median / first:.1f} | {' | '.join(memory)} |"
            )


def write_store(path: Path, size: int) -> None:
    """Write a database of ``size`` items; blocks of 10^6 items repeat, so that it is quickly made."""
    part = make_inputs(queries=1, database=min(size, 1_000_000), bits=64, classes=80, seed=0)
    labels = retrieval.pack_labels(part.database_labels).packed
    times = -(-size // len(labels))
    codes = np.tile(part.database, (times, 1))[:size]
    packed = retrieval.PackedLabels(np.tile(labels, (times, 1))[:size], 80)
    retrieval.write_code_store(path, codes, packed, bits=64, model="none")


def sets(repeats: int) -> None:
    """Five query sets of NUS-WIDE's size: the benign queries and four attacks, by target labels."""
    given = make_inputs(**SIZES["nuswide"], seed=0)
    others = [make_inputs(**(SIZES["nuswide"] | {"database": 1}), seed=seed) for seed in range(1, 5)]
    queries = {str(place): (one.queries, one.query_labels) for place, one in enumerate([given, *others])}
    database = given.database, given.database_labels

    def together() -> None:
        retrieval.count_levels_of_sets(queries, *database, bits=32)

    def one_by_one() -> None:
        for codes, labels in queries.values():
            retrieval.count_levels(codes, database[0], labels, database[1], bits=32)

    together()
    taken: dict[Callable[[], None], list[float]] = {together: [], one_by_one: []}
    for _ in range(repeats):
        for work, times in taken.items():
            times.append(seconds(work))
    one, five = (statistics.median(times) for times in taken.values())
    print(
        f"five sets in one pass {one:.3f} s, in five {five:.3f} s: {one / five:.2f} times; medians of {repeats}"
    )
    read = {work.__name__: items_read(work) / len(database[0]) for work in taken}
    print(
        f"the database is read {read['together']:.0f} time in one pass, {read['one_by_one']:.0f} times in five"
    )


def items_read(work: Callable[[], None]) -> int:
    """Count the database items that are arranged for counting while ``work`` runs."""
    count = 0
    original = levels.arrange_tiles

    def counting(codes: np.ndarray, labels: np.ndarray) -> planes.Tiles:
        nonlocal count
        count += len(codes)
        return original(codes, labels)

    levels.arrange_tiles = counting
    try:
        work()
    finally:
        levels.arrange_tiles = original
    return count


@njit(nogil=True)
def count_by_bytes(query_codes, query_labels, codes, labels, counted):
    """Count in the obvious way: distances byte by byte, which LLVM makes vector instructions of, then one item at a time."""
    shared, keys = np.empty(database_order.TILE, np.uint8), np.empty(database_order.TILE, np.uint16)
    for start in range(0, codes.shape[1], database_order.TILE):
        stop = min(start + database_order.TILE, codes.shape[1])
        for q in range(len(query_codes)):
            database_order.fill_keys(
                query_codes[q], query_labels[q], codes, labels, start, stop, keys, shared
            )
            for i in range(stop - start):
                counted[q, keys[i]] += 1


def kernel(repeats: int) -> None:
    """100 queries and one block of 65,536 items, 21 classes, without threads and without the pass around it."""
    print("| bits | arrange a block, ms | count it, ms | loop over bytes, ms | plain count, ms |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for bits in (16, 32, 64, 128):
        given = make_inputs(queries=100, database=blocks.BLOCK_ITEMS, bits=bits, classes=21, seed=0)
        own, theirs = (
            retrieval.pack_labels(labels).packed for labels in (given.query_labels, given.database_labels)
        )
        rows = blocks.in_order(given.database, theirs, 0)
        terms = counting.arrange_queries(given.queries, own)
        tiles = planes.arrange_tiles(given.database, theirs)
        sums = [counting.empty_sums(100, bits) for _ in range(2)]
        counted = np.zeros((100, 2 * bits + 2), dtype=np.int64)
        works = (
            lambda given=given, theirs=theirs: planes.arrange_tiles(given.database, theirs),
            lambda terms=terms, tiles=tiles, sums=sums: counting.count_items(terms, tiles, *sums),
            lambda own=own, rows=rows, counted=counted, given=given: count_by_bytes(
                given.queries, own, rows.codes, rows.labels, counted
            ),
            lambda own=own, theirs=theirs, given=given, bits=bits: count_plainly(
                given.queries, own, given.database, theirs, bits
            ),
        )
        for work in works:
            work()  # compiles
        taken = [[seconds(work) for work in works] for _ in range(repeats)]
        medians = 1000 * np.median(taken, axis=0)
        print(f"| {bits} | {' | '.join(f'{median:.2f}' for median in medians)} |")


def search(repeats: int) -> None:
    """1,000 queries, the 100 nearest of 200,000 items, 64 bits."""
    given = make_inputs(queries=1000, database=200_000, bits=64, classes=80, seed=0)
    rows: list[tuple[str, float, float, float]] = []
    for name in ("scan", "faiss-flat", "faiss-ivf", "faiss-hnsw"):
        start = time.perf_counter()
        index = retrieval.open_index(name, given.database, bits=64)
        built = time.perf_counter() - start
        taken = [seconds(lambda index=index: index.search(given.queries, 100)) for _ in range(repeats)]
        recall = float(index.recall(given.queries[:100], 100).mean())
        rows.append((name, built, statistics.median(taken), recall))
    scan = next(taken_by for name, _, taken_by, _ in rows if name == "scan")
    print("| index | seconds to build | seconds to search | times scan | recall@100 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, built, taken_by, recall in rows:
        print(f"| {name} | {built:.1f} | {taken_by:.3f} | {taken_by / scan:.2f} | {recall:.3f} |")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
