"""Verbs that attack: ``attack`` (pictures), ``evaluate`` (a whole query set) and ``transfer`` (between models)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashprobe.cli.options import (
    MODEL_HELP,
    AsTransfer,
    Attacks,
    Data,
    DataOption,
    Device,
    EncodedCodes,
    ImageSize,
    Index,
    Model,
    Out,
    Protocols,
    Queries,
    Seed,
    TopK,
    TrainedFolders,
    load_data,
    load_trained_folders,
    open_models,
    read_search,
)
from hashprobe.cli.printing import print_findings, print_results, said, say

if TYPE_CHECKING:
    from hashprobe.evaluation import AttackedPicture


def attack(
    pictures: Annotated[list[Path], typer.Argument(help="Image files to attack.")],
    target: Annotated[
        list[str] | None,
        typer.Option(help="Class that the pictures are to retrieve; may be repeated for a label of several."),
    ] = None,
    model: Model = "runs/hash-model",
    data: Data = "openmoji",
    kind: Annotated[
        str,
        typer.Option(
            "--attack",
            help="An attack's name, with settings after a colon: I-FGSM:steps=20,epsilon=4/255, or I-FGSM:goal=untargeted, or "
            "FewStep:start=ProS-GAN, steps from its image on.",
        ),
    ] = "I-FGSM",
    trained: TrainedFolders = None,
    transfer: AsTransfer = False,
    index: Index = "scan",
    codes: EncodedCodes = None,
    image_size: ImageSize = 64,
    data_option: DataOption = None,
    out: Out = Path("runs/attack"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Attack image files; say what they retrieve before and after.

    They are attacked towards a label of a data set, or away from what they retrieve (goal=untargeted), through the cropping
    and resizing that the data set's pictures get, and written as PNG files of their own size. What is trained makes pictures of
    one size alone: squares of --image-size.

    Example: hashprobe attack cat.png --target dog --model runs/dpsh-32 --data openmoji --out runs/attack
    """
    from hashprobe.data import read_image
    from hashprobe.data.images.decoding import check_image_size
    from hashprobe.errors import HashprobeError
    from hashprobe.evaluation import (
        CellSpec,
        Evaluator,
        Pipeline,
        attack_pictures,
        check_cells,
        encoded_codes,
        kept_codes,
        picture_goal,
        target_label,
    )
    from hashprobe.experiments import check_trained, how_made
    from hashprobe.files import sha256_of
    from hashprobe.folders import recording
    from hashprobe.identity import fingerprint
    from hashprobe.main_process import is_main

    spec = CellSpec.read(kind)
    spec.check()
    targeted = spec.goal_kind.objective == "targeted"
    if targeted != bool(target):
        raise HashprobeError(
            f"{spec.attack} is targeted here: say with --target what the pictures are to retrieve, or give goal=untargeted."
            if targeted
            else f"{spec.attack} is untargeted here, away from what a picture retrieves: give no --target."
        )
    (attacked,) = open_models([model], device).values()
    one_size = spec.trained_name is not None
    check_image_size(image_size)
    images = [read_image(path, image_size if one_size else None) for path in pictures]
    loaded = load_data(data, image_size, seed, data_option)
    label = target_label(target, loaded.class_names) if target else None
    given = load_trained_folders(trained)
    for one in given:
        check_trained(one, {model: attacked.sha256()}, loaded, transfer=transfer)
    search = read_search(index, None)
    search.check(attacked.bits)
    database = (
        kept_codes(attacked, loaded.database, progress=True)
        if codes is None
        else encoded_codes(attacked, loaded.database, codes)
    )
    evaluator = Evaluator(
        attacked, loaded, seed=seed, trained=given, search=search, database_codes=database, progress=True
    )
    check_cells([spec], evaluator.trained, evaluator.model_sha256, gradients=attacked.gradients)
    first = Pipeline(attacked, image_size).at_own_size.codes(images[0][None])
    picture_goal(evaluator, spec, first, label)  # says what it lacks
    chosen = spec.build(evaluator.trained)
    facts = {
        "title": f"{spec.title} on {len(images)} pictures.",
        "attack": chosen.described(),
        "model": {"bits": attacked.bits, "sha256": attacked.sha256()},
        "trained": {one.name: one.sha256() for one in given},
        "data": loaded.summary(),
        **how_made(seed, attacked.device),
    }
    what = (
        spec,
        target,
        [sha256_of(str(image.shape), image.tobytes()) for image in images],
        facts["trained"],
        search,
        seed,
    )
    key = fingerprint(*what, attacked.sha256(), loaded.sha256)
    with recording(out, key, facts, "attack"):
        found = attack_pictures(evaluator, images, spec, label)
        if is_main():
            _write_pictures(out, pictures, found, target or [], loaded.database.names)


