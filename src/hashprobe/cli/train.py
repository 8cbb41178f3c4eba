"""Verbs that train: ``train-hash`` and ``train-attack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hashprobe.cli.options import (
    Data,
    DataOption,
    Device,
    Model,
    Out,
    Overrides,
    Seed,
    TrainedFolders,
    load_data,
    load_trained_folders,
    open_models,
    with_overrides,
)
from hashprobe.cli.printing import say
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.settings_text import read_pairs

ScaleName = Annotated[
    str,
    typer.Option(
        help="Sizes and schedules: cpu (64 pixels, short; PrototypeNet and ProS-GAN in forms of our own), paper, or "
        "released (the authors' program)."
    ),
]
OwnImageSize = Annotated[
    int | None, typer.Option(help="Height and width of the images, in pixels; the scale's if not given.")
]


def train_hash(
    data: Data = "openmoji",
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of a model that a plugin registers, in place of a backbone with a hash layer; bits and first weights "
            "are its own."
        ),
    ] = None,
    backbone: Annotated[str, typer.Option(help="Name of the backbone.")] = "efficientnet_lite0",
    weights: Annotated[
        str, typer.Option(help="bundled, pretrained, none, or a safetensors file.")
    ] = "bundled",
    caffe: Annotated[
        bool,
        typer.Option(
            "--caffe",
            help="The weights are from the time of Caffe: they take RGB from 0 to 255 minus a mean.",
        ),
    ] = False,
    bits: Annotated[int, typer.Option(help="Code length.", min=1, max=1024)] = 32,
    scale: ScaleName = "cpu",
    overrides: Overrides = None,
    defence: Annotated[
        str | None,
        typer.Option(help="A defence to train with, with settings after a colon; see 'list defences'."),
    ] = None,
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
    from hashprobe.experiments import SCALES, AttackedModel, how_made, train_model_into
    from hashprobe.folders import recording
    from hashprobe.hashing import CAFFE_MEAN, CAFFE_STD, HASH_LOSSES, HashModel
    from hashprobe.hashing.training.parameters import halves, parameter_groups
    from hashprobe.identity import fingerprint

    if caffe and model:
        raise HashprobeError(
            "--caffe is of weights for a backbone; a registered model has its own preprocessing."
        )
    place = resolve_device(device)
    named, training = HashModel.named(model) if model else None, SCALES[scale].training
    if named is not None and halves(named.network) is None:
        training = training.model_copy(
            update={"start": "random"}
        )  # it has no hash layer that labels could start
    training = with_overrides(training, overrides, "--set")
    against, _, rest = defence.partition(":") if defence else (None, "", "")
    settings = AttackedModel(
        named=model,
        backbone=backbone,
        weights="none" if model else weights,
        mean=CAFFE_MEAN if caffe else None,
        std=CAFFE_STD if caffe else None,
        bits=named.bits if named else bits,
        training=training,
        defence=against,
        defence_settings=read_pairs([part for part in rest.split(",") if part], f"--defence {against}"),
    )
    # What is wrong with names, files or settings is said before the folder is taken.
    HASH_LOSSES.make(training.loss, training.loss_settings)
    parameter_groups(settings.build(seed).network, training)
    settings.hook()
    loaded = load_data(
        data, SCALES[scale].image_size if image_size is None else image_size, seed, data_option
    )
    key = fingerprint(settings, loaded.sha256, seed)
    facts = {
        "title": f"A {settings.bits}-bit {training.loss} model on {loaded.name}.",
        "settings": settings.model_dump(mode="json"),
        "data": loaded.summary(),
        **how_made(seed, place),
    }
    with recording(out, key, facts, "hash model"):
        made = train_model_into(
            out, settings, loaded, seed=seed, device=place, logs=out / "training", progress=True
        )
    measured = Evaluator(made, loaded, seed=seed, progress=True)
    say(f"MAP {measured.map_benign:.3f} (chance {measured.map_chance:.3f}) on {len(loaded.query)} queries")
    say(f"wrote {out}")


def train_attack(
    name: Annotated[
        str,
        typer.Argument(
            help="A trained attack or target code; an unknown name is answered with all there are."
        ),
    ] = "ProS-GAN",
    model: Model = "runs/hash-model",
    data: Data = "openmoji",
    scale: ScaleName = "cpu",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting of the training as NAME=VALUE, for example epochs=3; of something that it requires as "
            "REQUIRED.NAME=VALUE, for example prototype.steps=2000. May be repeated.",
        ),
    ] = None,
    trained: TrainedFolders = None,
    image_size: OwnImageSize = None,
    data_option: DataOption = None,
    out: Out = Path("runs/trained"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train an attack, or a target code, against a hash model.

    What it requires is trained first, or taken from --trained; started again, it goes on where it was.

    Example: hashprobe train-attack --model runs/dpsh-32 --data openmoji --set epochs=3 --out runs/trained
    """
    from hashprobe.experiments import SCALES, how_made
    from hashprobe.folders import recording
    from hashprobe.identity import fingerprint
    from hashprobe.trained import TrainingRun, by_name, check_against, train_with_required

    given: dict[str, dict[str, Any]] = {}
    for setting, value in read_pairs(overrides or (), "--set").items():
        required, dot, own = setting.rpartition(".")
        given.setdefault(required if dot else name, {})[own] = value
    settings = SCALES[scale].model_copy(update={"trained": given}).settings_of([name])
    for other in given:
        if other not in settings:
            raise unknown_name(f"part of {name}", other, settings)
    (attacked,) = open_models([model], device).values()
    loaded = load_data(
        data, SCALES[scale].image_size if image_size is None else image_size, seed, data_option
    )
    before = by_name(load_trained_folders(trained))
    for one in before.values():
        check_against(one, attacked.sha256())
    key = fingerprint(
        settings,
        {part: one.sha256() for part, one in before.items()},
        attacked.sha256(),
        loaded.sha256,
        seed,
    )
    facts = {
        "title": f"{name} against a {attacked.bits}-bit model on {loaded.name}.",
        "settings": {part: own.model_dump(mode="json") for part, own in settings.items()},
        "model": {"bits": attacked.bits, "sha256": attacked.sha256()},
        "data": loaded.summary(),
        **how_made(seed, attacked.device),
    }
    run = TrainingRun(
        model=attacked, data=loaded, seed=seed, logs=out / "training", trained=before, progress=True
    )
    with recording(out, key, facts, name):
        train_with_required(name, settings, run, out)
    say(f"wrote {out}")
