"""Transfer: adversarial queries made against one model, scored on others (paper, Table 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hashprobe.attacks import Attack
from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.evaluator import Evaluator
from hashprobe.evaluation.table import AttackCell, check_cells
from hashprobe.files import read_json, write_json, write_json_lines
from hashprobe.hashing import HashModel
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.results import ResultRow

TRANSFER_FILE = "transfer.jsonl"


def transfer(
    directory: Path,
    models: Mapping[str, HashModel],
    data: RetrievalData,
    attacks: Sequence[AttackCell],
    protocols: Sequence[str],
    *,
    seed: int,
    trained: Mapping[str, Mapping[str, Attack]],
    progress: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[ResultRow]:
    """Attack every model and score the result on every model; the target labels are the same for all.

    One attack on one model is measured once: a cell that the folder holds is read back.

    Args:
        directory: Where ``results.jsonl``, ``transfer.jsonl`` and ``cells/`` are written.
        models: Hash models by name, of any bits; at least two.
        data: Queries and database.
        attacks: Attacks, each under its own target code, computed for the attacked model.
        protocols: Target label protocols.
        seed: Of target labels, target codes and attacks.
        trained: Attacks that were trained, by the name of the model they were trained against, then by attack.
        progress: Whether progress bars are shown.
        say: Called with a line of text for each cell.

    Returns:
        The rows, as many as attacks × protocols × models²; ``attacked_model`` names the model that the attack saw.
    """
    if len(models) < 2:
        raise HashprobeError(f"transfer needs at least two models; found {len(models)}.")
    for name in models:
        check_cells(attacks, trained.get(name, {}))
    rows: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    database_codes = {
        name: model.codes(data.database.images, progress=progress, together=True)
        for name, model in models.items()
    }
    for protocol in protocols:
        evaluators = {
            name: Evaluator(
                model,
                data,
                protocol=protocol,
                seed=seed,
                database_codes=database_codes[name],
                progress=progress,
            )
            for name, model in models.items()
        }
        for cell in attacks:
            for source in models:
                attack = cell.build(trained.get(source, {}))
                path = directory / "cells" / f"{cell.row_name(attack)}-{source}-{protocol}.json"
                together = processes(models[source].device)
                if not together.from_main(path.exists):
                    measured = _measure(evaluators, source, cell, attack)
                    if is_main():
                        write_json(path, [row.model_dump(mode="json") for row in measured])
                found = [ResultRow(**row) for row in together.from_main(partial(read_json, path))]
                for target, row in zip(models, found, strict=True):
                    say(
                        f"{cell.attack} on {source}, scored on {target}, {row.group}: {row.score_name} {row.score:.3f}"
                    )
                    links.append(_link(row, source, target, cell))
                rows += [row.model_dump(mode="json") for row in found]
                if is_main():
                    write_json_lines(directory / "results.jsonl", rows)
                    write_json_lines(directory / TRANSFER_FILE, links)
    return [ResultRow(**row) for row in rows]


def _measure(
    evaluators: Mapping[str, Evaluator], source: str, cell: AttackCell, attack: Attack
) -> list[ResultRow]:
    attacked = evaluators[source]
    code = cell.code or attack.code
    goal = attacked.target_code(code, getattr(attack, "prototypes", None))(attacked.target_labels)
    made = attacked.attack(
        attack,
        goal,
        also=[evaluator.model for evaluator in evaluators.values()],
        title=f"{cell.attack} on {source}",
    )
    rows = []
    for place, (target, evaluator) in enumerate(evaluators.items()):
        there = made.under(place)
        row, _ = evaluator.row(
            f"{cell.row_name(attack)}-{source}-to-{target}-{evaluator.protocol}",
            there.codes,
            attack=cell.attack,
            code=code,
            by=attack,
            attacked=there,
        )
        rows.append(row.model_copy(update={"attacked_model": attacked.model_sha256}))
    return rows


def _link(row: ResultRow, source: str, target: str, cell: AttackCell) -> dict[str, Any]:
    numbers = [f"{name} {'none' if value is None else f'{value:g}'}" for name, value in cell.settings.items()]
    return {
        "from": source,
        "to": target,
        "attack": ", ".join([row.attack, *([row.code] if cell.code else []), *numbers]),
        "epsilon": row.epsilon,
        "protocol": row.protocol,
        "bits_to": row.bits,
        "goal": row.goal,
        "score": row.score,
        **row.model_dump(include={"t_map", "chance", "map", "map_chance"}),
    }
