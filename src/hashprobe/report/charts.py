"""Charts as plain values: what to draw, alike for matplotlib (papers) and for the page (screens)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hashprobe.report.rows import row_names, score_heading
from hashprobe.report.run import RunRecord
from hashprobe.results import ResultRow, epsilon_text

COLOURS = 8
MAX_POINTS = 300


@dataclass(frozen=True)
class Line:
    """One line, or a set of points, of a chart.

    Attributes:
        name: In the legend.
        x: Positions.
        y: Values, as many.
        low: Lower ends of intervals, or empty.
        high: Upper ends, or empty.
        colour: Place in the palette; ``-1`` is grey.
        dash: 0 solid, 1 dashed, 2 dotted; of points, which shape among those of one colour.
        points: Whether points are marked (the x are measurements, not a grid).
        joined: Whether a line goes from each to the next.
        notes: What to say about each point, or empty.
        hollow: Whether points are rings: those of unbounded attacks are, so that they are not taken for bounded ones.
        shown: Whether it is drawn before the reader asks for it (target codes are not).
    """

    name: str
    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]
    colour: int
    dash: int = 0
    points: bool = False
    joined: bool = True
    notes: tuple[str, ...] = ()
    hollow: bool = False
    shown: bool = True


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        name: File stem, unique in a report.
        title: What it shows.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
        lines: The lines.
        chance: Height of the chance line, or ``None``.
        reference: Height of the line of the unchanged queries, or ``None``.
        x_scale: ``"linear"`` or ``"log"``.
        percent: Whether y is a fraction, shown in percent from 0 to 100.
        x_ticks: Positions and texts of ticks, where the numbers themselves would not do.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    chance: float | None = None
    reference: float | None = None
    x_scale: Literal["linear", "log"] = "linear"
    percent: bool = True
    x_ticks: tuple[tuple[float, str], ...] = ()


def of_rows(run: RunRecord, rows: Sequence[ResultRow]) -> list[Chart]:
    """Every chart of rows that may be drawn together (one group, one setting), but those that show nothing.

    Those are the ones without a line, and the score over a single budget: points above one another, which the table's
    bars show better.
    """
    kinds = [precision_recall, precision_at, over_time, over_passes]
    if len({row.epsilon for row in rows if row.is_attack and row.epsilon}) > 1:
        kinds.insert(2, over_epsilon)
    return [chart for chart in (kind(run, rows) for kind in kinds) if chart.lines]


def precision_recall(run: RunRecord, rows: Sequence[ResultRow]) -> Chart:
    """Precision over recall of the target label, or of the query's own labels."""
    lines = tuple(
        _line(run, row, name, curve.recall, curve.precision, rows)
        for row, name in zip(rows, row_names(rows), strict=True)
        if (curve := run.curves.get(row.row)) and curve.recall
    )
    of = "the query's own labels" if _untargeted(rows) else "the target label"
    return Chart(
        "pr",
        f"Precision over recall of {of}",
        "Recall",
        "Precision, %",
        lines,
        chance=_share_by_chance(rows),
    )


def precision_at(run: RunRecord, rows: Sequence[ResultRow]) -> Chart:
    """Share of the first N pictures returned that carry the target label, or share a label with the query."""
    lines = tuple(
        _line(run, row, name, [float(n) for n in curve.at], curve.precision_at, rows)
        for row, name in zip(rows, row_names(rows), strict=True)
        if (curve := run.curves.get(row.row)) and curve.at
    )
    what = "The query's own labels" if _untargeted(rows) else "Target label"
    return Chart(
        "precision-at-n",
        f"{what} among the first N returned",
        "N, pictures returned",
        "Precision, %",
        lines,
        chance=_share_by_chance(rows),
        x_scale="log",
    )


def over_epsilon(run: RunRecord, rows: Sequence[ResultRow]) -> Chart:
    """The score over the budget; unbounded attacks stand apart, at the right."""
    attacks = [row for row in rows if row.is_attack]
    budgets = {row.epsilon * 255 for row in attacks if row.epsilon}
    apart = max(budgets, default=8.0) * 1.25 + 1
    chart = _scatter(
        run,
        rows,
        "epsilon",
        "budget",
        "Budget ε, of 255",
        attacks,
        lambda row: apart if row.epsilon is None else row.epsilon * 255,
        joined=True,
    )
    ticks = [(x, epsilon_text(x / 255).removesuffix("/255")) for x in sorted(budgets)]
    if any(row.epsilon is None for row in attacks):
        ticks.append((apart, epsilon_text(None)))
    return replace(chart, x_ticks=tuple(ticks))


def over_time(run: RunRecord, rows: Sequence[ResultRow]) -> Chart:
    """The score over the seconds that one image costs."""
    usable = [row for row in rows if row.is_attack and row.seconds_per_image]
    return _scatter(
        run, rows, "time", "time", "Seconds an image", usable, lambda row: row.seconds_per_image or 0.0
    )


