"""Options that several verbs share, and how their texts are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hashprobe.errors import HashprobeError, shortened, unknown_name
from hashprobe.settings_text import read_pairs

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hashprobe.data import RetrievalData
    from hashprobe.evaluation import SearchSettings
    from hashprobe.hashing import HashModel, RankedService
    from hashprobe.trained import Trained

Settings = TypeVar("Settings", bound="BaseModel")


def expanded(path: Path | None) -> Path | None:
    """Return a path with ``~`` expanded, which a shell leaves as it is in ``--out=~/here``."""
    from hashprobe.files import user_path

    return None if path is None else user_path(path)


Out = Annotated[
    Path,
    typer.Option(
        help="Folder for the results: new, empty, or of the same experiment (which goes on).",
        callback=expanded,
    ),
]


def _check_seed(seed: int) -> int:
    """Say that a seed has more than 64 bits, which torch does not take."""
    if not -(1 << 63) <= seed < 1 << 63:
        raise HashprobeError(f"--seed must be a whole number of 64 bits; found {shortened(seed)}.")
    return seed


Seed = Annotated[int, typer.Option(help="Of everything random.", callback=_check_seed)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
ImageSize = Annotated[int, typer.Option(help="Height and width of the images, in pixels.")]
Data = Annotated[str, typer.Option(help="A data set's name, a folder of lists, or a CSV table.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(help="Option of the data set as NAME=VALUE, for example queries=200; may be repeated."),
]
Queries = Annotated[
    int | None,
    typer.Option(
        help="How many queries are attacked, drawn by the seed where the data have more; all if not given.",
        min=1,
    ),
]
MODEL_HELP = (
    "Folder of a hash model, as train-hash wrote it; the name of a model of 'list models' (pdq, phash, … and plugins'); a "
    ".pt, .pt2 or .onnx file; or a service: command:PROGRAM, or an address that begins with http:. Settings follow after commas: "
    "net.onnx,mean=imagenet. Several with a plus between them are one model, whose code is all of theirs: runs/a+runs/b."
)
Model = Annotated[str, typer.Option(help=MODEL_HELP)]
TrainedFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--trained", help="Folder of a trained attack or code, as train-attack wrote it; may be repeated."
    ),
]
AsTransfer = Annotated[
    bool,
    typer.Option("--transfer", help="Take trained attacks of another model as well; their rows then say so."),
]
Index = Annotated[
    str,
    typer.Option(
        "--index",
        help="How the database is searched: scan (exactly), or another of 'list indexes', with settings after a colon: "
        "faiss-hnsw:search_width=64.",
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(help="How many of the first items count: MAP@k. All for scan, 100 otherwise.", min=1),
]
EncodedCodes = Annotated[
    Path | None,
    typer.Option(
        "--codes", help="Folder that hashprobe encode wrote: its codes are taken, and none is made anew."
    ),
]
Protocols = Annotated[
    list[str],
    typer.Option("--protocol", help="Target label protocol: paper, disjoint or single; may be repeated."),
]
Attacks = Annotated[
    list[str],
    typer.Option(
        "--attack",
        help="An attack's name, with settings after a colon: I-FGSM, or DHTA:steps=100,epsilon=4/255,code=p2p, or "
        "I-FGSM:goal=untargeted, or FewStep:start=ProS-GAN, steps from its image on; epsilon=none is unbounded. May be repeated.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A setting of the training as NAME=VALUE, for example epochs=3; may be repeated."
    ),
]


def with_overrides(settings: Settings, texts: Sequence[str] | None, option: str) -> Settings:
    """Return settings with ``NAME=VALUE`` texts in place of their own values, checked.

    Raises:
        HashprobeError: a text that cannot be read, or an unknown name.
        pydantic.ValidationError: a value that the setting does not take.
    """
    values = read_pairs(texts or (), option)
    for name in values:
        if name not in type(settings).model_fields:
            raise unknown_name(f"setting for {option}", name, type(settings).model_fields)
    return type(settings)(**(settings.model_dump() | values))


def read_data_options(options: Sequence[str] | None) -> dict[str, Any]:
    """Read ``--data-option`` as options of a data set by name.

    Raises:
        HashprobeError: a text that cannot be read, or what has an option of the command of its own.
    """
    named = read_pairs(options or (), "--data-option")
    for name in ("name_or_path", "image_size", "seed", "progress"):
        if name in named:
            own = {"image_size": "--image-size", "seed": "--seed"}.get(name)
            instead = f"; give {own}." if own else "."
            raise HashprobeError(f"--data-option: {name} is no option of a data set{instead}")
    return named


def load_data(
    data: str, image_size: int, seed: int, options: Sequence[str] | None, queries: int | None = None
) -> RetrievalData:
    """Load a data set as the options describe it; of several processes the main one first, which fills the cache.

    Where it has more than ``queries``, so many are drawn.
    """
    from hashprobe.data import load
    from hashprobe.processes import processes

    named = read_data_options(options)
    loaded = processes().main_first(lambda: load(data, image_size, seed, progress=True, **named))
    fewer = queries is not None and queries < len(loaded.query)
    return loaded.sample(query=queries, seed=seed) if fewer else loaded


def open_models(names: Sequence[str], device: str) -> dict[str, HashModel]:
    """Return hash models by name, on a device: names of ``MODELS``, or what is opened and named after itself.

    Raises:
        HashprobeError: one that cannot be opened, or is given twice.
    """
    from hashprobe.devices import resolve_device
    from hashprobe.files import user_path
    from hashprobe.hashing import MODELS, is_outside, open_model, parts_of
    from hashprobe.hashing.models.joined import AND

    place = resolve_device(device)
    plain = [AND.join(_short(part) for part in parts_of(name)) for name in names]
    own = [
        short
        if plain.count(short) == 1
        else f"{short}-{number}"
        if is_outside(name)
        else name.replace("/", "_")
        for number, (name, short) in enumerate(zip(names, plain, strict=True), start=1)
    ]
    as_said = {name for name in names if name in MODELS or is_outside(name)}
    places = {name if name in as_said else str(user_path(name).resolve()) for name in names}
    if min(len(places), len(set(own))) < len(names):
        raise HashprobeError("--model: a model is given twice; give each once.")
    return {short: open_model(name).to(place) for short, name in zip(own, names, strict=True)}


def _short(name: str) -> str:
    from hashprobe.hashing import is_outside

    return _as_a_name(name) if is_outside(name) else Path(name).name


def open_search(name: str, images: Path, device: str) -> tuple[str, HashModel | RankedService]:
    """Return a model by its name as :func:`open_models` does, or a service, which may list the photographs of a folder alone.

    Raises:
        HashprobeError: it cannot be opened.
    """
    from hashprobe.auditing import find_photos
    from hashprobe.hashing import open_service
    from hashprobe.hashing.models.outside.services import SERVICES

    if name.startswith(SERVICES):
        return _as_a_name(name), open_service(name, names=find_photos(images).names)
    ((short, model),) = open_models([name], device).items()
    return short, model


def _as_a_name(model: str) -> str:
    """Return what rows and files are named after, of a model with settings, arguments or an address."""
    file, comma, settings = model.partition(",")
    return re.sub(r"[^\w.-]+", "-", Path(file).name + comma + settings).strip("-")[:60]


def load_trained_folders(folders: Sequence[Path] | None) -> list[Trained]:
    """Return the trained attacks and codes of the option ``--trained``."""
    import hashprobe.attacks  # registers them  # noqa: F401
    from hashprobe.trained import load_trained

    return [load_trained(folder) for folder in folders or ()]


def read_search(text: str, top_k: int | None) -> SearchSettings:
    """Read ``--index`` as ``NAME`` or ``NAME:setting=value,…``."""
    from hashprobe.evaluation import SearchSettings

    name, _, rest = text.partition(":")
    settings = read_pairs([part for part in rest.split(",") if part], f"--index {name}")
    return SearchSettings(index=name, settings=settings, top_k=top_k)
