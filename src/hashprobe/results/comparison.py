"""Rows compared: which may be, which is the strongest, and which are not significantly weaker than that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hashprobe.errors import HashprobeError, shortened
from hashprobe.results.paired import LEVEL, Difference, holm, paired_bootstrap
from hashprobe.results.queries import QueryScores
from hashprobe.results.rows import ResultRow

Setting = tuple[str | int | None, ...]
Scores = Mapping[str, QueryScores]

SETTING = ("data", "split_sha256", "model", "bits", "seed", "attacked_model", "index", "top_k")
"""Fields that must be equal before two rows may be compared."""

_KEY = {"split_sha256": "splits of the data", "queries": "queries", "targets": "target labels"}


def setting_of(row: ResultRow) -> Setting:
    """Return what must be equal before two rows may be compared: data, split, model, bits, seed, search."""
    return tuple(getattr(row, name) for name in SETTING)


def rivals(rows: Iterable[ResultRow]) -> list[list[ResultRow]]:
    """Return the attacks that compete, group by group: of one setting, goal, protocol and budget, over as many queries."""
    groups: dict[tuple[Any, ...], list[ResultRow]] = defaultdict(list)
    for row in rows:
        if row.is_attack:
            groups[(*setting_of(row), row.queries, row.group, row.budget)].append(row)
    return list(groups.values())


def best_rows(rows: Iterable[ResultRow]) -> set[str]:
    """Return the ids of the rows of the strongest attacks: the highest t-MAP, or the lowest MAP of the untargeted.

    Only :func:`rivals` compete. A lone row wins nothing, nor does a row that equals the others to the tenth of a percent shown
    (then all of the strongest are named).
    """
    best: set[str] = set()
    for group in rivals(rows):
        top = max(round(row.strength, 3) for row in group)
        winners = [row.row for row in group if round(row.strength, 3) == top]
        if len(winners) < len(group):
            best.update(winners)
    return best


def compare(first: ResultRow, second: ResultRow, scores: Scores, *, seed: int = 0) -> Difference:
    """Return by how much the first row's score exceeds the second's, over the same queries and targets.

    Args:
        first: A row.
        second: Another.
        scores: What each query of them scored, by row; see :func:`hashprobe.results.read_query_scores`.
        seed: Of the bootstrap.

    Raises:
        HashprobeError: the rows are not paired: other queries, other target labels, another score; or their queries' scores
            are not there.
    """
    if reason := _unpaired(first, second, scores):
        raise HashprobeError(reason)
    return paired_bootstrap(scores[first.row].values - scores[second.row].values, seed=seed)[0]


def paired(first: ResultRow, second: ResultRow, scores: Scores) -> bool:
    """Say whether :func:`compare` can compare two rows."""
    return not _unpaired(first, second, scores)


def beside_the_best(
    rows: Iterable[ResultRow], scores: Scores, *, seed: int = 0
) -> dict[str, tuple[ResultRow, Difference]]:
    """Compare each attack with the strongest of its :func:`rivals`; p-values are corrected by Holm's method within each group.

    Args:
        rows: Result rows.
        scores: What each query of them scored, by row. Rows without are passed over.
        seed: Of the bootstrap.

    Returns:
        By row: the strongest, and by how much this row's score exceeds its own. The strongest itself is not in it.
    """
    found: dict[str, tuple[ResultRow, Difference]] = {}
    for group in rivals(rows):
        best = max(group, key=lambda row: row.strength)
        others = [row for row in group if row is not best and paired(row, best, scores)]
        if not others:
            continue
        top = scores[best.row].values
        differences = paired_bootstrap(np.stack([scores[row.row].values - top for row in others]), seed=seed)
        corrected = holm([own.p for own in differences])
        for row, own, p in zip(others, differences, corrected, strict=True):
            found[row.row] = best, Difference(own.mean, own.low, own.high, p)
    return found


def not_weaker(rows: Iterable[ResultRow], scores: Scores, *, seed: int = 0) -> set[str]:
    """Return the ids of the rows that are not significantly weaker than the strongest of their group (5 %, Holm)."""
    compared = beside_the_best(rows, scores, seed=seed)
    return {row for row, (_, difference) in compared.items() if difference.p >= LEVEL}


def _unpaired(first: ResultRow, second: ResultRow, scores: Scores) -> str:
    """Say why two rows cannot be compared query by query; nothing where they can."""
    names = f"{shortened(first.row)} and {shortened(second.row)}"
    if first.score_name != second.score_name:
        return (
            f"{names} are not paired: one is scored by {first.score_name}, the other by {second.score_name}."
        )
    for row in (first, second):
        if row.row not in scores:
            return f"the scores of the queries of {shortened(row.row)} are not known; measure it again."
    one, other = scores[first.row], scores[second.row]
    for field, what in _KEY.items():
        if getattr(one, field) != getattr(other, field):
            return f"{names} are not paired: they have other {what}; compare rows of one data set, protocol and seed."
    if len(one.ap) != len(other.ap):
        return f"{names} are not paired: one has {len(one.ap)} queries, the other {len(other.ap)}."
    return ""
