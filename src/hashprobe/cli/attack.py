"""Verbs that attack: ``attack`` (pictures), ``evaluate`` (a whole query set) and ``transfer`` (between models)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashprobe.cli.options import (
    Attacks,
    Data,
    DataOption,
    Device,
    ImageSize,
    ModelFolder,
    Out,
    ProSGANFolder,
    Protocols,
    Seed,
    identity,
    load_data,
    load_prosgan,
    read_attack,
)
from hashprobe.cli.printing import print_rows, say

if TYPE_CHECKING:
    from hashprobe.attacks import ProSGAN
    from hashprobe.evaluation import AttackedPicture
    from hashprobe.hashing import HashModel


def attack(
    pictures: Annotated[list[Path], typer.Argument(help="Image files to attack.")],
    target: Annotated[
        list[str],
        typer.Option(help="Class that the pictures are to retrieve; may be repeated for a label of several."),
    ],
    model: ModelFolder = Path("runs/hash-model"),
    data: Data = "openmoji",
    kind: Annotated[
        str,
        typer.Option(
            "--attack", help="An attack's name, with settings after a colon: I-FGSM:steps=20,epsilon=4/255."
        ),
    ] = "I-FGSM",
    prosgan: ProSGANFolder = None,
    image_size: ImageSize = 64,
    data_option: DataOption = None,
    out: Out = Path("runs/attack"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Attack image files; say what they retrieve before and after.

    They are attacked towards a label of a data set. Each picture is resized and cropped as the data set's are; the
    adversarial one is written as a PNG of that size.

    Example: hashprobe attack cat.png --target dog --model runs/dpsh-32 --data openmoji --out runs/attack
    """
    import numpy as np

    from hashprobe.data import read_image
    from hashprobe.devices import resolve_device
    from hashprobe.evaluation import Evaluator, attack_pictures, target_label
    from hashprobe.files import sha256_of
    from hashprobe.folders import recording
    from hashprobe.hashing import HashModel
    from hashprobe.main_process import is_main
    from hashprobe.recipes import how_made

    cell, place = read_attack(kind), resolve_device(device)
    attacked = HashModel.load(model).to(place)
    images = np.stack([read_image(path, image_size) for path in pictures])
    loaded = load_data(data, image_size, seed, data_option)
    label = target_label(target, loaded.class_names)
    trained = load_prosgan(prosgan, attacked, loaded)
    chosen = cell.build(trained)
    what = (cell.model_dump(), target, sha256_of(images.tobytes()), _fingerprints(trained))
    facts = {
        "title": f"{cell.attack} on {len(images)} pictures.",
        "attack": repr(chosen),
        "model": {"bits": attacked.bits, "sha256": attacked.sha256()},
        "data": loaded.summary(),
        **how_made(seed, place),
    }
    with recording(out, identity(*what, attacked.sha256(), loaded.split_sha256, seed), facts, "attack"):
        evaluator = Evaluator(attacked, loaded, protocol="paper", seed=seed, progress=True)
        prototypes = trained["ProS-GAN"].prototypes if trained else None
        goal = evaluator.target_code(cell.code or chosen.code, prototypes)(label[None])
        found = attack_pictures(
            attacked,
            images,
            chosen,
            goal,
            label,
            loaded.database,
            evaluator.database_codes,
            seed=seed,
            progress=True,
        )
        if is_main():
            _write_pictures(out, pictures, found, target, loaded.database.names)


