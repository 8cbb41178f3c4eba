"""What Tables 1 and 4 share: methods down, code lengths across, one table a protocol, the paper's numbers beside."""

from __future__ import annotations

from collections.abc import Sequence

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import PROTOCOLS
from hashprobe.experiments.paper.exhibits import Results
from hashprobe.experiments.paper.records import (
    MEASURED,
    Record,
    markdown_table,
    percent,
    pivot,
    record_of,
    with_interval,
)

HEADINGS = {
    "paper": "Target label drawn from all label vectors of the database (the paper's protocol)",
    "disjoint": "Target label that shares nothing with the query (the headline protocol)",
}
HOW_TO_READ = (
    "t-MAP in percent, ± half the width of its 95 % bootstrap interval over queries; ties are averaged exactly. "
    "**Chance** is the t-MAP of a random ranking. MAP is that of the unchanged queries against their own labels."
)


def measured(results: Results, cells: Sequence[Cell]) -> list[Record]:
    """Return the records of the finished cells."""
    return [record_of(cell, row) for cell, row in results.rows(cells)]


def methods_by_bits(records: Sequence[Record], theirs: Sequence[Record]) -> list[tuple[str, str]]:
    """Return one table a protocol.

    Args:
        records: Measured, of one loss.
        theirs: The paper's, of the same loss; shown in the protocol that is the paper's.
    """
    parts = []
    for protocol in PROTOCOLS:
        own = [record for record in records if record["protocol"] == protocol]
        beside = list(theirs) if protocol == "paper" else []
        shown = [*own, *beside]
        if not own:
            continue
        table = pivot(shown, lambda r: r["method"], _column, with_interval, corner="t-MAP, %")
        originals = [record for record in shown if record["method"] == "Original"]
        chance = pivot(originals, lambda r: "**Chance**", _column, lambda r: percent(r.get("chance")))
        clean = pivot(originals, lambda r: "Original, MAP", _column, lambda r: percent(r.get("map")))
        floor = pivot(originals, lambda r: "its chance", _column, lambda r: percent(r.get("map_chance")))
        parts.append((HEADINGS[protocol], markdown_table([*table, chance[1], clean[1], floor[1]])))
    return parts


def _column(record: Record) -> str:
    bits = f"{record['bits']} bits"
    return bits if record["source"] == MEASURED else f"*paper's, {bits}*"
