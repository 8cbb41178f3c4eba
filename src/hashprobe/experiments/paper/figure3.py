"""Figure 3: what a query and its adversarial picture retrieve, five pictures each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import GENERATOR, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.records import Record
from hashprobe.report import plots

SHOWN_QUERIES, RETRIEVED = 3, 5
HIT, MISS = "#0f7a5a", "#c2410c"


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the generator's cell at the headline's code length, towards labels that share nothing with the query."""
    return [catalogue.generator(catalogue.size.model(catalogue.size.headline_bits), "disjoint")]


def show(results: Results) -> Sheet:
    """Draw the first queries of the gallery, which were chosen before any result was known."""
    found = results.rows(cells(results.catalogue))
    if not found:
        return Sheet([], [])
    cell, _ = found[0]
    entries: list[dict[str, Any]] = cell.measured().gallery[:SHOWN_QUERIES]
    text = (
        f"Each pair of rows: a query with the five nearest pictures of the database, and the same query attacked by {GENERATOR} "
        f"(saved as 8 bit) with its five nearest. A green frame marks a picture that has a target label, an orange one a "
        "picture that has none. The queries are spread evenly over the split, not picked."
    )
    lines = [
        f"- `{entry['query_name']}` ({', '.join(entry['query_labels'])}) towards {', '.join(entry['target_labels'])}: "
        f"{_hits(entry['before'])} of {RETRIEVED} before, {_hits(entry['after'])} after."
        for entry in entries
    ]
    return Sheet(
        [("", text), ("", "\n".join(lines))],
        [_record(entry) for entry in entries],
        {"": _draw(entries, cell.grid.folder / "gallery")},
    )


def _hits(retrieved: list[dict[str, Any]]) -> int:
    return sum(item["hit"] for item in retrieved[:RETRIEVED])


def _record(entry: dict[str, Any]) -> Record:
    return {
        "method": entry["attack"],
        "protocol": entry["protocol"],
        "query": entry["query_name"],
        "query_labels": " ".join(entry["query_labels"]),
        "target_labels": " ".join(entry["target_labels"]),
        "hits_before": _hits(entry["before"]),
        "hits_after": _hits(entry["after"]),
    }


@plots.STYLED
def _draw(entries: list[dict[str, Any]], folder: Path) -> Figure:
    rows = 2 * len(entries)
    figure = Figure(figsize=(1.35 * (RETRIEVED + 1), 1.5 * rows), layout="constrained")
    axes = figure.subplots(rows, RETRIEVED + 1, squeeze=False)
    for place, entry in enumerate(entries):
        for row, picture, retrieved, title in (
            (2 * place, "query_image", "before", ", ".join(entry["query_labels"])),
            (2 * place + 1, "adversarial_image", "after", "→ " + ", ".join(entry["target_labels"])),
        ):
            _picture(axes[row][0], folder / entry[picture], title, None)
            for column, item in enumerate(entry[retrieved][:RETRIEVED], start=1):
                _picture(
                    axes[row][column], folder / item["image"], f"distance {item['distance']}", item["hit"]
                )
    return figure


def _picture(axes: Axes, path: Path, title: str, hit: bool | None) -> None:
    axes.imshow(np.asarray(Image.open(path, formats=("PNG",))), interpolation="nearest")
    axes.set_title(title if len(title) <= 26 else f"{title[:25]}…", fontsize=6.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(hit is not None)
        spine.set_color(HIT if hit else MISS)
        spine.set_linewidth(2.5)


EXHIBITS.register("figure3")(Exhibit("Figure 3: what is retrieved before and after the attack", cells, show))
