"""Verbs that walk the whole way of a recipe: ``quickstart`` and ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import Device, Out, Seed
from hashprobe.cli.printing import print_rows, say
from hashprobe.data import DATA_SETS
from hashprobe.errors import HashprobeError
from hashprobe.recipes import RECIPES, Experiment, Run
from hashprobe.report import write_report


def quickstart(out: Out = Path("runs/quickstart"), seed: Seed = 0, device: Device = "cpu") -> None:
    """Walk the whole way on generated pictures: data, hash model, ProS-GAN, baselines, rows and gallery.

    Example: hashprobe quickstart --out runs/quickstart
    """
    _walk(RECIPES["quickstart"], out, seed, device, f"hashprobe quickstart --out {out} --seed {seed}")


def reproduce(
    name: Annotated[str, typer.Argument(help="Name of a recipe.")],
    source: Annotated[
        Path | None, typer.Option(help="Folder of the data, where hashprobe does not make it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; runs/NAME if not given.")] = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Run a named experiment; started again, it goes on where it was.

    Example: hashprobe reproduce flickr25k-64 --source path/to/flickr25k
    """
    recipe, folder = RECIPES[name], out or Path("runs") / name
    command = f"hashprobe reproduce {name} --out {folder} --seed {seed}"
    if source is not None:
        recipe, command = recipe.model_copy(update={"data": str(source)}), f"{command} --source {source}"
    elif recipe.data not in DATA_SETS:
        raise HashprobeError(f"the recipe {name!r} needs pictures of yours; name their folder with --source.")
    _walk(recipe, folder, seed, device, command)


def _walk(experiment: Experiment, out: Path, seed: int, device: str, command: str) -> None:
    say(experiment.title)
    for part, minutes in experiment.expected_minutes.items():
        say(f"  {part}: about {minutes:g} min on two cores")
    run = Run(experiment, out, seed=seed, device=device, command=command, progress=True, say=say)
    print_rows(run())
    say(f"wrote {out / 'results.jsonl'} and {write_report(out)}")