def over_passes(run: RunRecord, rows: Sequence[ResultRow]) -> Chart:
    """The score over the forward and backward passes that one image costs."""
    usable = [row for row in rows if row.is_attack and row.passes]
    label = "Forward + backward passes an image"
    return _scatter(run, rows, "passes", "passes", label, usable, lambda row: row.passes or 0.0)


def training(name: str, log: Sequence[dict[str, Any]]) -> list[Chart]:
    """One chart for each number of a training log, over its steps; averaged to at most 300 points.

    Args:
        name: Of the log (``"hash-model"``).
        log: Its lines: ``step`` and further numbers.
    """
    keys = list(dict.fromkeys(key for line in log for key in line if key not in ("step", "epoch", "seconds")))
    charts = []
    for key in keys:
        points = [
            (float(line.get("step", place)), float(line[key]))
            for place, line in enumerate(log)
            if isinstance(line.get(key), int | float)
            and not isinstance(line.get(key), bool)
            and np.isfinite(float(line[key]))
        ]
        if len(points) < 2:
            continue
        x, y = _averaged(points)
        label = key.replace("_", " ")
        line = Line(label, x, y, [], [], colour=0)
        charts.append(
            Chart(f"training-{name}-{key}", f"{name}: {label}", "Step", label, (line,), percent=False)
        )
    return charts


def _averaged(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    size = -(-len(points) // MAX_POINTS)
    blocks = [np.array(points[start : start + size]).mean(axis=0) for start in range(0, len(points), size)]
    return [float(x) for x, _ in blocks], [float(y) for _, y in blocks]


def _scatter(
    run: RunRecord,
    rows: Sequence[ResultRow],
    over: str,
    title: str,
    x_label: str,
    shown: Sequence[ResultRow],
    x: Callable[[ResultRow], float],
    *,
    joined: bool = False,
) -> Chart:
    """Points of the score with intervals; rows of one attack and code share a name and a colour.

    They are joined only over the budget, where the line between two means something, and never to unbounded.
    """
    groups: dict[tuple[str, str, bool], list[ResultRow]] = {}
    for row in shown:
        groups.setdefault((row.attack, row.code, row.epsilon is None), []).append(row)
    codes = {
        attack: list(dict.fromkeys(code for other, code, _ in groups if other == attack))
        for attack, *_ in groups
    }
    names = dict(zip([row.row for row in rows], row_names(rows), strict=True))
    lines = []
    for (attack, code, apart), members in groups.items():
        members = sorted(members, key=x)
        legend = f"{attack}, {code}" if code and len(codes[attack]) > 1 else attack
        lines.append(
            Line(
                f"{legend} (unbounded)" if apart else legend,
                [float(x(row)) for row in members],
                [row.score for row in members],
                [row.score if row.score_low is None else row.score_low for row in members],
                [row.score if row.score_high is None else row.score_high for row in members],
                colour=colour_of(members[0], run),
                dash=codes[attack].index(code) % 3,
                points=True,
                hollow=apart,
                joined=joined,
                notes=tuple(f"{names[row.row]}, budget {row.budget}" for row in members),
            )
        )
    score = score_heading(rows)
    return Chart(
        f"{'map' if _untargeted(rows) else 't-map'}-over-{over}",
        f"{score} over {title}",
        x_label,
        f"{score}, %",
        tuple(lines),
        chance=_chance(rows),
        reference=_unchanged(rows),
        x_scale="linear" if joined else "log",
    )


def colour_of(row: ResultRow, run: RunRecord) -> int:
    """Return an attack's place in the palette, by its first appearance in the run; grey (-1) for what is no attack."""
    place = run.palette.get(row.attack)
    return -1 if place is None else place % COLOURS


def _line(
    run: RunRecord,
    row: ResultRow,
    name: str,
    x: Sequence[float],
    y: Sequence[float],
    rows: Sequence[ResultRow],
) -> Line:
    dash = 1 if row.is_code else 2 if row.is_noise else 0
    if row.is_attack and not row.is_noise:
        dash = [other.row for other in rows if other.attack == row.attack].index(row.row) % 3
    return Line(
        name,
        list(map(float, x)),
        list(map(float, y)),
        [],
        [],
        colour_of(row, run),
        dash,
        shown=not row.is_code,
    )


def _untargeted(rows: Sequence[ResultRow]) -> bool:
    return bool(rows) and rows[0].is_untargeted


def _chance(rows: Sequence[ResultRow]) -> float | None:
    return _same(row.score_chance for row in rows)


def _share_by_chance(rows: Sequence[ResultRow]) -> float | None:
    """Return the precision of a random ranking, which is its MAP; of MAP@k it is not, and rows do not say it."""
    return None if any(row.top_k is not None for row in rows) else _chance(rows)


def _unchanged(rows: Sequence[ResultRow]) -> float | None:
    """What the unchanged queries score: their own row's score, or what every untargeted row says of it."""
    for row in rows:
        if row.is_original:
            return row.score
    return _same(row.map_benign for row in rows) if _untargeted(rows) else None


def _same(values: Iterable[float | None]) -> float | None:
    levels = {None if value is None else round(value, 6) for value in values}
    return levels.pop() if len(levels) == 1 else None
