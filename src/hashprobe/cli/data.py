"""Verbs on data: ``data list``, ``data show``, ``data check`` and ``data build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import DataOption, ImageSize, Seed, load_data, read_pairs
from hashprobe.cli.printing import say
from hashprobe.data import DATA_SETS, build_data_set, contact_sheet, names_to_build
from hashprobe.evaluation import audit_data
from hashprobe.files import replacing, write_json

app = typer.Typer(no_args_is_help=True, help="List, show, check and build data sets.")

Name = Annotated[str, typer.Argument(help="A data set's name, a folder of lists, or a CSV table.")]


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
    data_option: DataOption = None,
) -> None:
    """Write a sheet of database pictures as a PNG, and print the size of each split.

    Example: hashprobe data show openmoji --out sheet.png
    """
    data = load_data(name, image_size, seed, data_option)
    with replacing(out) as temporary:
        contact_sheet(data.database).save(temporary, format="PNG")
    sizes = f"{len(data.query)} queries, {len(data.database)} database, {len(data.train)} train"
    say(f"{data.name}: {sizes}, {data.classes} classes")
    say(f"wrote {out}")


@app.command("check")
def check_data(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="A JSON file to write the audit to.")] = None,
    image_size: ImageSize = 64,
    seed: Seed = 0,
    data_option: DataOption = None,
) -> None:
    """Audit a data set: overlaps, duplicates, unlabelled rows, class counts, chance levels; exit code 1 if it has an error.

    Example: hashprobe data check path/to/flickr25k --out audit.json
    """
    options = read_pairs(data_option or (), "--data-option")
    audited = audit_data(name, image_size=image_size, seed=seed, progress=True, **options)
    for line in audited.lines():
        say(line)
    if out is not None:
        write_json(out, audited.as_dict())
        say(f"wrote {out}")
    if not audited.sound:
        raise typer.Exit(1)


@app.command("build")
def build_data(
    name: Annotated[str, typer.Argument(help=f"What is built: {', '.join(names_to_build())}.")],
    out: Annotated[Path, typer.Option(help="Folder to write: new, empty, or of the same build.")],
    source: Annotated[
        Path | None, typer.Option(help="Folder in which the official archives were unpacked.")
    ] = None,
    lists: Annotated[
        Path | None,
        typer.Option(help="Folder of lists, or CSV table, whose splits are taken; drawn if not given."),
    ] = None,
    queries: Annotated[
        int | None, typer.Option(help="Queries to draw; the paper's number by default.")
    ] = None,
    train: Annotated[
        int | None, typer.Option(help="Training images to draw; the paper's number by default.")
    ] = None,
    image_size: ImageSize = 64,
    seed: Seed = 0,
) -> None:
    """Write a data set as a folder of lists, from its official archives or, for a generated one, from a seed.

    Example: hashprobe data build flickr25k --source path/to/mirflickr --out flickr25k
    """
    built = build_data_set(
        name,
        source,
        out,
        seed=seed,
        queries=queries,
        train=train,
        lists=lists,
        image_size=image_size,
        progress=True,
    )
    for warning in built.warnings:
        say(f"warning: {warning}")
    sizes = (
        f"{built.queries} queries, {built.database} database, {built.train} train, {built.classes} classes"
    )
    say(f"wrote {built.out}: {sizes}")
