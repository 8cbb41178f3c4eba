"""Attacks that are weaker than they can be: by the order in which attacks must come, and by what they must reach."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from hashprobe.results.checks.base import (
    Evidence,
    Found,
    Table,
    at_least,
    called,
    check,
    percent,
    scored,
)
from hashprobe.results.rows import AND_ON, ResultRow

MANY_STEPS = 5
"""Backward passes from which an attack is one of many steps."""
MORE = 1.2
"""How many times as many passes are more."""
LARGE = 32 / 255
"""With such a budget a model must fall."""
ENOUGH_STEPS = 10
CEILING_SHARE = 0.8
"""Of what the code itself gains over no attack, an attack of a large budget must gain at least."""
APART = 0.1
"""Share of the bits by which the results of several starts may lie apart."""
WORTH = 0.05
"""What a code must gain over no attack before it is a ceiling to speak of."""


@check(
    "one step stronger than many",
    when=f"A single gradient step is significantly stronger than {MANY_STEPS} or more of the same budget and code.",
    why="Many steps can do whatever one can. Where they do worse, they follow gradients that do not lead anywhere (masked "
    "gradients), or their steps are too long or too short.",
    do="Tune the steps of the iterative attack, change its objective, and attack without gradients.",
)
def one_step_stronger(evidence: Evidence) -> Found:
    """Compare each single step with each attack of many."""
    for table in evidence.tables:
        for many in table.white_box:
            if (many.backward_passes or 0) < MANY_STEPS:
                continue
            for one in table.white_box:
                single = (one.backward_passes or 0) <= 1 and (one.budget, one.code) == (
                    many.budget,
                    many.code,
                )
                if single and evidence.weaker(many, one):
                    yield (
                        [one, many],
                        f"{called(one)} with one step has {scored(one)}, {called(many)} with "
                        f"{many.backward_passes:.3g} has {scored(many)} ({table.name}).",
                    )


def _same_but_for_more(table: Table) -> Iterator[tuple[ResultRow, ResultRow, str]]:
    """Yield pairs of one attack, the second with more steps, also of another from its image on, or a larger budget."""
    for pair in combinations(table.attacks, 2):
        a, b = sorted(pair, key=_effort)
        same = (a.code, a.attacked_model, a.training_seed, a.norm)
        if same != (b.code, b.attacked_model, b.training_seed, b.norm):
            continue
        if b.attack != a.attack and not b.attack.startswith(a.attack + AND_ON):
            continue
        if a.budget == b.budget and _cost(b) >= MORE * _cost(a) > 0:
            yield a, b, f"{_cost(b):.4g} passes or questions in place of {_cost(a):.4g}"
        elif _budget(b) > _budget(a) and _cost(b) >= _cost(a):
            yield a, b, f"a budget of {b.budget} in place of {a.budget}"


def _cost(row: ResultRow) -> float:
    return (row.passes or 0) + (row.questions or 0)


def _budget(row: ResultRow) -> float:
    return float("inf") if row.epsilon is None else row.epsilon


def _effort(row: ResultRow) -> tuple[float, float]:
    return _budget(row), _cost(row)


@check(
    "more is weaker",
    when="An attack is significantly weaker with more steps or questions, or with a larger budget.",
    why="More freedom cannot hurt an attack that uses it. That it does says that the attack is not at its best, and "
    "that its score is no measure of the model.",
    do="Report the stronger row; tune step size and schedule to the budget.",
)
def more_is_weaker(evidence: Evidence) -> Found:
    """Compare each attack with itself."""
    for table in evidence.tables:
        for less, more, what in _same_but_for_more(table):
            if evidence.weaker(more, less):
                yield (
                    [less, more],
                    f"{called(more)} has {scored(more)} with {what}, which had {scored(less)} ({table.name}).",
                )


@check(
    "ceiling not reached",
    when=f"With gradients, at least {ENOUGH_STEPS} steps and a budget of {LARGE * 255:.0f}/255 or none, an attack gains "
    "less than "
    f"{CEILING_SHARE:.0%} of what the code itself gains that it aims at.",
    why="With so large a change any picture can be made, also one that has the code. An attack that does not get there "
    "is stopped by something else than the model's robustness.",
    do="Take more steps, another step size or another objective; look for a part of the model that hides its gradient.",
)
def ceiling_not_reached(evidence: Evidence) -> Found:
    """Compare attacks of large budgets with the codes that they aim at."""
    for table in evidence.tables:
        for row in table.white_box:
            ceiling = table.ceiling(row)
            if ceiling is None or not at_least(row, LARGE) or (row.backward_passes or 0) < ENOUGH_STEPS:
                continue
            most, own = table.gain(ceiling), table.gain(row)
            if most >= WORTH and own < CEILING_SHARE * most and evidence.weaker(row, ceiling):
                yield (
                    [row, ceiling],
                    f"{called(row)} gains {percent(max(own, 0) / most)} of what the code itself does: {scored(row)}, the code "
                    f"{scored(ceiling)} ({table.name}).",
                )


@check(
    "blind attack stronger",
    when="Noise, an attack that sees only codes or rankings, or one made on another model is significantly stronger than the "
    "strongest with gradients of the attacked model, within one budget.",
    why="Who sees the gradient also sees all that the others do. That they win says that the gradients mislead (masked "
    "gradients), or that the attack that follows them is weak.",
    do="Strengthen the white-box attack before a word on robustness; count the strongest of all.",
)
def blind_stronger(evidence: Evidence) -> Found:
    """Compare the strongest white-box attack of each budget with those that see less."""
    for table in evidence.tables:
        for budget in dict.fromkeys(row.budget for row in table.white_box):
            best = max((row for row in table.white_box if row.budget == budget), key=lambda row: row.strength)
            for row in table.rows:
                if row.is_attack and row.budget == budget and _sees_less(row) and evidence.weaker(best, row):
                    what = "made on another model" if row.attacked_model else "without gradients"
                    yield (
                        [row, best],
                        f"{called(row)}, {what}, has {scored(row)}; the strongest with gradients, {called(best)}, has "
                        f"{scored(best)} ({table.name}).",
                    )


def _sees_less(row: ResultRow) -> bool:
    if row.attacked_model is not None or row.is_noise:
        return True
    if row.access:  # one with gradients may ask questions too, as strongest does
        return row.access in ("nothing", "found", "ranking", "codes") and not row.trained
    return bool(row.questions)


@check(
    "restarts scatter",
    when=f"The results of several starts for one image lie, on average, more than {100 * APART:.0f} % of the bits apart.",
    why="The attack then depends on where it starts: it stays in hollows, and a further start would find more.",
    do="Give it more restarts and more or shorter steps, until the results of its starts agree.",
)
def restarts_scatter(evidence: Evidence) -> Found:
    """Look at how far the results of several starts lie apart."""
    for table in evidence.tables:
        for row in table.attacks:
            if row.bits and row.restart_bits is not None and row.restart_bits > APART * row.bits:
                yield (
                    [row],
                    f"The restarts of {called(row)} lie {row.restart_bits:.1f} of {row.bits} bits apart ({table.name}).",
                )
