"""Records: one measured or published number set a line, with the same columns, as the CSV files hold them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from importlib.resources import files
from typing import Any

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.models import AttackedModel
from hashprobe.results import ResultRow

Record = dict[str, Any]

COLUMNS = (
    "source",
    "data",
    "protocol",
    "loss",
    "backbone",
    "bits",
    "attacked_backbone",
    "attacked_bits",
    "method",
    "variant",
    "iterations",
    "t_map",
    "t_map_low",
    "t_map_high",
    "chance",
    "map",
    "map_chance",
    "rms",
    "linf",
    "t_map_png",
    "seconds_per_image",
    "forward_passes",
    "backward_passes",
    "queries",
    "seed",
)
# What a record of the same codes, scored in another way, has in common with the first.
SETTING = ("source", "data", "protocol", "loss", "backbone", "bits", "method", "chance", "queries", "seed")
MEASURED, PUBLISHED = "hashprobe", "paper"


def record_of(cell: Cell, row: ResultRow, model: AttackedModel | None = None, **more: Any) -> Record:
    """Return the record of one measured row.

    Args:
        cell: The cell that measured it.
        row: The row.
        model: The model that it was measured on, where that is not the attacked one.
        more: Further columns.
    """
    measured_on = model or cell.model
    return {
        "source": MEASURED,
        "loss": measured_on.training.loss,
        "backbone": measured_on.backbone,
        "attacked_backbone": cell.model.backbone,
        "attacked_bits": cell.model.bits,
        "method": cell.method,
        **row.model_dump(include=set(COLUMNS)),
        **more,
    }


def without_numbers(record: Record) -> Record:
    """Return what says whose number a record's is, without the numbers."""
    return {name: record.get(name) for name in SETTING}


def published(exhibit: str, data: str | None = None) -> list[Record]:
    """Return the paper's own numbers of a table, as fractions.

    Args:
        exhibit: ``table1`` to ``table4``; the figures print no numbers.
        data: ``flickr25k``, ``nus-wide`` or ``ms-coco``; all of them if not given.
    """
    text = (files("hashprobe.experiments.paper") / "published.csv").read_text(encoding="utf-8")
    records = []
    for line in csv.DictReader(io.StringIO(text)):
        if line["exhibit"] == exhibit and data in (None, line["data"]):
            values: Record = {
                name: _number(value) for name, value in line.items() if value and name != "exhibit"
            }
            records.append({"source": PUBLISHED, **values})
    return records


def _number(text: str) -> Any:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


def to_csv(records: Iterable[Record]) -> str:
    """Return records as CSV, without the columns that none of them has."""
    lines = list(records)
    used = [column for column in COLUMNS if any(line.get(column) is not None for line in lines)]
    further = sorted({name for line in lines for name in line} - set(COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*used, *further], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def pivot(
    records: Iterable[Record],
    down: Callable[[Record], Hashable],
    across: Callable[[Record], Hashable],
    show: Callable[[Record], str],
    *,
    corner: str = "",
) -> list[list[str]]:
    """Arrange records as a table of texts, with a header row; rows and columns come in the order of their first record.

    Args:
        records: What is shown, one record a place.
        down: Name of a record's row.
        across: Name of its column.
        show: Its text.
        corner: What the first column holds.
    """
    cells = {(down(record), across(record)): show(record) for record in records}
    rows, columns = (list(dict.fromkeys(place[side] for place in cells)) for side in (0, 1))
    table = [[corner, *map(str, columns)]]
    return table + [[str(row), *(cells.get((row, column), "–") for column in columns)] for row in rows]


def markdown_table(table: Sequence[Sequence[str]]) -> str:
    """Return a table of texts, whose first row is its header, as Markdown; all columns but the first stand to the right."""
    header, *rows = ([cell.replace("|", "\\|") for cell in row] for row in table)
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def percent(value: float | None) -> str:
    """Return a fraction in percent with one decimal."""
    return "–" if value is None else f"{100 * value:.1f}"


def with_interval(record: Record) -> str:
    """Return a record's t-MAP in percent, with half the width of its 95 % interval where it has one."""
    text = percent(record.get("t_map"))
    low, high = record.get("t_map_low"), record.get("t_map_high")
    return text if low is None or high is None else f"{text} ± {50 * (high - low):.1f}"
