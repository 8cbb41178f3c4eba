"""Charts as plain values: what to draw, alike for matplotlib (papers) and for the page (screens)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hashprobe.report.rows import Row, epsilon_text, row_names
from hashprobe.report.run import RunRecord

ATTACK_ORDER = ("ProS-GAN", "P2P", "DHTA", "FGSM", "I-FGSM")
"""Attacks whose colour is fixed, so that one attack has one colour in every report."""

_ATTACK_OF_CODE = {"Prototype code": "ProS-GAN", "P2P code": "P2P", "Anchor code": "DHTA"}

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
        dash: 0 solid, 1 dashed, 2 dotted.
        points: Whether points are marked (the x are measurements, not a grid).
        joined: Whether a line goes from each to the next.
        notes: What to say about each point, or empty.
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


def of_rows(run: RunRecord, rows: Sequence[Row]) -> list[Chart]:
    """Every chart of rows that may be drawn together (one protocol, one setting), but those without a line."""
    drawn = (
        precision_recall(run, rows),
        precision_at(run, rows),
        over_epsilon(rows),
        over_time(rows),
        over_passes(rows),
    )
    return [chart for chart in drawn if chart.lines]


def precision_recall(run: RunRecord, rows: Sequence[Row]) -> Chart:
    """Precision of the target label over recall."""
    lines = tuple(
        _line(row, name, curve.recall, curve.precision, rows)
        for row, name in zip(rows, row_names(rows), strict=True)
        if (curve := run.curves.get(row.row)) and curve.recall
    )
    return Chart(
        "pr",
        "Precision over recall of the target label",
        "Recall",
        "Precision, %",
        lines,
        chance=_chance(rows),
    )


def precision_at(run: RunRecord, rows: Sequence[Row]) -> Chart:
    """Share of the first N pictures returned that carry the target label."""
    lines = tuple(
        _line(row, name, [float(n) for n in curve.at], curve.precision_at, rows)
        for row, name in zip(rows, row_names(rows), strict=True)
        if (curve := run.curves.get(row.row)) and curve.at
    )
    return Chart(
        "precision-at-n",
        "Target label among the first N returned",
        "N, pictures returned",
        "Precision, %",
        lines,
        chance=_chance(rows),
        x_scale="log",
    )


def over_epsilon(rows: Sequence[Row]) -> Chart:
    """t-MAP over the budget; unbounded attacks stand apart, at the right."""
    bounded = [row for row in rows if row.is_attack and row.epsilon]
    largest = max((row.epsilon or 0.0 for row in bounded), default=8 / 255)
    apart = largest * 255 * 1.25 + 1
    chart = _scatter(
        "t-map-over-epsilon",
        "t-MAP over budget",
        "Budget ε, of 255",
        [row for row in rows if row.is_attack],
        lambda row: apart if row.epsilon is None else row.epsilon * 255,
        rows,
        joined=True,
    )
    positions = sorted({row.epsilon * 255 for row in bounded if row.epsilon})
    ticks = [(x, epsilon_text(x / 255).removesuffix("/255")) for x in positions]
    if len(bounded) < len([row for row in rows if row.is_attack]):
        ticks.append((apart, "unbounded"))
    return replace(chart, x_ticks=tuple(ticks))


def over_time(rows: Sequence[Row]) -> Chart:
    """t-MAP over the seconds that one image costs."""
    usable = [row for row in rows if row.is_attack and row.seconds_per_image]
    return _scatter(
        "t-map-over-time",
        "t-MAP over time",
        "Seconds an image",
        usable,
        lambda row: row.seconds_per_image or 0.0,
        rows,
    )


def over_passes(rows: Sequence[Row]) -> Chart:
    """t-MAP over the forward and backward passes that one image costs."""
    usable = [row for row in rows if row.is_attack and row.passes]
    return _scatter(
        "t-map-over-passes",
        "t-MAP over passes",
        "Forward + backward passes an image",
        usable,
        lambda row: row.passes or 0.0,
        rows,
    )


def training(name: str, log: Sequence[dict[str, Any]]) -> list[Chart]:
    """One chart for each number of a training log, over its steps; averaged to at most 300 points.

    Args:
        name: Of the log (``"prosgan"``).
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
            and np.isfinite(line[key])
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
    name: str,
    title: str,
    x_label: str,
    shown: Sequence[Row],
    x: Any,
    rows: Sequence[Row],
    *,
    joined: bool = False,
) -> Chart:
    """Points of t-MAP with intervals; rows of one attack and code share a name and a colour.

    They are joined only over the budget, where the line between two means something, and never to unbounded.
    """
    groups: dict[tuple[str, str, bool], list[Row]] = {}
    for row in shown:
        groups.setdefault((row.attack, row.code, joined and row.epsilon is None), []).append(row)
    codes = {attack: len({code for other, code, _ in groups if other == attack}) for attack, *_ in groups}
    names = dict(zip([row.row for row in rows], row_names(rows), strict=True))
    lines = []
    for (attack, code, apart), members in groups.items():
        members = sorted(members, key=x)
        legend = f"{attack}, {code}" if code and codes[attack] > 1 else attack
        lines.append(
            Line(
                f"{legend} (unbounded)" if apart else legend,
                [float(x(row)) for row in members],
                [row.t_map for row in members],
                [row.t_map if row.t_map_low is None else row.t_map_low for row in members],
                [row.t_map if row.t_map_high is None else row.t_map_high for row in members],
                colour=colour_of(attack, rows),
                points=True,
                joined=joined,
                notes=tuple(f"{names[row.row]}, budget {row.budget}" for row in members),
            )
        )
    original = [row.t_map for row in rows if row.is_original]
    return Chart(
        name,
        title,
        x_label,
        "t-MAP, %",
        tuple(lines),
        chance=_chance(rows),
        reference=original[0] if original else None,
        x_scale="linear" if joined else "log",
    )


def colour_of(attack: str, rows: Sequence[Row]) -> int:
    """Return an attack's place in the palette: fixed if known, by appearance if not, grey for no attack."""
    attack = _ATTACK_OF_CODE.get(attack, attack)
    if attack.lower() in ("original", "noise"):
        return -1
    if attack in ATTACK_ORDER:
        return ATTACK_ORDER.index(attack)
    others = list(
        dict.fromkeys(row.attack for row in rows if row.is_attack and row.attack not in ATTACK_ORDER)
    )
    others = [name for name in others if name.lower() != "noise"]
    return (
        len(ATTACK_ORDER) + others.index(attack) % (COLOURS - len(ATTACK_ORDER)) if attack in others else -1
    )


def _line(row: Row, name: str, x: list[float], y: list[float], rows: Sequence[Row]) -> Line:
    alike = [other for other in rows if other.attack == row.attack]
    dash = {"original": 0, "noise": 2}.get(row.attack.lower(), alike.index(row) % 3)
    if row.is_code:
        dash = 1
    return Line(
        name,
        list(map(float, x)),
        list(map(float, y)),
        [],
        [],
        colour_of(row.attack, rows),
        dash,
        shown=not row.is_code,
    )


def _chance(rows: Sequence[Row]) -> float | None:
    levels = {round(row.chance, 6) for row in rows}
    return levels.pop() if len(levels) == 1 else None
