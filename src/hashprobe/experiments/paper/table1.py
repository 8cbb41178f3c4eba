"""Table 1: t-MAP of targeted attacks and MAP of the unchanged queries over code lengths; and what the measuring does to it."""

from __future__ import annotations

import numpy as np

from hashprobe import retrieval
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HOW_TO_READ, measured, methods_by_bits
from hashprobe.experiments.paper.records import (
    Record,
    markdown_table,
    percent,
    pivot,
    published,
    record_of,
    without_numbers,
)
from hashprobe.targets import draw_target_labels

MEASURINGS = ("expected", "as published", "optimistic", "pessimistic")


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the methods against one model a code length, under both protocols; the headline's code length first."""
    size = catalogue.size
    return [
        cell
        for bits in size.bits_by_need
        for protocol in PROTOCOLS
        for cell in catalogue.methods(size.model(bits), protocol)
    ]


def show(results: Results) -> Sheet:
    """Show methods by bits, and the same cells measured in other ways."""
    own = sorted(cells(results.catalogue), key=lambda cell: cell.model.bits)
    records = measured(results, own)
    theirs = published("table1", results.catalogue.published) if results.catalogue.published else []
    other_ways = [
        record for cell, row in results.rows(own) for record in measured_otherwise(cell, record_of(cell, row))
    ]
    return Sheet(
        [("", HOW_TO_READ), *methods_by_bits(records, theirs), *_effect_of_measuring(other_ways)],
        [*records, *theirs, *other_ways],
    )


def measured_otherwise(cell: Cell, record: Record) -> list[Record]:
    """Score the codes that a cell ranked in every way of measuring; return a record for each.

    Args:
        cell: A finished cell.
        record: Its record.
    """
    data, grid = cell.grid.load(), cell.grid
    targets = draw_target_labels(cell.protocol or "", data.query.labels, data.database.labels, seed=grid.seed)
    given = (cell.query_codes(), cell.attacked.codes()["database"], targets, data.database.labels)
    records = []
    for way in MEASURINGS:
        if way == "as published":
            precision = retrieval.average_precision(
                *given, bits=cell.model.bits, ties="order", mode="as_published"
            )
        else:
            precision = retrieval.average_precision(*given, bits=cell.model.bits, ties=way)  # type: ignore[arg-type]
        records.append(
            {**without_numbers(record), "variant": f"ties {way}", "t_map": float(np.mean(precision))}
        )
    return records


def _effect_of_measuring(records: list[Record]) -> list[tuple[str, str]]:
    if not records:
        return []
    table = pivot(
        records,
        lambda r: f"{r['method']}, {r['bits']} bits",
        lambda r: f"{r['protocol']}: {r['variant'].removeprefix('ties ')}",
        lambda r: percent(r["t_map"]),
        corner="t-MAP, %",
    )
    text = (
        "The same codes, ranked against the same target labels. *Expected* is the exact mean over all orders of items at "
        "equal distance; *as published* orders them by their place in the database, as the field's scripts do; "
        "*optimistic* and *pessimistic* are the bounds between which any order falls."
    )
    return [("The effect of the measuring alone", f"{text}\n\n{markdown_table(table)}")]


EXHIBITS.register("table1")(Exhibit("Table 1: targeted attacks on DPSH over code lengths", cells, show))
