"""Verbs that train: ``train-hash`` and ``train-attack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.options import (
    Data,
    DataOption,
    Device,
    ModelFolder,
    Out,
    Overrides,
    Seed,
    identity,
    load_data,
    with_overrides,
)
from hashprobe.cli.printing import say

ScaleName = Annotated[
    str,
    typer.Option(
        help="Sizes and schedules: cpu (64 pixels, short), paper, or released (the authors' program)."
    ),
]
OwnImageSize = Annotated[
    int | None, typer.Option(help="Height and width of the images, in pixels; the scale's if not given.")
]


def train_hash(
    data: Data = "openmoji",
    backbone: Annotated[str, typer.Option(help="Name of the backbone.")] = "efficientnet_lite0",
    weights: Annotated[
        str, typer.Option(help="bundled, pretrained, none, or a safetensors file.")
    ] = "bundled",
    bits: Annotated[int, typer.Option(help="Code length.", min=1, max=1024)] = 32,
    scale: ScaleName = "cpu",
    overrides: Overrides = None,
    image_size: OwnImageSize = None,
    data_option: DataOption = None,
    out: Out = Path("runs/hash-model"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a hash model.

    Started again, it goes on where it was.

    Example: hashprobe train-hash --data openmoji --bits 32 --set epochs=3 --out runs/dpsh-32
    """
    from hashprobe.devices import resolve_device
    from hashprobe.evaluation import Evaluator
    from hashprobe.folders import claim, recording
    from hashprobe.hashing import HashModel
    from hashprobe.recipes import SCALES, AttackedModel, how_made, parts

    training = with_overrides(SCALES[scale].training, overrides, "--set")
    settings = AttackedModel(backbone=backbone, weights=weights, bits=bits, training=training)
    place = resolve_device(device)
    loaded = load_data(data, image_size or SCALES[scale].image_size, seed, data_option)
    mark = identity(settings.model_dump(), loaded.split_sha256, loaded.image_size, seed)
    if not claim(out, mark):
        HashModel.build(backbone, bits=bits, weights=weights)  # says a wrong name before the folder is taken
    facts = {
        "title": f"A {bits}-bit {training.loss} model on {loaded.name}.",
        "settings": settings.model_dump(mode="json"),
        "data": loaded.summary(),
        **how_made(seed, place),
    }
    with recording(out, mark, facts, "hash model"):
        model = parts.hash_model(
            out, settings, loaded, seed=seed, device=place, logs=out / "training", progress=True
        )
    measured = Evaluator(model, loaded, protocol="disjoint", seed=seed, progress=True)
    say(f"MAP {measured.map_benign:.3f} (chance {measured.map_chance:.3f}) on {len(loaded.query)} queries")
    say(f"wrote {out}")


def train_attack(
    model: ModelFolder = Path("runs/hash-model"),
    data: Data = "openmoji",
    scale: ScaleName = "cpu",
    overrides: Overrides = None,
    prototype: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting of PrototypeNet as NAME=VALUE, for example steps=2000; may be repeated."
        ),
    ] = None,
    image_size: OwnImageSize = None,
    data_option: DataOption = None,
    out: Out = Path("runs/prosgan"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train ProS-GAN against a hash model.

    PrototypeNet is trained first, then generator and discriminator; started again, it goes on where it was.

    Example: hashprobe train-attack --model runs/dpsh-32 --data openmoji --set epochs=3 --out runs/prosgan
    """
    from hashprobe.devices import resolve_device
    from hashprobe.folders import recording
    from hashprobe.hashing import HashModel
    from hashprobe.recipes import SCALES, how_made, parts

    settings = with_overrides(SCALES[scale].prosgan, overrides, "--set")
    prototype_settings = with_overrides(SCALES[scale].prototype, prototype, "--prototype")
    place = resolve_device(device)
    attacked = HashModel.load(model).to(place)
    loaded = load_data(data, image_size or SCALES[scale].image_size, seed, data_option)
    settings_used = {"prosgan": settings.model_dump(), "prototype": prototype_settings.model_dump()}
    mark = identity(settings_used, attacked.sha256(), loaded.split_sha256, loaded.image_size, seed)
    facts = {
        "title": f"ProS-GAN against a {attacked.bits}-bit model on {loaded.name}.",
        "settings": settings_used,
        "model": {"bits": attacked.bits, "sha256": attacked.sha256()},
        "data": loaded.summary(),
        **how_made(seed, place),
    }
    with recording(out, mark, facts, "ProS-GAN"):
        train_codes = attacked.codes(loaded.train.images, progress=True, together=True)
        network = parts.prototype_net(
            out / "prototype",
            prototype_settings,
            loaded,
            train_codes,
            bits=attacked.bits,
            seed=seed,
            device=place,
            logs=out / "training",
            progress=True,
        )
        parts.prosgan(
            out, settings, attacked, loaded, network, seed=seed, logs=out / "training", progress=True
        )
    say(f"wrote {out}")
