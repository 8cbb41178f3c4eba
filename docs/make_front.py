"""Draws strength over cost: t-MAP over gradients, over passes, and over time.

A line is the mean of its trainings, a band their spread; LABEL=FOLDER:ATTACK names attacks of a run, several joined by commas.
Example: python docs/make_front.py docs/images/front.png "code alone=runs/front:CodeGenerator" PTA=runs/front:PTA
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import ScalarFormatter

from hashprobe.report import RunRecord
from hashprobe.results import ResultRow

MARKERS = "osD^vP"
AXES = {
    "gradients of the attacked network an image": lambda row: row.backward_passes,
    "its passes and the generator's, forward and backward": lambda row: (
        row.forward_passes + row.backward_passes
    ),
    "milliseconds an image": lambda row: 1000 * row.seconds_per_image,
}


def main(picture: str, texts: Sequence[str]) -> None:
    """Draw the lines that ``LABEL=FOLDER:ATTACK,…`` name into a picture."""
    lines = dict(line_of(text) for text in texts)
    figure, panels = plt.subplots(1, len(AXES), figsize=(13, 4.4), layout="constrained", sharey=True)
    for axes, (title, place) in zip(panels, AXES.items(), strict=True):
        for number, (label, rows) in enumerate(lines.items()):
            points = sorted(
                (statistics.mean(map(place, same)), sorted(row.score for row in same)) for same in rows
            )
            places, scores = zip(*points, strict=True)
            axes.plot(
                places, [*map(statistics.mean, scores)], marker=MARKERS[number], ms=4, lw=1, label=label
            )
            axes.fill_between(places, [low for low, *_ in scores], [high for *_, high in scores], alpha=0.2)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("t-MAP")
    panels[0].legend(loc="lower right", fontsize=8)
    figure.savefig(picture, dpi=110)


def line_of(text: str) -> tuple[str, list[list[ResultRow]]]:
    """Return a label, and the rows of each of its settings, one a training seed."""
    label, _, rest = text.partition("=")
    folder, _, attacks = rest.partition(":")
    same: dict[str, list[ResultRow]] = defaultdict(list)
    for row in RunRecord.read(Path(folder)).rows:
        if row.attack in attacks.split(","):
            same[row.attack_settings].append(row)
    if not same:
        raise SystemExit(
            f"{folder} has no rows of {attacks or 'an attack without a name'}; give LABEL=FOLDER:ATTACK."
        )
    return label, list(same.values())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
