"""Verbs on data: ``data list`` and ``data show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import ImageSize, Seed
from hashprobe.cli.printing import say
from hashprobe.data import DATA_SETS, contact_sheet, load
from hashprobe.files import replacing

app = typer.Typer(no_args_is_help=True, help="List, show, check and build data sets.")

Name = Annotated[str, typer.Argument(help="A data set's name, or a folder of lists.")]


@app.command("list")
def list_data() -> None:
    """List the data sets that are known by name.

    Example: hashprobe data list
    """
    for name in DATA_SETS:
        say(name)


@app.command("show")
def show_data(
    name: Name,
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
    sizes = f"{len(data.query)} queries, {len(data.database)} database, {len(data.train)} train"
    say(f"{data.name}: {sizes}, {data.classes} classes")
    say(f"wrote {out}")
