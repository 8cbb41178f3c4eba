"""``hashprobe``: each verb checks its arguments, calls the library, and prints what a person wants to know."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hashprobe._version import __version__
from hashprobe.data import DATA_SETS, contact_sheet, load
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import ResultRow
from hashprobe.files import replacing
from hashprobe.recipes import RECIPES, Experiment, Run
from hashprobe.report import write_report

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)
data_app = typer.Typer(no_args_is_help=True, help="List data sets and look at them.")
app.add_typer(data_app, name="data")

Out = Annotated[
    Path, typer.Option(help="Folder for the results: new, empty, or of the same experiment (which goes on).")
]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
ImageSize = Annotated[int, typer.Option(help="Height and width of the images, in pixels.")]


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with code 2."""
    try:
        app()
    except HashprobeError as error:
        print(f"hashprobe: {error}", file=sys.stderr)
        sys.exit(2)


@app.command()
def version() -> None:
    """Print the version.

    Example: hashprobe version
    """
    print(__version__)


@app.command()
def quickstart(out: Out = Path("runs/quickstart"), seed: Seed = 0, device: Device = "cpu") -> None:
    """Walk the whole way on generated pictures: data, hash model, ProS-GAN, baselines, rows and gallery.

    Example: hashprobe quickstart --out runs/quickstart
    """
    _run(RECIPES["quickstart"], out, seed, device, f"hashprobe quickstart --out {out} --seed {seed}")


@app.command()
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
    _run(recipe, folder, seed, device, command)


@app.command()
def report(directory: Annotated[Path, typer.Argument(help="Folder of a run, with results.jsonl.")]) -> None:
    """Write report.html of a folder of results.

    Example: hashprobe report runs/quickstart
    """
    print(f"wrote {write_report(directory)}")


@data_app.command("list")
def list_data() -> None:
    """List the data sets that are known by name.

    Example: hashprobe data list
    """
    for name in DATA_SETS:
        print(name)


@data_app.command("show")
def show_data(
    name: Annotated[str, typer.Argument(help="Name of a data set.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("sheet.png"),
    image_size: ImageSize = 64,
    seed: Seed = 0,
) -> None:
    """Write a sheet of database pictures as a PNG, and print the size of each split.

    Example: hashprobe data show openmoji --out sheet.png
    """
    data = load(name, image_size=image_size, seed=seed, progress=True)
    with replacing(out) as temporary:
        contact_sheet(data.database).save(temporary, format="PNG")
    print(
        f"{data.name}: {len(data.query)} queries, {len(data.database)} database, {len(data.train)} train, {data.classes} classes"
    )
    print(f"wrote {out}")


def _run(experiment: Experiment, out: Path, seed: int, device: str, command: str) -> None:
    print(experiment.title)
    for part, minutes in experiment.expected_minutes.items():
        print(f"  {part}: about {minutes:g} min on two cores")
    run = Run(experiment, out, seed=seed, device=device, command=command, progress=True, say=_say)
    _print_rows(run())
    print(f"wrote {out / 'results.jsonl'} and {write_report(out)}")


def _say(line: str) -> None:
    print(line, flush=True)


def _print_rows(rows: list[ResultRow]) -> None:
    table = Table(title="t-MAP in percent, with its 95 % interval; chance is a random ranking's")
    for heading in ("protocol", "attack", "code", "budget", "t-MAP", "interval", "chance", "RMS"):
        table.add_column(
            heading, justify="left" if heading in ("protocol", "attack", "code", "budget") else "right"
        )
    for row in rows:
        budget = (
            "–"
            if row.linf is None
            else "unbounded"
            if row.epsilon is None
            else f"{row.epsilon * 255:.3g}/255"
        )
        table.add_row(
            row.protocol,
            row.attack,
            row.code,
            budget,
            f"{row.t_map * 100:.1f}",
            f"{row.t_map_low * 100:.1f}–{row.t_map_high * 100:.1f}",
            f"{row.chance * 100:.1f}",
            "–" if row.rms is None else f"{row.rms:.4f}",
        )
    Console().print(table)