def evaluate(
    model: ModelFolder = Path("runs/hash-model"),
    data: Data = "openmoji",
    attacks: Attacks = ["Noise", "FGSM", "I-FGSM"],  # noqa: B006
    protocols: Protocols = ["paper", "disjoint"],  # noqa: B006
    prosgan: ProSGANFolder = None,
    gallery: Annotated[int, typer.Option(help="Queries in the report's gallery.", min=0)] = 12,
    image_size: ImageSize = 64,
    data_option: DataOption = None,
    out: Out = Path("runs/evaluation"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Attack all queries of a data set: result rows and report.

    Started again, it goes on where it was: a row that is there is not measured again.

    Example: hashprobe evaluate --model runs/dpsh-32 --attack DHTA:steps=50 --protocol disjoint --out runs/evaluation
    """
    from hashprobe.devices import resolve_device
    from hashprobe.evaluation import Table, check_cells
    from hashprobe.folders import recording
    from hashprobe.hashing import HashModel
    from hashprobe.recipes import how_made
    from hashprobe.report import write_report
    from hashprobe.targets import PrototypeCode

    cells, place = [read_attack(text, gallery=gallery > 0) for text in attacks], resolve_device(device)
    attacked = HashModel.load(model).to(place)
    loaded = load_data(data, image_size, seed, data_option)
    trained = load_prosgan(prosgan, attacked, loaded)
    facts: dict[str, Any] = {
        "title": f"Attacks on a {attacked.bits}-bit model on {loaded.name}.",
        "settings": {
            "attacks": [cell.model_dump() for cell in cells],
            "protocols": protocols,
            "gallery": gallery,
        },
        "model": {"bits": attacked.bits, "sha256": attacked.sha256(), "folder": str(model)},
        "data": loaded.summary(),
        "prosgan": _fingerprints(trained),
        **how_made(seed, place),
    }
    check_cells(cells, trained)
    what = (facts["settings"], facts["prosgan"], attacked.sha256(), loaded.split_sha256, loaded.image_size)
    with recording(out, identity(*what, seed), facts, "attacks"):
        table = Table(
            out,
            attacked,
            loaded,
            seed=seed,
            database_codes=attacked.codes(loaded.database.images, progress=True, together=True),
            codes={"prototype": PrototypeCode(trained["ProS-GAN"].prototypes)} if trained else {},
            trained=trained,
            gallery=gallery,
            progress=True,
            say=say,
        )
        rows = table(cells, protocols)
    print_rows(rows)
    say(f"wrote {out / 'results.jsonl'} and {write_report(out)}")


def transfer_attacks(
    models: Annotated[
        list[Path], typer.Option("--model", help="Folder of a hash model; given at least twice.")
    ],
    data: Data = "openmoji",
    attacks: Attacks = ["I-FGSM"],  # noqa: B006
    protocols: Protocols = ["disjoint"],  # noqa: B006
    prosgan: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a ProS-GAN against one of the models; may be repeated."),
    ] = None,
    image_size: ImageSize = 64,
    data_option: DataOption = None,
    out: Out = Path("runs/transfer"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Attack every model, score the result on every model.

    Example: hashprobe transfer --model runs/dpsh-32 --model runs/dpsh-16 --attack I-FGSM:steps=20 --out runs/transfer
    """
    from hashprobe.devices import resolve_device
    from hashprobe.evaluation import check_cells, transfer
    from hashprobe.folders import recording
    from hashprobe.hashing import HashModel
    from hashprobe.recipes import how_made
    from hashprobe.report import write_report

    cells, place = [read_attack(text, gallery=False) for text in attacks], resolve_device(device)
    loaded_models = {name: HashModel.load(folder).to(place) for name, folder in _names(models).items()}
    loaded = load_data(data, image_size, seed, data_option)
    trained = _trained_against(loaded_models, prosgan or [])
    facts: dict[str, Any] = {
        "title": f"Transfer between {len(loaded_models)} models on {loaded.name}.",
        "settings": {"attacks": [cell.model_dump() for cell in cells], "protocols": protocols},
        "models": {name: {"bits": one.bits, "sha256": one.sha256()} for name, one in loaded_models.items()},
        "data": loaded.summary(),
        "prosgan": {name: _fingerprints(attacks) for name, attacks in trained.items()},
        **how_made(seed, place),
    }
    for name in loaded_models:
        check_cells(cells, trained.get(name, {}))
    what = (facts["settings"], facts["models"], facts["prosgan"], loaded.split_sha256, loaded.image_size)
    with recording(out, identity(*what, seed), facts, "transfer"):
        rows = transfer(
            out, loaded_models, loaded, cells, protocols, seed=seed, trained=trained, progress=True, say=say
        )
    say(f"wrote {len(rows)} rows to {out / 'results.jsonl'}, and {write_report(out)}")


def _write_pictures(
    out: Path,
    pictures: list[Path],
    found: list[AttackedPicture],
    target: list[str],
    database_names: tuple[str, ...],
) -> None:
    """Write adversarial pictures as PNG files, and what was measured on them as ``pictures.json``; say it as well."""
    from PIL import Image

    from hashprobe.files import replacing, write_json

    results = []
    for number, (path, result) in enumerate(zip(pictures, found, strict=True)):
        picture = out / f"{number:03d}-{path.stem}.png"
        with replacing(picture) as temporary:
            Image.fromarray(result.adversarial.transpose(1, 2, 0)).save(temporary, format="PNG")
        hits = f"{result.hits_before} to {result.hits} of {len(result.nearest)}"
        change = f"L∞ {result.linf * 255:.0f}/255, RMS {result.rms:.4f}"
        say(f"{path}: hits among the nearest {hits}, {change} → {picture}")
        results.append(
            {
                "picture": str(path),
                "adversarial": picture.name,
                "target_label": target,
                "hits_before": result.hits_before,
                "hits": result.hits,
                "linf": result.linf,
                "rms": result.rms,
                "nearest": [database_names[row] for row in result.nearest],
            }
        )
    write_json(out / "pictures.json", results)


def _fingerprints(trained: Mapping[str, ProSGAN]) -> dict[str, str]:
    """Return the fingerprint of each trained attack: its settings alone do not tell it from another training."""
    return {name: attack.sha256() for name, attack in trained.items()}


def _names(folders: list[Path]) -> dict[str, Path]:
    """Name each model after its folder; after the path where two folders have one name."""
    from hashprobe.errors import HashprobeError

    plain = [folder.name for folder in folders]
    names = [
        folder.name if plain.count(folder.name) == 1 else str(folder).replace("/", "_") for folder in folders
    ]
    if len(set(names)) < len(names):
        raise HashprobeError("--model: a folder is given twice; give each model once.")
    return dict(zip(names, folders, strict=True))


def _trained_against(models: dict[str, HashModel], folders: list[Path]) -> dict[str, dict[str, ProSGAN]]:
    """Return each ProS-GAN under the model that it was trained against, which its folder records."""
    from hashprobe.attacks import ProSGAN
    from hashprobe.errors import HashprobeError

    fingerprints = {model.sha256(): name for name, model in models.items()}
    trained: dict[str, dict[str, ProSGAN]] = {}
    for folder in folders:
        attack = ProSGAN.load(folder)
        name = fingerprints.get(ProSGAN.attacked_model(folder))
        if name is None:
            raise HashprobeError(
                f"{folder} holds a ProS-GAN that was trained against none of the models given."
            )
        trained[name] = {"ProS-GAN": attack}
    return trained
