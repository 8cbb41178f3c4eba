"""The report's plots with matplotlib, for papers and notebooks: each function returns a figure.

Figures are made without pyplot, so nothing is kept open and no display is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from hashprobe.errors import HashprobeError
from hashprobe.report import charts
from hashprobe.report.charts import Chart, Line
from hashprobe.report.rows import group_rank, groups, setting_names
from hashprobe.report.run import RunRecord
from hashprobe.report.sections import transfer_tables
from hashprobe.results import ResultRow, setting_of
from hashprobe.text import plain

PALETTE = ("#c2410c", "#0b6bb5", "#0f7a5a", "#8a6a00", "#8f3f97", "#4f56c4", "#007c85", "#a3244b")
GREY, INK, FAINT = "#6b717c", "#16181d", "#d9dce1"
DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))
MARKERS = "osD^vP<X>"

STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "hashprobe",
    "pdf.fonttype": 42,
}


STYLED = matplotlib.rc_context(STYLE)
"""Decorates what draws: the style holds while it draws, and the caller's settings come back."""


@STYLED
def precision_recall(run: RunRecord, protocol: str | None = None, setting: str | None = None) -> Figure:
    """Precision over recall of the target label (untargeted: of the query's own), one line a row, chance as a line.

    Args:
        run: A run.
        protocol: Target label protocol, or ``untargeted``; the headline one if not given.
        setting: A name of ``setting_names`` where the run compares models or seeds; the first if not given.

    Raises:
        HashprobeError: the run has no such rows.
    """
    return draw(charts.precision_recall(run, select(run, protocol, setting)))


@STYLED
def precision_at(run: RunRecord, protocol: str | None = None, setting: str | None = None) -> Figure:
    """Share of target (untargeted: relevant) pictures among the first N, over N. Arguments as in :func:`precision_recall`."""
    return draw(charts.precision_at(run, select(run, protocol, setting)))


@STYLED
def over_epsilon(run: RunRecord, protocol: str | None = None, setting: str | None = None) -> Figure:
    """t-MAP, or MAP where untargeted, over the budget, with intervals. Arguments as in :func:`precision_recall`."""
    return draw(charts.over_epsilon(run, select(run, protocol, setting)))


@STYLED
def over_time(run: RunRecord, protocol: str | None = None, setting: str | None = None) -> Figure:
    """t-MAP, or MAP where untargeted, over seconds an image, with intervals. Arguments as in :func:`precision_recall`."""
    return draw(charts.over_time(run, select(run, protocol, setting)))


@STYLED
def over_passes(run: RunRecord, protocol: str | None = None, setting: str | None = None) -> Figure:
    """t-MAP, or MAP where untargeted, over passes an image, with intervals. Arguments as in :func:`precision_recall`."""
    return draw(charts.over_passes(run, select(run, protocol, setting)))


@STYLED
def training(run: RunRecord, name: str) -> Figure:
    """All numbers of one training log over its steps, one panel each.

    Raises:
        HashprobeError: the run has no such log, or it holds nothing to draw.
    """
    if name not in run.training:
        raise HashprobeError(
            f"the run has no training log {name!r}; it has {', '.join(run.training) or 'none'}."
        )
    drawn = charts.training(name, run.training[name])
    if not drawn:
        raise HashprobeError(f"the training log {name!r} holds fewer than two numbers of a kind.")
    return panels(drawn, across=min(3, len(drawn)), size=(3.2, 2.4), legend=False)


@STYLED
def transfer(run: RunRecord, protocol: str | None = None, attack: str | None = None) -> Figure:
    """t-MAP (untargeted: MAP) of attacks made on one model (rows) and evaluated on another (columns), as a heat map.

    Args:
        run: A run.
        protocol: Target label protocol, or ``untargeted``; the headline one if not given.
        attack: As the page names it (``"I-FGSM, anchor (8/255)"``); the first if not given.

    Raises:
        HashprobeError: the run has no transfer rows of that protocol and attack.
    """
    wanted = {
        name: value for name, value in (("protocol", protocol), ("attack", attack)) if value is not None
    }
    tables = [
        table
        for table in transfer_tables(run.transfer)
        if all(table[name] == value for name, value in wanted.items())
    ]
    if not tables:
        said = " and ".join(f"{name} {value!r}" for name, value in wanted.items())
        raise HashprobeError("the run has no transfer rows" + (f" of {said}." if said else "."))
    table = min(tables, key=lambda t: group_rank(t["protocol"]))
    low_is_strong = table["untargeted"]
    values = [[float("nan") if cell is None else 100 * cell[0] for cell in row] for row in table["cells"]]
    figure = _figure(2.4 + 0.9 * len(table["to"]), 1.6 + 0.55 * len(table["from"]))
    axes = figure.add_subplot()
    drawn = axes.imshow(
        values, cmap="Oranges_r" if low_is_strong else "Oranges", vmin=0, vmax=100, aspect="auto"
    )
    for down, row in enumerate(table["cells"]):
        for across, cell in enumerate(row):
            if cell is not None:
                strong = 1 - cell[0] if low_is_strong else cell[0]
                colour = "white" if strong > 0.7 else INK
                text = f"{100 * cell[0]:.1f}\n(chance {100 * cell[1]:.1f})"
                axes.text(across, down, text, ha="center", va="center", color=colour, fontsize=7.5)
    axes.set_xticks(range(len(table["to"])), [_text(name) for name in table["to"]], rotation=30, ha="right")
    axes.set_yticks(range(len(table["from"])), [_text(name) for name in table["from"]])
    axes.set_xlabel("evaluated on")
    axes.set_ylabel("made on")
    axes.set_title(
        _text(", ".join(part for part in ("Transfer", table["attack"], table["protocol"]) if part))
    )
    figure.colorbar(drawn, label="MAP, %" if low_is_strong else "t-MAP, %")
    return figure


