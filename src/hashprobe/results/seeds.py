"""Training seeds as a dimension of a table: rows that differ in nothing else become one line with mean and spread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hashprobe.results.comparison import Scores, setting_of
from hashprobe.results.queries import QueryScores
from hashprobe.results.rows import ResultRow

_MEANS = (
    *("map", "t_map", "rms", "map_png", "t_map_png", "bits_moved", "goal_bits"),
    *("seconds_per_image", "forward_passes", "backward_passes", "questions"),
)
_LARGEST = ("linf", "l2")


def cell_of(row: ResultRow) -> tuple[Any, ...]:
    """Return what two rows share that differ in the training seed of their attack alone."""
    own = (row.attack, row.attack_settings, row.goal, row.code, row.protocol, row.epsilon, row.norm)
    return (*setting_of(row), row.queries, *own)


def over_seeds(rows: Iterable[ResultRow]) -> list[list[ResultRow]]:
    """Return the rows as lines of a table: those of one trained attack under several training seeds together, in order."""
    lines: dict[Any, list[ResultRow]] = defaultdict(list)
    for row in rows:
        lines[cell_of(row) if row.trained else row.row].append(row)
    found = []
    for line in lines.values():
        seeds = {row.training_seed for row in line}
        found += [line] if len(seeds) == len(line) else [[row] for row in line]
    return found


def mean_row(line: Sequence[ResultRow]) -> ResultRow:
    """Return one row for several that differ in the training seed: means, with the lowest and the highest as interval."""
    if len(line) == 1:
        return line[0]
    changes: dict[str, Any] = {"training_seed": None, "training_seeds": len(line)}
    for names, of in ((_MEANS, np.mean), (_LARGEST, np.max)):
        for name in names:
            values = [getattr(row, name) for row in line]
            if None not in values:
                changes[name] = float(of(values))
    for name in ("map", "t_map"):
        values = [value for row in line if (value := getattr(row, name)) is not None]
        changes |= {f"{name}_low": min(values), f"{name}_high": max(values)} if values else {}
    return line[0].model_copy(update=changes)


def lines_of(rows: Iterable[ResultRow], scores: Scores) -> tuple[list[ResultRow], dict[str, QueryScores]]:
    """Return the lines of a table and what each query of them scored: of several training seeds, the mean."""
    lines, merged = over_seeds(rows), dict(scores)
    for line in lines:
        own = [scores[row.row] for row in line if row.row in scores]
        same = {(one.split_sha256, one.queries, one.targets, len(one.ap)) for one in own}
        if len(line) > 1:
            merged.pop(line[0].row, None)
            if len(own) == len(line) and len(same) == 1:
                mean = np.mean([one.values for one in own], axis=0)
                merged[line[0].row] = QueryScores(**{**own[0].model_dump(), "ap": mean.tolist()})
    return [mean_row(line) for line in lines], merged
