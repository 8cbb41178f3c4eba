"""Options that several verbs share, and how their texts are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hashprobe.errors import HashprobeError, unknown_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hashprobe.attacks import ProSGAN
    from hashprobe.data import RetrievalData
    from hashprobe.evaluation import AttackCell
    from hashprobe.hashing import HashModel

Settings = TypeVar("Settings", bound="BaseModel")

Out = Annotated[
    Path, typer.Option(help="Folder for the results: new, empty, or of the same experiment (which goes on).")
]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
ImageSize = Annotated[int, typer.Option(help="Height and width of the images, in pixels.")]
Data = Annotated[str, typer.Option(help="A data set's name, a folder of lists, or a CSV table.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(help="Option of the data set as NAME=VALUE, for example queries=200; may be repeated."),
]
ModelFolder = Annotated[Path, typer.Option(help="Folder of a hash model, as train-hash wrote it.")]
ProSGANFolder = Annotated[
    Path | None, typer.Option("--prosgan", help="Folder of a ProS-GAN, as train-attack wrote it.")
]
Protocols = Annotated[
    list[str],
    typer.Option("--protocol", help="Target label protocol: paper, disjoint or single; may be repeated."),
]
Attacks = Annotated[
    list[str],
    typer.Option(
        "--attack",
        help="An attack's name, with settings after a colon: I-FGSM, or DHTA:steps=100,epsilon=4/255,code=p2p; "
        "epsilon=none is unbounded. May be repeated.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A setting of the training as NAME=VALUE, for example epochs=3; may be repeated."
    ),
]


def read_value(text: str) -> Any:
    """Read ``none``, a fraction such as ``8/255``, or JSON; what is none of them is a text."""
    if text.lower() == "none":
        return None
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else json.loads(text)
    except (ValueError, ZeroDivisionError):
        return text


def read_pairs(texts: Sequence[str], option: str) -> dict[str, Any]:
    """Read ``NAME=VALUE`` texts.

    Raises:
        HashprobeError: a text without a name or ``=``, or a name that is given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise HashprobeError(f"{option}: expected NAME=VALUE, as in epochs=3; found {text!r}.")
        if name in values:
            raise HashprobeError(f"{option}: {name} is given twice; give it once.")
        values[name] = read_value(value)
    return values


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


def read_attack(text: str, *, gallery: bool = True) -> AttackCell:
    """Read an attack as ``NAME`` or ``NAME:setting=value,…,code=…``."""
    from hashprobe.evaluation import AttackCell

    name, _, rest = text.partition(":")
    values = read_pairs([part for part in rest.split(",") if part], f"--attack {name}")
    code = values.pop("code", None)
    for setting, value in values.items():
        if not isinstance(value, int | float | None):
            raise HashprobeError(f"--attack {name}: {setting} must be a number or none; found {value!r}.")
    return AttackCell(attack=name, code=code, settings=values, gallery=gallery)


def load_data(data: str, image_size: int, seed: int, options: Sequence[str] | None) -> RetrievalData:
    """Load a data set as the options describe it; of several processes the main one first, which fills the cache."""
    from hashprobe.data import load
    from hashprobe.processes import processes

    named = read_pairs(options or (), "--data-option")
    return processes().main_first(lambda: load(data, image_size, seed, progress=True, **named))


def load_prosgan(folder: Path | None, model: HashModel, data: RetrievalData) -> dict[str, ProSGAN]:
    """Return the trained attacks of the option ``--prosgan``, by name."""
    if folder is None:
        return {}
    from hashprobe.attacks import ProSGAN

    attack = ProSGAN.load(folder, bits=model.bits, classes=data.classes)
    if attack.image_size != data.image_size:
        raise HashprobeError(
            f"{folder} holds a ProS-GAN for images of {attack.image_size} pixels; give --image-size {attack.image_size}."
        )
    return {"ProS-GAN": attack}


def identity(*facts: Any) -> str:
    """Return the fingerprint of everything that a verb's results depend on."""
    from hashprobe.files import sha256_of

    return sha256_of(*(json.dumps(fact, sort_keys=True, default=str) for fact in facts))
