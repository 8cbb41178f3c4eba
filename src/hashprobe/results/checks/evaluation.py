"""How it was measured: too few queries, rounding, budgets that are not equal, and an index that finds little."""

from __future__ import annotations

from itertools import combinations

from hashprobe.results.checks.base import Evidence, Found, Table, called, check, each, percent, scored
from hashprobe.results.rows import SCAN, ResultRow

HALF_WIDTH = 0.05
"""Of the 95 % interval of a score: wider, a table's differences drown in it."""
LOST = 0.2
"""Of what an attack gains over no attack, rounding to 8 bit may take."""
LOST_POINTS = 0.01
STRONG = 0.05
"""What an attack must gain under exact search to be called strong there."""
HIDDEN = 0.5
"""Of that it must gain as much under another index."""


@check(
    "too near chance",
    when="The 95 % interval of an attack's score includes chance (untargeted: the score of the unchanged queries).",
    why="The score cannot be told from that of no attack; the row is no evidence of strength, and none of robustness either.",
    do="Take more queries or a stronger attack, and say that the attack failed, not that the model withstood.",
)
def near_chance(evidence: Evidence) -> Found:
    """Compare each attack's interval with where it started."""
    for table, row in each(evidence):
        start = -table.start(row) if row.is_untargeted else row.score_chance
        low, high = row.score_low, row.score_high
        if row.training_seeds is None and low is not None and high is not None and low <= start <= high:
            of = "the unchanged queries" if row.is_untargeted else "chance"
            interval = f"interval {percent(low)} to {percent(high)}"
            yield [row], f"{called(row)} has {scored(row)}, {interval}; {of} {percent(start)} ({table.name})."


@check(
    "too few queries",
    when=f"The 95 % interval of a score is wider than ± {100 * HALF_WIDTH:.0f} points.",
    why="Attacks differ by less than that: which is the stronger would come out differently with other queries.",
    do="Attack more queries, as many as the sentence says; compare attacks query by query, as the tables do.",
)
def few_queries(evidence: Evidence) -> Found:
    """Look at the widest interval of each table."""
    for table in evidence.tables:
        widths = [(width, row) for row in table.attacks if (width := _half_width(row)) is not None]
        if not widths:
            continue
        width, row = max(widths, key=lambda pair: pair[0])
        if width > HALF_WIDTH:
            needs = ""
            if row.queries:
                enough = row.queries * (width / HALF_WIDTH) ** 2
                needs = f" with {row.queries} queries; ± {100 * HALF_WIDTH:.0f} needs about {enough:.0f}"
            yield (
                [row],
                f"{scored(row)} of {called(row)} is known to ± {100 * width:.1f} points{needs} ({table.name}).",
            )


def _half_width(row: ResultRow) -> float | None:
    if row.training_seeds is not None or row.score_low is None or row.score_high is None:
        return None
    return (row.score_high - row.score_low) / 2


@check(
    "lost in rounding",
    when=f"Rounding to 8 bit takes more than {LOST:.0%} of what an attack gains over the unchanged queries.",
    why="A picture that is saved or sent has 8 bits a value. An attack that lives between its levels is none that "
    "anybody can use.",
    do="Report the score after rounding; keep the attack to whole levels of 255.",
)
def lost_in_rounding(evidence: Evidence) -> Found:
    """Compare each score with that after rounding."""
    for table, row in each(evidence):
        if row.score_png is None:
            continue
        lost = abs(row.score - row.score_png) if _weaker_rounded(row) else 0.0
        if lost > max(LOST_POINTS, LOST * table.gain(row)):
            yield (
                [row],
                f"{called(row)} has {scored(row)}, rounded to 8 bit {percent(row.score_png)} ({table.name}).",
            )


def _weaker_rounded(row: ResultRow) -> bool:
    rounded = row.score if row.score_png is None else row.score_png
    return rounded > row.score if row.is_untargeted else rounded < row.score


@check(
    "unequal budgets",
    when="Two attacks stand in one table that have no budget in common: another epsilon, another norm, or none at all.",
    why="More change is more strength. Which of the two attacks is the better cannot be read off such a table.",
    do="Give both the same budget (epsilon=…), or keep them in tables of their own.",
)
def unequal_budgets(evidence: Evidence) -> Found:
    """Look for attacks without a common budget."""
    for table in evidence.tables:
        budgets: dict[str, dict[str, ResultRow]] = {}
        for row in table.attacks:
            budgets.setdefault(row.attack, {}).setdefault(row.budget, row)
        apart: dict[str, ResultRow] = {}
        for one, other in combinations(budgets, 2):
            if not set(budgets[one]) & set(budgets[other]):
                apart |= {name: next(iter(budgets[name].values())) for name in (one, other)}
        if apart:
            said = "; ".join(f"{name} {', '.join(budgets[name])}" for name in apart)
            yield list(apart.values()), f"Budgets differ: {said} ({table.name})."


@check(
    "index hides the attack",
    when=f"An attack that gains at least {100 * STRONG:.0f} points under exact search gains less than {HIDDEN:.0%} of "
    "that under another "
    "index.",
    why="The index misses what the attack brings near, which is a fault of the index, not a defence: another one, or another "
    "setting, shows the attack again.",
    do="Measure robustness by exact search (scan); say the recall of the index beside its scores.",
)
def index_hides(evidence: Evidence) -> Found:
    """Compare the same attack under exact search and under other indexes."""
    strong: dict[tuple[object, ...], tuple[Table, ResultRow]] = {}
    for table, row in each(evidence):
        if row.index == SCAN and table.gain(row) >= STRONG:
            strong.setdefault(_attacked(row), (table, row))
    for table, row in each(evidence):
        if row.index == SCAN or _attacked(row) not in strong:
            continue
        exact_table, exact = strong[_attacked(row)]
        own, there = table.gain(row), exact_table.gain(exact)
        if own < HIDDEN * there:
            yield (
                [exact, row],
                f"{called(row)} gains {100 * there:.1f} points under exact search and {100 * own:.1f} under {row.index} "
                f"({table.name}).",
            )


def _attacked(row: ResultRow) -> tuple[object, ...]:
    where = (row.data, row.split_sha256, row.model, row.seed, row.training_seed, row.attacked_model)
    return (*where, row.group, row.attack, row.attack_settings, row.code, row.budget)