def evaluate(
    model: Model = "runs/hash-model",
    data: Data = "openmoji",
    attacks: Attacks = ["Noise", "FGSM", "I-FGSM"],  # noqa: B006
    protocols: Protocols = ["paper", "disjoint"],  # noqa: B006
    trained: TrainedFolders = None,
    transfer: AsTransfer = False,
    index: Index = "scan",
    top_k: TopK = None,
    codes: EncodedCodes = None,
    gallery: Annotated[int, typer.Option(help="Queries in the report's gallery.", min=0)] = 12,
    image_size: ImageSize = 64,
    data_option: DataOption = None,
    queries: Queries = None,
    out: Out = Path("runs/evaluation"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Attack all queries of a data set; write rows and a report.

    A row that is there is not measured again.

    Example: hashprobe evaluate --model runs/dpsh-32 --attack DHTA:steps=50 --protocol disjoint --out runs/evaluation
    """
    from hashprobe.experiments import evaluate as evaluate_model

    (attacked,) = open_models([model], device).values()
    rows = evaluate_model(
        attacked,
        load_data(data, image_size, seed, data_option, queries),
        attacks=attacks,
        protocols=protocols,
        out=out,
        trained=load_trained_folders(trained),
        search=read_search(index, top_k),
        transfer=transfer,
        codes=codes,
        gallery=gallery,
        seed=seed,
        command=said(),
        progress=True,
        say=say,
    )
    print_results(rows, out)
    say(f"wrote {out / 'results.jsonl'} and {out / 'report.html'}")


def transfer_attacks(
    models: Annotated[list[str], typer.Option("--model", help=f"{MODEL_HELP} Given at least twice.")],
    data: Data = "openmoji",
    attacks: Attacks = ["I-FGSM"],  # noqa: B006
    protocols: Protocols = ["disjoint"],  # noqa: B006
    trained: TrainedFolders = None,
    index: Index = "scan",
    top_k: TopK = None,
    image_size: ImageSize = 64,
    data_option: DataOption = None,
    queries: Queries = None,
    out: Out = Path("runs/transfer"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Attack each model; score every attack on every model.

    A trained attack is made on the models that it was trained against, which may be several as one (--model runs/a+runs/b).

    Example: hashprobe transfer --model runs/dpsh-32 --model runs/dpsh-16 --attack I-FGSM:steps=20 --out runs/transfer
    """
    from hashprobe.experiments import evaluate as evaluate_models

    rows = evaluate_models(
        open_models(models, device),
        load_data(data, image_size, seed, data_option, queries),
        attacks=attacks,
        protocols=protocols,
        out=out,
        trained=load_trained_folders(trained),
        search=read_search(index, top_k),
        seed=seed,
        command=said(),
        progress=True,
        say=say,
    )
    print_findings(out)
    say(f"wrote {len(rows)} rows to {out / 'results.jsonl'}, and {out / 'report.html'}")


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
        what = "hits among the nearest" if target else "of those found before, still among the nearest"
        change = f"L∞ {result.linf * 255:.0f}/255, RMS {result.rms:.4f}"
        far = ""
        if result.goal_bits is not None:
            far = f" ({result.goal_bits} bits from the goal's code, {result.goal_bits_before} before)"
        say(f"{path}: {what} {hits}, {result.bits_moved} bits moved{far}, {change} → {picture}")
        results.append(
            {
                "picture": str(path),
                "adversarial": picture.name,
                "target_label": target,
                "hits_before": result.hits_before,
                "hits": result.hits,
                "bits_moved": result.bits_moved,
                "goal_bits_before": result.goal_bits_before,
                "goal_bits": result.goal_bits,
                "questions": result.questions,
                "linf": result.linf,
                "rms": result.rms,
                "nearest": [database_names[row] for row in result.nearest],
            }
        )
    write_json(out / "pictures.json", results)
