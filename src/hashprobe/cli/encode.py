"""The verb ``encode``: codes of many pictures, in shards, into a store that other verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import MODEL_HELP, DataOption, Device, Out, Seed, load_data
from hashprobe.cli.printing import said, say


def encode(
    model: Annotated[str, typer.Option(help=MODEL_HELP)],
    images: Annotated[
        Path | None, typer.Option(help="Folder of photographs of any size, with the folders in it.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="In its place a data set, whose database is meant: a name, a folder of lists, or a CSV table."
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Square that pictures are cropped and resized to for the model; by default 64, or the photographs' own size "
            "where the model resizes by itself."
        ),
    ] = None,
    data_option: DataOption = None,
    engine: Annotated[str, typer.Option(help="Where shards are encoded: here, processes, or ray.")] = "here",
    workers: Annotated[
        int | None, typer.Option(help="Processes; one a processor if not given.", min=1)
    ] = None,
    out: Out = Path("runs/codes"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Encode many pictures into a store that --codes takes.

    They are encoded in shards, each of them once: after a kill the same command goes on. A service is asked no more than its
    questions= in a call, and no faster than its per_second= by all processes together.

    Example: hashprobe encode --model runs/dpsh-32 --images photos --engine processes --out runs/codes
    """
    from hashprobe.errors import HashprobeError
    from hashprobe.experiments import encode as encode_pictures

    if (images is None) == (data is None):
        raise HashprobeError("give either --images, a folder, or --data, a data set.")
    if images is not None and data_option:
        raise HashprobeError("--data-option is of a data set, and --images is a folder.")
    given = images or load_data(str(data), image_size or 64, seed, data_option)
    found = encode_pictures(
        model,
        given,
        out=out,
        image_size=image_size,
        device=device,
        engine=engine,
        workers=workers,
        command=said(),
        progress=True,
        say=say,
    )
    for name, why in found.left_out[:3]:
        say(f"left out: {name} {why}")
    if len(found.left_out) > 3:
        say(f"left out: {len(found.left_out) - 3} more, named in {out / 'left_out.jsonl'}")
    say(
        f"wrote {found.store.path}: {len(found.store):,} codes of {found.store.bits} bits, {found.made:,} pictures encoded now"
    )
