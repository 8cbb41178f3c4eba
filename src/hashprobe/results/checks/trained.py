"""Trained attacks: too little training, and training that comes out differently each time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hashprobe.results.checks.base import Evidence, Found, called, check, percent, scored
from hashprobe.results.rows import LINF, ResultRow

NEAR = 0.1
"""Of what its code gains over no attack, a trained attack must gain at least."""
WORTH = 0.05
"""What a code must gain over no attack before a share of it says anything."""
SCATTER = 0.05
"""By how much scores may differ that differ in a seed alone."""


@check(
    "undertrained attack",
    when="A trained attack is significantly weaker than one gradient step of no larger budget, or gains less than "
    f"{NEAR:.0%} of "
    "what its code gains over the unchanged queries.",
    why="A generator that one step beats has not learned to attack. Its score says how long it was trained, not what such an "
    "attack can do or what the model withstands.",
    do="Train it longer, look at its losses, and raise the weight of its Hamming term; do not report it as the "
    "method's strength.",
)
def undertrained(evidence: Evidence) -> Found:
    """Compare trained attacks with single steps, and with no attack."""
    for table in evidence.tables:
        steps = [row for row in table.white_box if (row.backward_passes or 0) <= 1]
        for row in table.attacks:
            if not row.trained or row.attacked_model is not None:
                continue
            beating = [one for one in steps if _no_larger(one, row) and evidence.weaker(row, one)]
            ceiling = table.ceiling(row)
            if beating:
                best = max(beating, key=lambda one: one.strength)
                yield (
                    [row, best],
                    f"{called(row)} has {scored(row)}, one step of {called(best)} {scored(best)} ({table.name}).",
                )
            elif ceiling is not None and table.gain(ceiling) >= WORTH:
                share = table.gain(row) / table.gain(ceiling)
                if share < NEAR:
                    yield (
                        [row],
                        f"{called(row)} gains {percent(max(share, 0))} of what its code gains over the unchanged queries "
                        f"({table.name}).",
                    )


def _no_larger(step: ResultRow, row: ResultRow) -> bool:
    """Say whether a step's budget is no larger than a row's."""
    if row.epsilon is None:
        return step.epsilon is not None
    return step.norm == row.norm == LINF and step.epsilon is not None and step.epsilon <= row.epsilon + 1e-9


@check(
    "seeds scatter",
    when=f"Scores that differ in a seed alone, of training or of everything, lie more than {100 * SCATTER:.0f} points apart.",
    why="One seed then says little: another would have given another order of the attacks.",
    do="Report the mean and the spread over at least three seeds; compare attacks by these.",
)
def seeds_scatter(evidence: Evidence) -> Found:
    """Compare rows that differ in seeds alone."""
    cells: dict[tuple[Any, ...], list[ResultRow]] = defaultdict(list)
    for row in evidence.rows:
        if row.is_attack and not row.is_noise:
            where = (row.data, row.model, row.bits, row.attacked_model, row.index, row.top_k, row.group)
            cells[(*where, row.attack, row.attack_settings, row.code, row.budget)].append(row)
    for rows in cells.values():
        if len({(row.seed, row.training_seed) for row in rows}) < 2:
            continue
        low, high = min(row.score for row in rows), max(row.score for row in rows)
        if high - low > SCATTER:
            spread = f"{percent(low)} to {percent(high)}"
            yield rows, f"{called(rows[0])} has {rows[0].score_name} {spread} over {len(rows)} seeds."
