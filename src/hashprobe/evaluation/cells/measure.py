"""Measures a cell: build the attack, make the goal, attack, score; once, for every command, recipe and grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hashprobe.evaluation.cells.measured import Measured
from hashprobe.evaluation.cells.spec import CellSpec
from hashprobe.evaluation.evaluator import Evaluator
from hashprobe.evaluation.facts import trained_in
from hashprobe.evaluation.gallery import choose_queries, gallery_entries
from hashprobe.evaluation.scores import Score
from hashprobe.results import ResultRow
from hashprobe.retrieval import pack, unpack
from hashprobe.trained import Trained, check_against


def measure(
    spec: CellSpec,
    protocol: str | None,
    evaluator: Evaluator,
    *,
    others: Mapping[str, Evaluator] | None = None,
    name: str = "",
    folder: Path | None = None,
    pictures: int = 12,
    transfer: bool = False,
    row_name: str | None = None,
) -> Measured:
    """Measure one cell.

    Args:
        spec: What is measured.
        protocol: Under which target label protocol; ``None`` for an untargeted cell.
        evaluator: The attacked model on its data, with what was trained against it.
        others: Further models, by name, that the adversarial images are scored on.
        name: Of the attacked model, where there are others.
        folder: Where the pictures of a gallery go; no gallery if not given.
        pictures: Queries in the gallery.
        transfer: Whether an attack may have been trained against another model.
        row_name: Name of the row; after what tells the cell from others if not given.

    Raises:
        HashprobeError: something that must be trained first, or a trained attack of another model.
    """
    if spec.attack is None:
        return _measure_codes(spec, protocol, evaluator, row_name or spec.row_name(None, protocol))
    kind, code, title = spec.goal_kind, spec.code_name, spec.title
    attack = spec.build(evaluator.trained)
    if not spec.reads_code and isinstance(attack, Trained):  # the row names the code that it learned
        code = getattr(attack.settings, "target_code", code)
    trained_on = attack.attacked_model if isinstance(attack, Trained) else evaluator.model_sha256
    if (made_by := trained_in(attack)) and not transfer:
        check_against(made_by, evaluator.model_sha256)
    keep = np.empty(0, dtype=np.intp)
    if spec.gallery and folder is not None:
        keep = choose_queries(evaluator, pictures)
    called, scored_on = row_name or spec.row_name(attack, protocol), others or {}
    under = f"-{protocol or kind.objective}"
    goal = evaluator.goal(kind, code, protocol, attack)
    made = evaluator.attack(
        attack,
        goal,
        keep=keep,
        others=[other.model for other in scored_on.values()],
        title=called,
    )
    rows: list[tuple[ResultRow, Score]] = []
    targets = {name: evaluator, **scored_on}
    for number, (target, scored) in enumerate(targets.items()):
        there = made.under(number - 1) if number else made
        saw = evaluator.model_sha256 if number else trained_on
        rows.append(
            scored.row(
                f"{called.removesuffix(under)}-{name}-to-{target}{under}" if scored_on else called,
                there.codes,
                attack=title,
                code=code,
                by=attack,
                attacked=there,
                attacked_model=None if saw == scored.model_sha256 else saw,
                goal=None if number else goal,
                kind=kind,
                protocol=protocol,
            )
        )
    entries = []
    if len(keep) and folder is not None:
        entries = gallery_entries(evaluator, rows[0][0], made, keep, folder / "gallery")
    links = [_link(row, name, target, spec) for (row, _), target in zip(rows, targets, strict=True)]
    curves = [{"row": row.row, **score.curve} for row, score in rows]
    scores = [
        scored.query_scores(row.row, score, protocol)
        for (row, score), scored in zip(rows, targets.values(), strict=True)
    ]
    return Measured([row for row, _ in rows], curves, made.codes, scores, entries, links if scored_on else [])


def _measure_codes(spec: CellSpec, protocol: str | None, evaluator: Evaluator, row_name: str) -> Measured:
    """Measure codes that no attack made: those of the unchanged queries, or those that are farthest on the way to the goal."""
    kind, code, unchanged = spec.goal_kind, spec.code_name, spec.code is None
    away = kind.objective == "untargeted"
    codes = evaluator.query_codes
    if not unchanged:
        ends = evaluator.goal(kind, code, protocol).codes
        assert ends is not None
        codes = pack(-1.0 * unpack(ends, evaluator.model.bits)) if away else ends
    row, score = evaluator.row(
        row_name,
        codes,
        attack=spec.title,
        code="none" if unchanged else code,
        own_labels=unchanged or away,
        kind=kind,
        protocol=protocol,
    )
    scores = [evaluator.query_scores(row.row, score, protocol)]
    return Measured([row], [{"row": row.row, **score.curve}], codes, scores)


def _link(row: ResultRow, source: str, target: str, spec: CellSpec) -> dict[str, Any]:
    numbers = [
        f"{name} {value:g}" if isinstance(value, int | float) else f"{name} {value or 'none'}"
        for name, value in spec.settings.items()
    ]
    return {
        "from": source,
        "to": target,
        "attack": ", ".join([row.attack, *([row.code] if spec.code else []), *numbers]),
        "goal": row.goal,
        "epsilon": row.epsilon,
        "protocol": row.protocol,
        "bits_to": row.bits,
        "t_map": row.t_map,
        "chance": row.chance,
        "map": row.map,
        "map_chance": row.map_chance,
    }
