"""From a model to rows and a report, in one call: what the commands ``evaluate`` and ``transfer`` do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import (
    CellSpec,
    Evaluator,
    ResultRow,
    SearchSettings,
    attacks_on_each,
    cells_under,
    check_cells,
    encoded_codes,
    measure_table,
    over_training_seeds,
)
from hashprobe.experiments.tasks import how_made
from hashprobe.files import user_path
from hashprobe.folders import recording
from hashprobe.hashing import HashModel
from hashprobe.identity import fingerprint
from hashprobe.report import write_report
from hashprobe.targets import PROTOCOLS
from hashprobe.trained import Trained, check_against, seeded_name, seeds_of
from hashprobe.typed_values import checked

Say = Callable[[str], None]


@checked
def evaluate(
    model: HashModel | Mapping[str, HashModel],
    data: RetrievalData,
    *,
    attacks: Sequence[str | CellSpec] = ("Noise", "FGSM", "I-FGSM"),
    protocols: Sequence[str] = ("paper", "disjoint"),
    out: Path | str,
    trained: Iterable[Trained] = (),
    search: SearchSettings | str | None = None,
    transfer: bool = False,
    codes: Path | str | None = None,
    gallery: int = 12,
    seed: int = 0,
    command: str = "",
    report: bool = True,
    progress: bool = False,
    say: Say = lambda line: None,
) -> list[ResultRow]:
    """Attack all queries of a data set, and write result rows and a report; what the folder holds is not measured again.

    Args:
        model: The attacked model; or several by name, which are attacked one by one and scored on all (transfer).
        data: Queries and database.
        attacks: Names of attacks, with settings after a colon as on the command line (``"DHTA:steps=50,code=p2p"``), or cells.
        protocols: Target label protocols, for the targeted ones.
        out: Folder for ``results.jsonl``, ``report.html`` and what goes with them: new, empty, or of the same evaluation.
        trained: Trained attacks and codes; of several models each finds its own, and an attack is made on those that it was
            trained against. Of one attack there may be several, of different training seeds: each has a row, and tables show them
            as one line.
        search: How the database is searched: settings, or a name of ``INDEXES``; exactly if not given.
        transfer: Whether a trained attack may be one of another model; its rows then say so.
        codes: Folder that :func:`encode` wrote, whose codes of the database are taken; of one model alone.
        gallery: Queries in the report's gallery.
        seed: Of target labels, target codes and attacks.
        command: The command that repeats it, for the report.
        report: Whether ``report.html`` is written.
        progress: Whether progress bars are shown.
        say: Called with a line of text for each cell.

    Returns:
        The rows, as ``results.jsonl`` holds them.

    Raises:
        HashprobeError: an unknown name or setting, something that must be trained first, a trained attack of another model, or
            a folder that holds something else. All of that is said before the folder is taken.
    """
    models = dict(model) if isinstance(model, Mapping) else {"model": model}
    several = isinstance(model, Mapping)
    if several and len(models) < 2:
        raise HashprobeError(f"transfer needs at least two models; found {len(models)}.")
    specs = [CellSpec.read(one) if isinstance(one, str) else one for one in attacks]
    specs = [spec.model_copy(update={"gallery": gallery > 0 and not several}) for spec in specs]
    for protocol in protocols:
        PROTOCOLS[protocol]  # says a wrong name
    found = SearchSettings(index=search) if isinstance(search, str) else search or SearchSettings()
    given, fingerprints = list(trained), {name: one.sha256() for name, one in models.items()}
    own = {
        name: [one for one in given if not several or one.attacked_model == fingerprints[name]]
        for name in models
    }
    if not several:
        seeds = {name: own for name, own in seeds_of(given).items() if len(own) > 1}
        specs = over_training_seeds(specs, seeds)
    cells_under(specs, protocols)  # says what is given twice
    for one in given:
        check_trained(one, fingerprints, data, transfer=transfer)
    if codes is not None and several:
        raise HashprobeError("codes are those of one model; leave them out where several are attacked.")
    database = None if codes is None else encoded_codes(models["model"], data.database, codes)
    evaluators = {
        name: Evaluator(
            each,
            data,
            seed=seed,
            trained=own[name],
            search=found,
            database_codes=database,
            progress=progress,
        )
        for name, each in models.items()
    }
    made_on = attacks_on_each(specs, {name: evaluator.trained for name, evaluator in evaluators.items()})
    for name, evaluator in evaluators.items():
        try:
            check_cells(
                made_on[name], evaluator.trained, fingerprints[name], gradients=evaluator.model.gradients
            )
        except HashprobeError as error:
            raise HashprobeError(f"model {name}: {error}") if several else error from None
        found.check(evaluator.model.bits)
        for protocol in protocols:
            if any(spec.goal_kind.objective == "targeted" for spec in specs):
                evaluator.target_labels(protocol)
    settings: dict[str, Any] = {
        "attacks": [spec.model_dump(exclude_defaults=True) for spec in specs],
        "protocols": list(protocols),
        "gallery": gallery,
        "search": found.model_dump(),
    }
    facts = {name: _facts(each, fingerprints[name]) for name, each in models.items()}
    described = {
        "title": _title(models, data, several),
        "command": command,
        "settings": settings,
        **({"models": facts} if several else {"model": facts["model"]}),
        "data": data.summary(),
        "trained": {_known_by(one, given): one.sha256() for one in given},
        **how_made(seed, next(iter(models.values())).device),
    }
    identity = fingerprint(
        settings | {"search": found.wherever()},
        facts,
        described["trained"],
        transfer,
        data.sha256,
        seed,
    )
    folder = user_path(out)
    with recording(folder, identity, described, "attacks"):
        cells = measure_table(
            folder, evaluators, specs, protocols, pictures=gallery, transfer=transfer, say=say
        )
        if report:
            write_report(folder, progress=progress)
    return [row for cell in cells for row in cell.rows]


def _title(models: Mapping[str, HashModel], data: RetrievalData, several: bool) -> str:
    if several:
        return f"Transfer between {len(models)} models on {data.name}."
    return f"Attacks on a {models['model'].bits}-bit model on {data.name}."


def _facts(model: HashModel, sha256: str) -> dict[str, Any]:
    """Return what a description says of a model."""
    return {"bits": model.bits, "sha256": sha256, **({"source": model.source} if model.source else {})}


def _known_by(one: Trained, given: Sequence[Trained]) -> str:
    """Name a trained thing for a description: with its seed where there are several."""
    alike = [other for other in given if (other.name, other.attacked_model) == (one.name, one.attacked_model)]
    name = seeded_name(one.name, one.training_seed) if len(alike) > 1 else one.name
    return f"{name} {one.attacked_model[:8]}"


def check_trained(
    trained: Trained, models: Mapping[str, str], data: RetrievalData, *, transfer: bool
) -> None:
    """Say what is wrong with a trained attack or code.

    Args:
        trained: The attack or code.
        models: Fingerprints of the models that are attacked, by name.
        data: What they are attacked on.
        transfer: Whether it may be one of another model.

    Raises:
        HashprobeError: it is of other classes, another image size, or none of the models.
    """
    facts = trained.facts()
    if facts.get("classes", data.classes) != data.classes:
        raise HashprobeError(
            f"this {trained.name} was trained for {facts['classes']} classes; {data.name} has {data.classes}."
        )
    if facts.get("image_size", data.image_size) != data.image_size:
        raise HashprobeError(
            f"this {trained.name} was trained for images of {facts['image_size']} pixels; give such images (--image-size)."
        )
    if trained.attacked_model not in models.values() and not transfer:
        check_against(trained, next(iter(models.values())))
