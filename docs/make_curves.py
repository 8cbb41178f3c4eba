"""Draws the curves of docs/results/attacks-flickr25k.md: the score of each attack over its budget, or over its steps.

Example: python docs/make_curves.py runs/steps steps docs/images/attacks-over-passes.png
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt

from hashprobe.report import RunRecord
from hashprobe.results import ResultRow

MARKERS = "osD^vP<X>*phd8H"


def main(folder: str, over: str, picture: str) -> None:
    """Draw a run's scores over ``epsilon`` or over ``steps`` into a picture."""
    run = RunRecord.read(Path(folder))
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in run.rows:
        if row.is_attack and (place := place_of(row, over)) is not None:
            lines[row.attack].append((place, row.score))
    figure, axes = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    axes.set_prop_cycle(color=plt.get_cmap("tab20").colors)  # type: ignore[attr-defined]
    for number, (attack, points) in enumerate(sorted(lines.items(), key=lambda line: -max(line[1])[1])):
        axes.plot(
            *zip(*sorted(points), strict=True), marker=MARKERS[number], markersize=4, lw=1, label=attack
        )
    for row in run.rows:
        if row.is_original:
            axes.axhline(row.score, color="0.6", ls=":", lw=1, label="unchanged queries")
        elif row.is_code and row.code == "mainstay":
            axes.axhline(row.score, color="0.3", ls="--", lw=1, label="mainstay code itself")
    axes.set_xscale("log" if over == "steps" else "linear")
    axes.set_xlabel("gradient steps" if over == "steps" else "ε, in levels of 255")
    axes.set_ylabel(run.rows[0].score_name)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    figure.savefig(picture, dpi=110)


def place_of(row: ResultRow, over: str) -> float | None:
    """Return where a row stands on the axis; ``None`` for one that has no place on it."""
    if over == "epsilon":
        return None if row.epsilon is None else 255 * row.epsilon
    steps = re.search(r"\bsteps=(\d+)", row.attack_settings)
    return float(steps[1]) if steps else None


if __name__ == "__main__":
    main(*sys.argv[1:])
