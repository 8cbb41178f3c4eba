"""What a check is: a condition on result rows under which a result must not be trusted, why, and what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from hashprobe.registry import Registry
from hashprobe.results.comparison import SETTING, Scores, compare, paired
from hashprobe.results.queries import QueryScores
from hashprobe.results.rows import LINF, ResultRow

LEVEL = 0.01
"""Of a single paired comparison in a check: stricter than a table's, since a sound result is to raise no alarm."""
SMALLEST = 0.005
"""A smaller difference of two scores is none to speak of."""
WITHOUT_INTERVAL = 0.02
"""What two scores must differ by where neither their queries nor their intervals are known."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: Name of the check.
        rows: Names of the result rows that it is about.
        said: What was found, in one sentence.
        why: Why it matters.
        do: What to do.
    """

    check: str
    rows: tuple[str, ...]
    said: str
    why: str
    do: str

    def as_json(self) -> dict[str, Any]:
        """Return it as a line of ``checks.jsonl``."""
        return {**asdict(self), "rows": list(self.rows)}


Found = Iterator[tuple[Sequence[ResultRow], str]]
"""Rows, and a sentence on them."""


@dataclass(frozen=True)
class Check:
    """A check.

    Attributes:
        name: Its name.
        title: The condition, in one sentence.
        why: Why it matters.
        do: What to do.
        find: Looks at the evidence.
    """

    name: str
    title: str
    why: str
    do: str
    find: Callable[[Evidence], Found] = field(repr=False)


CHECKS: Registry[Check] = Registry("check")


def check(
    name: str, *, when: str, why: str, do: str
) -> Callable[[Callable[[Evidence], Found]], Callable[[Evidence], Found]]:
    """Return a decorator that registers a function as a check."""

    def register(find: Callable[[Evidence], Found]) -> Callable[[Evidence], Found]:
        CHECKS.register(name)(Check(name, when, why, do, find))
        return find

    return register


def run_checks(rows: Iterable[ResultRow], scores: Scores | None = None) -> list[Finding]:
    """Run all checks on result rows.

    Args:
        rows: Result rows, those that only differ in a training seed one by one.
        scores: What each query of them scored, by row; where they are not known, intervals decide what differs.

    Returns:
        What was found, check by check; nothing where nothing speaks against the results.
    """
    evidence = Evidence(tuple(rows), scores or {})
    return [
        Finding(one.name, tuple(row.row for row in about), said, one.why, one.do)
        for one in (CHECKS[name] for name in CHECKS)
        for about, said in one.find(evidence)
    ]


@dataclass(frozen=True)
class Table:
    """Rows that stand side by side: scored on one model, data set and index, under one goal, protocol and seed."""

    rows: tuple[ResultRow, ...]

    @property
    def name(self) -> str:
        """The protocol, or ``untargeted``."""
        return self.rows[0].group

    @cached_property
    def attacks(self) -> list[ResultRow]:
        """The attacks, without noise."""
        return [row for row in self.rows if row.is_attack and not row.is_noise]

    @cached_property
    def white_box(self) -> list[ResultRow]:
        """The attacks that follow gradients of the model that they are scored on, image by image."""
        return [
            row
            for row in self.attacks
            if row.attacked_model is None
            and not row.trained
            and row.backward_passes
            and (row.access == "gradients" or not row.questions)
        ]

    def start(self, row: ResultRow) -> float:
        """Return the strength of no attack: that of the unchanged queries where it is known, else of what stands for it."""
        for own in self.rows:
            if own.is_original:
                return own.strength
        if row.is_untargeted:
            return -(1.0 if row.map_benign is None else row.map_benign)
        return row.score_chance

    def gain(self, row: ResultRow) -> float:
        """Return by how much a row is stronger than no attack."""
        return row.strength - self.start(row)

    def ceiling(self, row: ResultRow) -> ResultRow | None:
        """Return the row in which the code that an attack aims at was itself the query."""
        return next((own for own in self.rows if own.is_code and own.code == row.code), None)


@dataclass(frozen=True)
class Evidence:
    """What checks look at.

    Attributes:
        rows: Result rows.
        scores: What each query of them scored, by row; not all need be known.
    """

    rows: tuple[ResultRow, ...]
    scores: Mapping[str, QueryScores]

    @cached_property
    def tables(self) -> list[Table]:
        """The rows in tables; transfers stand beside what was made on the model itself."""
        fields = [name for name in SETTING if name != "attacked_model"]
        groups: dict[tuple[Any, ...], list[ResultRow]] = defaultdict(list)
        for row in self.rows:
            groups[(*(getattr(row, name) for name in fields), row.queries, row.group)].append(row)
        return [Table(tuple(rows)) for rows in groups.values()]

    def weaker(self, row: ResultRow, other: ResultRow) -> bool:
        """Say whether a row is significantly weaker than another: by a paired bootstrap, or else by their intervals."""
        if other.strength - row.strength < SMALLEST:
            return False
        if paired(row, other, self.scores):
            return compare(row, other, self.scores).p < LEVEL
        ends = (row.score_low, row.score_high, other.score_low, other.score_high)
        if None in ends:
            return other.strength - row.strength >= WITHOUT_INTERVAL
        low, high, other_low, other_high = (float(end or 0.0) for end in ends)
        return high < other_low or other_high < low


def called(row: ResultRow) -> str:
    """Name a row for people: attack, code, budget and how many gradients it took."""
    parts = [row.code if row.code not in ("", "none") else "", row.budget if row.is_attack else ""]
    parts += [f"{row.backward_passes:.4g} gradients"] if (row.backward_passes or 0) > 1 else []
    said = ", ".join(part for part in parts if part)
    return f"{row.attack} ({said})" if said else row.attack


def percent(value: float) -> str:
    """Write a fraction in percent, with a tenth."""
    return f"{100 * value:.1f} %"


def scored(row: ResultRow) -> str:
    """Write a row's score."""
    return f"{row.score_name} {percent(row.score)}"


def at_least(row: ResultRow, epsilon: float) -> bool:
    """Say whether a row's L∞ budget is at least so large, or unbounded; of an L2 budget nobody knows."""
    return row.epsilon is None or (row.norm == LINF and row.epsilon >= epsilon - 1e-9)


def each(evidence: Evidence) -> Iterator[tuple[Table, ResultRow]]:
    """Yield each attack with its table; noise is none."""
    for table in evidence.tables:
        for row in table.attacks:
            yield table, row
