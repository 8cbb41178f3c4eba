"""Table 3: transfer. Queries attacked on one model, scored on models of other backbones and code lengths."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.paper.catalogue import GENERATOR, PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HEADINGS
from hashprobe.experiments.paper.records import Record, markdown_table, percent, pivot, published, record_of
from hashprobe.report import RunRecord, plots

METHODS = ("DHTA", GENERATOR)


def models(catalogue: Catalogue) -> list[AttackedModel]:
    """Return the models: each backbone at each code length."""
    size = catalogue.size
    return [size.model(bits, backbone=model.backbone) for model in size.models for bits in size.transfer_bits]


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return, for each model and protocol, the unchanged queries, and DHTA and the generator scored on all models."""
    own, wanted = models(catalogue), []
    for protocol in PROTOCOLS:
        for model in own:
            others = [other for other in own if other != model]
            wanted += [
                catalogue.original(model, protocol),
                catalogue.attack(model, protocol, "DHTA", others=others, steps=catalogue.size.steps),
                catalogue.generator(model, protocol, others=others),
            ]
    return wanted


def show(results: Results) -> Sheet:
    """Show one matrix an attack and protocol: attacked models down, scored models across."""
    records = [
        record_of(cell, row, model)
        for cell in cells(results.catalogue)
        if cell.finished()
        for model, row in zip((cell.model, *cell.others), cell.rows(), strict=True)
    ]
    # What the models themselves are worth is said first: an attack cannot carry over to a model that found nothing.
    originals = {name_of(r): r for r in records if r["method"] == "Original"}
    worth = [["Model", "MAP, %", "its chance, %"]]
    worth += [[name, percent(r["map"]), percent(r["map_chance"])] for name, r in originals.items()]
    parts = [
        ("", "t-MAP in percent; attacked model down, scored model across."),
        ("Models", markdown_table(worth)),
    ]
    figures: dict[str, Figure] = {}
    for protocol in PROTOCOLS:
        for method in METHODS:
            own = [r for r in records if r["protocol"] == protocol and r["method"] in (method, "Original")]
            if any(r["method"] == method for r in own):
                parts.append((f"{method}. {HEADINGS[protocol]}", _matrix(own)))
                figures[f"{method.lower()}-{protocol}"] = _heat_map(method, own)
    theirs = published("table3")
    for method in METHODS:
        shown = [record for record in theirs if record["method"] in (method, "Original")]
        parts.append((f"{method}. *The paper's, on NUS-WIDE*", _matrix(shown)))
    return Sheet(parts, [*records, *theirs], figures)


def name_of(record: Record) -> str:
    """Name the scored model of a record."""
    return f"{record['backbone']}, {record['bits']} bits"


def _attacked(record: Record) -> str:
    if record["method"] == "Original":
        return "Original"
    return f"{record['attacked_backbone']}, {record['attacked_bits']} bits"


def _matrix(records: list[Record]) -> str:
    by_column = _in_order_of_attack(records)
    table = pivot(by_column, _attacked, name_of, lambda r: percent(r["t_map"]), corner="attacked ↓ scored →")
    chances = [r for r in records if r["method"] == "Original" and r.get("chance") is not None]
    if chances:
        levels = {name_of(r): percent(r["chance"]) for r in chances}
        table.append(["**Chance**", *(levels.get(column, "–") for column in table[0][1:])])
    return markdown_table(table)


def _in_order_of_attack(records: list[Record]) -> list[Record]:
    """Put columns in the order of the rows: each cell's own model comes first in it, which would set another."""
    order = [name_of(record) for record in records if record["method"] == "Original"]
    for record in records:
        order += [name for name in (_attacked(record), name_of(record)) if name not in order]
    attacks = [record for record in records if record["method"] != "Original"]
    attacks.sort(key=lambda record: (order.index(_attacked(record)), order.index(name_of(record))))
    return [*attacks, *(record for record in records if record["method"] == "Original")]


def _heat_map(method: str, records: list[Record]) -> Figure:
    links: list[dict[str, Any]] = [
        {
            "goal": "targeted",
            "from": _attacked(record),
            "to": name_of(record),
            "attack": method,
            "epsilon": 8 / 255 if method == "DHTA" else None,
            "protocol": record["protocol"],
            "t_map": record["t_map"],
            "chance": record["chance"],
        }
        for record in _in_order_of_attack(records)
        if record["method"] == method
    ]
    return plots.transfer(RunRecord(rows=[], transfer=links))


EXHIBITS.register("table3")(Exhibit("Table 3: transfer between backbones and code lengths", cells, show))
