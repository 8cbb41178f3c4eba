"""Table 4: the methods of Table 1 on models of other losses, DPH and HashNet."""

from __future__ import annotations

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HOW_TO_READ, measured, methods_by_bits
from hashprobe.experiments.paper.records import published

LOSSES = {"dph": "DPH", "hashnet": "HashNet"}


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the methods against one model a loss and code length, under both protocols; the headline's length first."""
    size = catalogue.size
    return [
        cell
        for bits in size.bits_by_need
        for loss in LOSSES
        for protocol in PROTOCOLS
        for cell in catalogue.methods(size.model(bits, loss), protocol)
    ]


def show(results: Results) -> Sheet:
    """Show methods by bits for each loss; the paper's numbers are those on NUS-WIDE."""
    own = sorted(cells(results.catalogue), key=lambda cell: cell.model.bits)
    records, theirs = measured(results, own), published("table4")
    parts = [("", f"{HOW_TO_READ} The paper's numbers are on NUS-WIDE.")]
    for loss, title in LOSSES.items():
        mine = [record for record in records if record["loss"] == loss]
        beside = [record for record in theirs if record["loss"] == loss]
        parts += [(f"{title}. {heading}", table) for heading, table in methods_by_bits(mine, beside)]
    return Sheet(parts, [*records, *theirs])


EXHIBITS.register("table4")(Exhibit("Table 4: targeted attacks on DPH and HashNet", cells, show))
