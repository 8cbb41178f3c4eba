"""Verbs that walk the whole way: ``quickstart``, and ``reproduce`` for a recipe or for the paper's tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashprobe.cli.options import DataOption, Device, Out, Seed, expanded, read_data_options
from hashprobe.cli.printing import print_findings, print_results, say
from hashprobe.settings_text import read_pairs

if TYPE_CHECKING:
    from hashprobe.experiments import Experiment
    from hashprobe.experiments.paper import Catalogue

EVERYTHING = "all"


def quickstart(out: Out = Path("runs/quickstart"), seed: Seed = 0, device: Device = "auto") -> None:
    """Walk the whole way on generated pictures, to a report.

    The way: data, hash model, a trained attack, baselines, result rows, gallery.

    Example: hashprobe quickstart --out runs/quickstart
    """
    from hashprobe.experiments import RECIPES

    _walk(RECIPES["quickstart"], out, seed, device, f"hashprobe quickstart --out {out} --seed {seed}")


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="A recipe (quickstart, quickstart-seeds, flickr25k-64, or a TOML file), or of the paper: table1 to table4, "
            "figure2, figure3, figure4a, figure4b; saat-table; all."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="Data for the paper's grid: flickr25k, nus-wide or ms-coco with --source; or openmoji."
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Folder of the data, where hashprobe does not make it.", callback=expanded),
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="Size of the paper's grid: paper (224 pixels, a GPU), cpu (64, two cores), or a TOML file."
        ),
    ] = "cpu",
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a backbone of the paper's grid starts from, as NAME=FILE (safetensors); may be repeated. Files in a "
            "folder weights beside the data are found by their names."
        ),
    ] = None,
    data_option: DataOption = None,
    engine: Annotated[
        str, typer.Option(help="Where the grid's cells are computed: here, processes, or ray.")
    ] = "here",
    workers: Annotated[
        int | None, typer.Option(help="Cells at once; one a processor if not given.", min=1)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results; runs/NAME, or runs/paper-DATA-SCALE for the paper's.",
            callback=expanded,
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Run a named experiment, or the paper's tables and figures.

    Started again, it goes on where it was. Tables and figures of one grid share a folder: a model is trained once, and
    a finished cell is not measured again.

    Example: hashprobe reproduce flickr25k-64 --source path/to/flickr25k

    Example: hashprobe reproduce table1 --data flickr25k --source path/to/flickr25k --engine processes
    """
    from hashprobe.data import DATA_SETS
    from hashprobe.devices import resolve_device
    from hashprobe.errors import HashprobeError, unknown_name
    from hashprobe.experiments import RECIPES, Grid
    from hashprobe.experiments.paper import EXHIBITS, PUBLISHED_BETAS, Catalogue, grid_size, weights_beside

    if name != EVERYTHING and name not in EXHIBITS:
        if name not in RECIPES and not name.endswith(".toml"):
            raise unknown_name("recipe, table or figure", name, [*RECIPES, *EXHIBITS, EVERYTHING])
        _reproduce_recipe(name, source, out, seed, device)
        return
    size = grid_size(scale, data)
    if data is None:
        raise HashprobeError(f"{name} needs data: --data flickr25k --source FOLDER, or --data openmoji.")
    if source is None and data not in DATA_SETS:
        raise HashprobeError(f"{data!r} needs pictures of yours; name their folder with --source.")
    backbones = [model.backbone for model in size.models]
    given = weights_beside(source, backbones) if source else {}
    given |= {backbone: Path(str(file)) for backbone, file in read_pairs(weights or (), "--weights").items()}
    grid = Grid(
        folder=out or Path("runs") / f"paper-{data}-{Path(scale).stem}",
        data=str(source) if source else data,
        data_options=read_data_options(data_option),
        image_size=size.scale.image_size,
        queries=size.queries,
        train=size.train,
        seed=seed,
        device=str(resolve_device(device)),
        progress=engine == "here",
    )
    catalogue = Catalogue(grid, size.with_weights(given), data if data in PUBLISHED_BETAS else None)
    options: dict[str, Sequence[object]] = {
        "--source": [source] if source else [],
        "--scale": [scale],
        "--weights": weights or [],
        "--data-option": data_option or [],
        "--engine": [engine],
        "--workers": [workers] if workers else [],
        "--seed": [seed] if seed else [],
    }
    said = [f"{option} {value}" for option, values in options.items() for value in values]
    command = " ".join([f"hashprobe reproduce {name} --data {data}", *said])
    names = list(EXHIBITS) if name == EVERYTHING else [name]
    _run_grid(names, catalogue, engine, workers, command)


def _run_grid(names: list[str], catalogue: Catalogue, engine: str, workers: int | None, command: str) -> None:
    from hashprobe.errors import HashprobeError
    from hashprobe.experiments.engine import open_engine
    from hashprobe.experiments.paper import reproduce as reproduce_exhibits

    with open_engine(engine, workers) as opened:
        outcome = reproduce_exhibits(names, catalogue, opened, command=command, say=say)
    counts = len(outcome.kept), len(outcome.made), len(outcome.failed)
    say("{} tasks were finished before, {} done, {} not".format(*counts))
    if (catalogue.grid.folder / "results.jsonl").stat().st_size:
        print_findings(catalogue.grid.folder)
    if outcome.failed:
        first = next(iter(outcome.failed.values()))
        raise HashprobeError(
            f"{len(outcome.failed)} of the grid's tasks failed ({first}); the pages in {catalogue.grid.folder} name them."
        )


def _reproduce_recipe(name: str, source: Path | None, out: Path | None, seed: int, device: str) -> None:
    from hashprobe.data import DATA_SETS
    from hashprobe.errors import HashprobeError
    from hashprobe.experiments import find_recipe

    recipe = find_recipe(name)
    folder = out or Path("runs") / recipe.name
    command = f"hashprobe reproduce {name} --out {folder} --seed {seed}"
    if source is not None:
        recipe, command = recipe.model_copy(update={"data": str(source)}), f"{command} --source {source}"
    elif recipe.data not in DATA_SETS:
        raise HashprobeError(f"the recipe {name!r} needs pictures of yours; name their folder with --source.")
    _walk(recipe, folder, seed, device, command)


def _walk(experiment: Experiment, out: Path, seed: int, device: str, command: str) -> None:
    from hashprobe.experiments import Run
    from hashprobe.report import write_report

    say(experiment.title)
    for part, minutes in experiment.expected_minutes.items():
        say(f"  {part}: about {minutes:g} min on two cores")
    run = Run(experiment, out, seed=seed, device=device, command=command, progress=True, say=say)
    print_results(run(), out)
    say(f"wrote {out / 'results.jsonl'} and {write_report(out)}")
