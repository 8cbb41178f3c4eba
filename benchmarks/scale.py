"""The measurements of many codes: docs/results/indexes.md (10^7) and docs/encoding.md.

python benchmarks/scale.py search                                # 10^7 codes of 64 bits, in a store on disk
python benchmarks/scale.py search --index scan --items 100000
python benchmarks/scale.py encode --model runs/model --images photos --workers 1 --workers 2
python benchmarks/scale.py memory                                # what encoding holds, of few and of many pictures

Codes are drawn block by block into a code store, which is searched memory-mapped; each index in a process of its own, by one
thread. One that takes more than --seconds is measured on a tenth of the codes. Memory is the most that a process held, files
that it maps aside.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hashprobe import retrieval
from hashprobe.retrieval.memory import watch_memory

BITS, K, BLOCK = 64, 100, 100_000
CENTRES, FLIPPED = 1000, 0.03
INDEXES = ("scan", "faiss-flat", "usearch")
MEBIBYTE = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=["search", "encode", "memory", "one", "encode-one"])
    parser.add_argument("--index", action="append", help="Only this one; may be repeated.")
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1500, help="Of one index, at most.")
    parser.add_argument("--store", type=Path, help="A code store that is there.")
    parser.add_argument("--model", default="dhash")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--workers", type=int, action="append")
    parser.add_argument("--pictures", type=int, action="append", help="Of the case memory; may be repeated.")
    options = parser.parse_args()
    if options.case in ("one", "encode-one"):
        measured = search_one if options.case == "one" else encode_one
        print(json.dumps(measured(options)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            {"search": search, "encode": encode, "memory": memory}[options.case](options, Path(folder))


def blocks(items: int) -> Iterator[retrieval.CodePart]:
    """Codes around centres, some of which have many more than others (1, 1/2, 1/3, ...), block by block."""
    centres = np.random.default_rng(BITS).integers(0, 2, (CENTRES, BITS), dtype=np.uint8)
    weights = 1 / np.arange(1, CENTRES + 1)
    for number, start in enumerate(range(0, items, BLOCK)):
        generator = np.random.default_rng((BITS, number))
        drawn = generator.choice(CENTRES, min(BLOCK, items - start), p=weights / weights.sum())
        flips = generator.random((len(drawn), BITS)) < FLIPPED
        yield retrieval.CodePart(np.packbits(centres[drawn] ^ flips, axis=1))


def write_store(path: Path, items: int) -> None:
    retrieval.write_code_store_in_parts(path, lambda: blocks(items), bits=BITS, model="drawn")


def search(options: argparse.Namespace, folder: Path) -> None:
    print("| index | codes | a store, s | build, s | a query, ms | memory, MiB | recall@100 | distances |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for name in options.index or INDEXES:
        print(search_row(name, options, folder), flush=True)


def search_row(name: str, options: argparse.Namespace, folder: Path) -> str:
    for items in dict.fromkeys((options.items, options.items // 10)):
        path, started = folder / f"{items}.codes", time.perf_counter()
        if not path.exists():
            write_store(path, items)
        written = time.perf_counter() - started
        try:
            got = in_a_process(
                "one",
                options.seconds,
                *("--index", name, "--store", path, "--queries", options.queries),
            )
        except subprocess.TimeoutExpired:
            continue
        equal = "equal to scan's" if got["equal"] else f"{got['lost']:.3f} of them missed"
        return (
            f"| `{name}` | {items:,} | {written:.1f} | {got['build']:.1f} | {got['query']:.1f} | {got['memory']:.0f} | "
            f"{got['recall']:.3f} | {equal} |"
        )
    return f"| `{name}` | {options.items:,} | | more than {options.seconds:.0f} | | | | |"


def search_one(options: argparse.Namespace) -> dict[str, Any]:
    store, (name,) = retrieval.open_code_store(options.store, bits=BITS), options.index
    # Queries are items with two further bits changed, so that each has near ones that are not itself.
    rows = np.linspace(0, len(store) - 1, options.queries).astype(np.int64)
    queries = np.array(store.codes[rows])
    queries[:, 0] ^= 1
    queries[:, -1] ^= 1
    exact = retrieval.top_k(queries, store.codes, K, bits=BITS, threads=1)
    retrieval.open_index(name, store.codes[:1000], bits=BITS).search(queries[:1], 1)  # imports
    made: dict[str, Any] = {}

    def work() -> None:
        started = time.perf_counter()
        index = retrieval.open_index(name, store.codes, bits=BITS)
        made["build"] = time.perf_counter() - started
        index.search(queries[:1], K)
        started = time.perf_counter()
        made["found"] = index.search(queries, K)
        made["query"] = 1000 * (time.perf_counter() - started) / len(queries)

    held = watch_memory(work)
    distances = made.pop("found").distances
    recall = float((distances <= exact.distances[:, -1:]).mean())
    equal = bool((distances == exact.distances).all())
    if retrieval.INDEXES[name].exact and not equal:
        raise SystemExit(f"{name} says that it is exact, and has other distances than exact counting")
    return made | {
        "equal": equal,
        "lost": 1 - recall,
        "recall": recall,
        "memory": held.growth / MEBIBYTE if held else float("nan"),
    }


def encode(options: argparse.Namespace, folder: Path) -> None:
    print(
        "| processes | pictures | s | pictures a second | main, MiB | largest other, MiB | SHA-256 of the codes |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for workers in options.workers or (1, 2):
        got = encode_once(options.model, options.images, workers, options.image_size)
        print(encode_row(workers, got), flush=True)


def encode_row(workers: int, got: dict[str, Any]) -> str:
    return (
        f"| {workers} | {got['pictures']:,} | {got['seconds']:.1f} | {got['pictures'] / got['seconds']:.1f} | "
        f"{got['main']:.0f} | {got['other']:.0f} | {got['sha256'][:12]} |"
    )


def encode_once(model: str, images: Path, workers: int, image_size: int | None) -> dict[str, Any]:
    more = ("--image-size", image_size) if image_size else ()
    return in_a_process("encode-one", 3600, "--model", model, "--images", images, "--workers", workers, *more)


def encode_one(options: argparse.Namespace) -> dict[str, Any]:
    from hashprobe.experiments import encode as encode_pictures

    (workers,) = options.workers
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        found = encode_pictures(
            options.model,
            options.images,
            out=out,
            image_size=options.image_size,
            device="cpu",
            engine="processes" if workers > 1 else "here",
            workers=workers,
        )
        seconds = time.perf_counter() - started
        digest = hashlib.sha256(found.store.path.read_bytes()).hexdigest()
    main, other = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"pictures": found.made, "seconds": seconds, "sha256": digest, "main": main, "other": other}


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Encode few and many small pictures, by a perceptual hash that costs next to nothing, in two processes."""
    print(
        "| processes | pictures | s | pictures a second | main, MiB | largest other, MiB | SHA-256 of the codes |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for count in options.pictures or (2_000, 20_000, 200_000):
        images = folder / str(count)
        write_pictures(images, count)
        for workers in options.workers or (2,):
            print(encode_row(workers, encode_once("dhash", images, workers, None)), flush=True)


def write_pictures(folder: Path, count: int) -> None:
    """Write noise as PPM files, a thousand in a folder."""
    generator = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"{number // 1000:05d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:08d}.ppm").write_bytes(b"P6 32 32 255\n" + generator.bytes(3 * 32 * 32))


def in_a_process(case: str, seconds: float, *options: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, case, *map(str, options)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
