"""The verb ``bench``: how fast the measuring is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import Seed
from hashprobe.cli.printing import say

BENCHMARKS = ("retrieval",)


def bench(
    name: Annotated[str, typer.Argument(help="What is timed: retrieval.")] = "retrieval",
    queries: Annotated[int, typer.Option(help="Queries.")] = 2100,
    database: Annotated[int, typer.Option(help="Database items.")] = 193_734,
    bits: Annotated[int, typer.Option(help="Code length.")] = 32,
    classes: Annotated[int, typer.Option(help="Classes.")] = 21,
    repeats: Annotated[int, typer.Option(help="How often each is timed; medians are printed.")] = 5,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of ours and of faiss, not of the plain way; all if not given."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file to write the figures to.")] = None,
    seed: Seed = 0,
) -> None:
    """Time the measuring beside the field's plain way and faiss.

    What is timed: average precision, a default and a stable sort, and faiss's distances, on drawn inputs.

    Example: hashprobe bench retrieval --queries 500 --database 50000
    """
    from hashprobe.errors import unknown_name
    from hashprobe.files import write_json
    from hashprobe.retrieval.bench import run_retrieval_benchmark

    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, BENCHMARKS)
    measured = run_retrieval_benchmark(
        queries=queries,
        database=database,
        bits=bits,
        classes=classes,
        seed=seed,
        repeats=repeats,
        threads=threads,
        progress=True,
    )
    for line in measured.lines():
        say(line)
    if out is not None:
        write_json(out, measured.row())
        say(f"wrote {out}")
