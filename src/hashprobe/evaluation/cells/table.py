"""A table of cells on given models: each measured once, kept in the folder, and written as results after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hashprobe.attacks import Attack
from hashprobe.evaluation.cells.measure import measure
from hashprobe.evaluation.cells.measured import CellStore, Measured
from hashprobe.evaluation.cells.planned import attacks_on_each, cells_under, check_cells
from hashprobe.evaluation.cells.spec import CellSpec
from hashprobe.evaluation.evaluator import Evaluator
from hashprobe.evaluation.facts import trained_in
from hashprobe.hashing import MODELS
from hashprobe.identity import fingerprint, identity_of, version_of
from hashprobe.targets import CODES, PROTOCOLS
from hashprobe.trained import TRAINED

Say = Callable[[str], None]


def measure_table(
    folder: Path,
    models: Mapping[str, Evaluator],
    specs: Sequence[CellSpec],
    protocols: Sequence[str],
    *,
    pictures: int = 12,
    transfer: bool = False,
    say: Say = lambda line: None,
) -> list[Measured]:
    """Measure all cells; a cell that the folder holds is read back.

    With one model the table also has the unchanged queries and the target codes; with several, every attack on each model is
    scored on all of them, a trained one on those that it was trained against. What the folder already held stays in its results
    throughout, so that a kill loses nothing.

    Args:
        folder: Where ``results.jsonl`` and what goes with it, ``cells/``, ``gallery/`` and ``transfer.jsonl`` are written.
        models: Models on the same data, by name.
        specs: The attacks.
        protocols: Target label protocols, for the targeted ones.
        pictures: Queries in the gallery.
        transfer: Whether an attack may have been trained against another model.
        say: Called with a line of text for each cell.

    Returns:
        The cells in the order of the table.
    """
    made_on = attacks_on_each(specs, {name: evaluator.trained for name, evaluator in models.items()})
    for name, evaluator in models.items():
        check_cells(
            made_on[name], evaluator.trained, evaluator.model_sha256, gradients=evaluator.model.gradients
        )
    store, first = CellStore(folder), next(iter(models.values()))
    if len(models) == 1:
        fitting = [name for name, one in first.trained.items() if one.attacked_model == first.model_sha256]
        aims = [spec.code_name for spec in specs if spec.goal_kind.objective == "targeted"]
        # A trained code of another model means nothing here.
        untrained = [name for name in aims if name not in TRAINED]
        codes = [name for name in dict.fromkeys(("p2p", "anchor", *fitting, *untrained)) if name in CODES]
        planned = [
            (spec, protocol, *next(iter(models.items())))
            for spec, protocol in cells_under(specs, protocols, codes)
        ]
    else:
        under = [pair for pair in cells_under(specs, protocols) if pair[0].attack]
        planned = [
            (*pair, *model) for pair in under for model in models.items() if pair[0] in made_on[model[0]]
        ]
    done: dict[int, Measured] = {}
    names: list[tuple[str, str]] = []
    for spec, protocol, name, evaluator in planned:
        attack = spec.build(evaluator.trained) if spec.attack else None
        row = spec.row_name(attack, protocol)
        label = row if len(models) == 1 else f"{row}-{name}"
        names.append((label, _key(spec, protocol, name, models, attack, pictures)))
    for number, (label, key) in enumerate(names):
        if found := store.find(label, key):
            done[number] = found
    for number, (spec, protocol, name, evaluator) in enumerate(planned):
        if number in done:
            continue
        others = {other: scored for other, scored in models.items() if other != name}
        measured = measure(
            spec,
            protocol,
            evaluator,
            others=others,
            name=name,
            folder=folder,
            pictures=pictures,
            transfer=transfer,
        )
        done[number] = measured = _in_order(measured, name, list(models))
        store.keep(*names[number], measured)
        store.write_results([done[place] for place in sorted(done)], first.data.image_size)
        for own in measured.rows:
            say(f"{own.row}: {own.score_name} {own.score:.3f} (chance {own.score_chance:.3f})")
    cells = [done[number] for number in sorted(done)]
    store.write_results(cells, first.data.image_size)
    return cells


def _key(
    spec: CellSpec,
    protocol: str | None,
    name: str,
    models: Mapping[str, Evaluator],
    attack: Attack | None,
    pictures: int,
) -> str:
    """Fingerprint all that a cell depends on: models and trained parts by their bytes."""
    evaluator = models[name]
    code = evaluator.trained.get(spec.code_name)
    return fingerprint(
        spec,
        [protocol, version_of(PROTOCOLS[protocol])] if protocol else None,
        {"name": name, "models": {other: _computes(own) for other, own in models.items()}},
        evaluator.data.sha256,
        evaluator.seed,
        evaluator.search,
        identity_of(trained_in(attack)),
        code.sha256() if code else None,
        pictures if spec.gallery else 0,
    )


def _computes(evaluator: Evaluator) -> list[str]:
    """Return what identifies what a model computes: its tensors, and the file of the plugin that builds it, if one does."""
    name = evaluator.model.built_by
    return [
        evaluator.model_sha256,
        *([version_of(MODELS[name])] if name is not None and name in MODELS else []),
    ]


def _in_order(measured: Measured, source: str, names: list[str]) -> Measured:
    """Put what was scored on each model in the order of the models; the attacked one was scored first."""
    scored = [source, *(name for name in names if name != source)]
    order = [scored.index(name) for name in names]
    return replace(
        measured,
        rows=[measured.rows[place] for place in order],
        curves=[measured.curves[place] for place in order],
        queries=[measured.queries[place] for place in order],
        links=[measured.links[place] for place in order] if measured.links else [],
    )
