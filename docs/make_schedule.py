"""Draws t-MAP over the epochs of a training, from the lines of ``benchmarks/schedule.py``, beside rows of other attacks.

LABEL=FOLDER is a training that was scored on its way; LABEL=FOLDER:ATTACK:BUDGET the rows of an evaluation, a level.
Example: python docs/make_schedule.py docs/images/schedule.png ProS-GAN=runs/released "DHTA, 8/255=runs/levels:DHTA:8/255"
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from hashprobe.files import read_json_lines
from hashprobe.report import RunRecord

PROTOCOLS = ("paper", "disjoint")
BUDGETS = {"unbounded": "-", "8/255": "--"}


def main(picture: str, texts: Sequence[str]) -> None:
    """Draw a panel for each protocol into a picture."""
    figure, panels = plt.subplots(1, len(PROTOCOLS), figsize=(11, 4.2), layout="constrained")
    for axes, protocol in zip(panels, PROTOCOLS, strict=True):
        for number, (label, _, rest) in enumerate(text.partition("=") for text in texts):
            folder, *level = rest.split(":")
            if level:
                scores = [
                    row.score
                    for row in RunRecord.read(Path(folder)).rows
                    if [row.attack, row.budget] == level and row.protocol == protocol
                ]
                axes.axhline(statistics.mean(scores), color=f"C{number}", lw=1, ls=":", label=label)
            else:
                _draw(axes, label, Path(folder) / "schedule.jsonl", protocol, f"C{number}")
        axes.set_title(protocol)
        axes.set_xlabel("epochs of 5,000 images")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("t-MAP")
    panels[1].legend(fontsize=8, loc="best")
    figure.savefig(picture, dpi=110)


def _draw(axes: plt.Axes, label: str, lines: Path, protocol: str, colour: str) -> None:
    scored = read_json_lines(lines)
    epochs = [line["epoch"] for line in scored]
    for budget, style in BUDGETS.items():
        found = [line[f"{budget} {protocol}"] for line in scored]
        axes.plot(
            epochs,
            [one["t_map"] for one in found],
            style,
            marker="o",
            ms=3,
            lw=1,
            c=colour,
            label=f"{label}, {budget}",
        )
        axes.fill_between(
            epochs, [one["low"] for one in found], [one["high"] for one in found], color=colour, alpha=0.12
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
