"""Verbs on data: ``data list``, ``data show``, ``data check`` and ``data build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.list import list_kind
from hashprobe.cli.options import DataOption, ImageSize, Seed, load_data, read_data_options
from hashprobe.cli.printing import say
from hashprobe.cli.verb import add_verb

Name = Annotated[
    str | None,
    typer.Argument(metavar="DATA", help="The same as --data, in fewer letters.", show_default=False),
]
Data = Annotated[str | None, typer.Option(help="A data set's name, a folder of lists, or a CSV table.")]


def list_data() -> None:
    """List the data sets known by name.

    Example: hashprobe data list
    """
    list_kind("data")


def show_data(
    name: Name = None,
    data: Data = None,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("sheet.png"),
    image_size: ImageSize = 64,
    seed: Seed = 0,
    data_option: DataOption = None,
) -> None:
    """Write a sheet of database pictures; print the splits' sizes.

    The sheet is a PNG file.

    Example: hashprobe data show --data openmoji --out sheet.png
    """
    from hashprobe.data import contact_sheet
    from hashprobe.files import replacing

    loaded = load_data(_one_of(name, data), image_size, seed, data_option)
    with replacing(out) as temporary:
        contact_sheet(loaded.database).save(temporary, format="PNG")
    sizes = f"{len(loaded.query)} queries, {len(loaded.database)} database, {len(loaded.train)} train"
    say(f"{loaded.name}: {sizes}, {loaded.classes} classes")
    say(f"wrote {out}")


def check_data(
    name: Name = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file to write the audit to.")] = None,
    image_size: ImageSize = 64,
    seed: Seed = 0,
    data_option: DataOption = None,
) -> None:
    """Audit a data set; exit code 1 if it has an error.

    Looked for: overlaps, duplicates, unlabelled rows, class counts, chance levels.

    Example: hashprobe data check --data path/to/flickr25k --out audit.json
    """
    from hashprobe.data import audit_data
    from hashprobe.files import write_json

    options = read_data_options(data_option)
    audited = audit_data(_one_of(name, data), image_size=image_size, seed=seed, progress=True, **options)
    for line in audited.lines():
        say(line)
    if out is not None:
        write_json(out, audited.as_dict())
        say(f"wrote {out}")
    if not audited.sound:
        raise typer.Exit(1)


def build_data(
    name: Annotated[
        str, typer.Argument(help="What is built: flickr25k, nus-wide or ms-coco, or a generated data set.")
    ],
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
    """Write a data set as a folder of lists.

    It is made from its official archives, or, where it is generated, from a seed.

    Example: hashprobe data build flickr25k --source path/to/mirflickr --out flickr25k
    """
    from hashprobe.data import build_data_set

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


def _one_of(name: str | None, data: str | None) -> str:
    """Return the data set that was named, as an argument or as ``--data``."""
    given = [each for each in (name, data) if each is not None]
    if len(given) != 1:
        from hashprobe.errors import HashprobeError

        raise HashprobeError(f"--data: one data set is to be named; found {len(given)}.")
    return given[0]


app = typer.Typer(no_args_is_help=True, help="List, show, check and build data sets.")
add_verb(app, "list", list_data)
add_verb(app, "show", show_data)
add_verb(app, "check", check_data)
add_verb(app, "build", build_data)