def select(run: RunRecord, protocol: str | None = None, setting: str | None = None) -> list[ResultRow]:
    """Return the rows of one protocol (or ``untargeted``) and one setting, which may be drawn together.

    Raises:
        HashprobeError: there is none.
    """
    protocol = protocol if protocol is not None else groups(run.rows)[0]
    names = setting_names(run.rows)
    setting = setting if setting is not None else next(iter(names.values()))
    rows = [row for row in run.rows if row.group == protocol and names[setting_of(row)] == setting]
    if not rows:
        settings = "; ".join(dict.fromkeys(names.values()))
        known = f"protocols: {', '.join(groups(run.rows))}; settings: {settings}"
        raise HashprobeError(
            f"the run has no row under protocol {protocol!r} and setting {setting!r}. It has {known}."
        )
    return rows


@STYLED
def draw(chart: Chart) -> Figure:
    """Draw one chart.

    Raises:
        HashprobeError: the chart has no line.
    """
    if not chart.lines:
        raise HashprobeError(f"there is nothing to draw for {chart.title!r}: the run holds no values for it.")
    figure = _figure(5.2, 3.3)
    _draw(figure.add_subplot(), chart, legend=len(chart.lines) > 1)
    return figure


@STYLED
def panels(
    drawn: Sequence[Chart], *, across: int = 2, size: tuple[float, float] = (4.6, 3.2), legend: bool = True
) -> Figure:
    """Draw several charts in one figure, row by row.

    Args:
        drawn: The charts; each has a line.
        across: How many stand beside one another.
        size: Width and height of one, in inches.
        legend: Whether each has a legend.
    """
    down = -(-len(drawn) // across)
    figure = _figure(size[0] * across, size[1] * down)
    for place, chart in enumerate(drawn, start=1):
        _draw(figure.add_subplot(down, across, place), chart, legend=legend)
    return figure


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _draw(axes: Axes, chart: Chart, *, legend: bool) -> None:
    scale = 100.0 if chart.percent else 1.0
    for line in chart.lines:
        _draw_line(axes, line, scale)
    for level, name, dash in (
        (chart.chance, "chance", (0, (4, 3))),
        (chart.reference, "unchanged queries", (0, (1, 2))),
    ):
        if level is not None:
            axes.axhline(
                scale * level,
                color=GREY,
                linewidth=1,
                linestyle=dash,
                label=f"{name} {scale * level:.1f}",
                zorder=1,
            )
    if chart.x_scale == "log":
        axes.set_xscale("log")
        xs = [x for line in chart.lines for x in line.x]
        subs = (1.0, 2.0, 5.0) if max(xs) < 100 * min(xs) else (1.0,)
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    if chart.percent:
        axes.set_ylim(0, 100)
    if chart.x_ticks:
        axes.set_xticks([x for x, _ in chart.x_ticks], [text for _, text in chart.x_ticks])
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(_text(chart.x_label))
    axes.set_ylabel(_text(chart.y_label))
    axes.set_title(_text(chart.title))
    if legend:
        axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_line(axes: Axes, line: Line, scale: float) -> None:
    colour = GREY if line.colour < 0 else PALETTE[line.colour % len(PALETTE)]
    y = [scale * value for value in line.y]
    marker = MARKERS[(max(line.colour, 0) + 3 * line.dash) % len(MARKERS)] if line.points else None
    axes.plot(
        line.x,
        y,
        color=colour,
        linestyle=DASHES[line.dash] if line.joined else "none",
        linewidth=1.5,
        marker=marker,
        markersize=5,
        markerfacecolor="white" if line.hollow else colour,
        label=_text(line.name),
    )
    if line.low:
        below = [scale * max(0.0, middle - low) for middle, low in zip(line.y, line.low, strict=True)]
        above = [scale * max(0.0, high - middle) for middle, high in zip(line.y, line.high, strict=True)]
        axes.errorbar(line.x, y, yerr=[below, above], fmt="none", ecolor=colour, elinewidth=1, capsize=2)


def _text(text: str) -> str:
    """Show a name as it is: a dollar sign starts no formula, and a long name ends in an ellipsis."""
    text = plain(text).replace("$", r"\$")
    return text if len(text) <= 60 else text[:59] + "…"


def figures(run: RunRecord) -> Mapping[str, Figure]:
    """Return every figure that the run has values for, by file stem."""
    made: dict[str, Figure] = {}
    names = setting_names(run.rows)
    first = next(iter(names.values()))
    for group in groups(run.rows):
        own = [row for row in run.rows if row.group == group]
        setting = first if any(names[setting_of(row)] == first for row in own) else names[setting_of(own[0])]
        rows = select(run, group, setting)
        made.update({f"{chart.name}-{group}": draw(chart) for chart in charts.of_rows(run, rows)})
    for name, log in run.training.items():
        if charts.training(name, log):
            made[f"training-{name}"] = training(run, name)
    for table in transfer_tables(run.transfer):
        stem = "-".join(part for part in ("transfer", table["attack"], table["protocol"]) if part)
        made[stem] = transfer(run, table["protocol"], table["attack"])
    return made
