"""Figure 2: precision over recall, and over the number of pictures returned, of the target label."""

from __future__ import annotations

from hashprobe.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.paper.methods import HEADINGS
from hashprobe.paper.records import Record, record_of, setting_of
from hashprobe.paper.tasks import Cell
from hashprobe.report import plots
from hashprobe.report.charts import Chart, Line

METHODS = ("Original", "Noise", "P2P", "DHTA", "ProS-GAN", "Anchor code", "Prototype code")
COLOURS = {
    "ProS-GAN": 0,
    "P2P": 1,
    "DHTA": 2,
    "Prototype code": 0,
    "Anchor code": 2,
    "Original": -1,
    "Noise": 3,
}


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the cells of Table 1 at the headline's code length."""
    model = catalogue.size.model(catalogue.size.headline_bits)
    return [cell for protocol in PROTOCOLS for cell in catalogue.methods(model, protocol)]


def show(results: Results) -> Sheet:
    """Draw both curves for each protocol; target codes are dashed."""
    found = results.rows(cells(results.catalogue))
    charts, records = [], []
    for protocol in PROTOCOLS:
        own = [(cell, row) for cell, row in found if cell.protocol == protocol]
        if not own:
            continue
        curves = [(cell.method, cell.facts()["curves"][0]) for cell, _ in own]
        chance = own[0][1].chance
        over_recall = tuple(_line(name, curve["recall"], curve["precision"]) for name, curve in curves)
        over_n = tuple(_line(name, curve["at"], curve["precision_at"]) for name, curve in curves)
        charts += [
            Chart("pr", f"Precision over recall, {protocol}", "Recall", "Precision, %", over_recall, chance),
            Chart(
                "at-n", f"Precision at N, {protocol}", "N, pictures returned", "Precision, %", over_n, chance,
                x_scale="log",
            ),
        ]  # fmt: skip
        records += [point for cell, row in own for point in _points(cell, record_of(cell, row))]
    text = "\n".join(f"- **{protocol}**: {HEADINGS[protocol]}." for protocol in PROTOCOLS)
    figures = {"": plots.panels(charts)} if charts else {}
    return Sheet([("", f"{text}\n\nThe paper prints these curves without their numbers.")], records, figures)


def _line(name: str, x: list[float], y: list[float]) -> Line:
    dash = 1 if name.endswith(" code") else 0
    return Line(name, x, y, [], [], COLOURS[name], dash=dash)


def _points(cell: Cell, record: Record) -> list[Record]:
    """Return the precision at each N, a record each."""
    curve = cell.facts()["curves"][0]
    return [
        {**setting_of(record), "n": int(n), "precision": value}
        for n, value in zip(curve["at"], curve["precision_at"], strict=True)
    ]


EXHIBITS.register("figure2")(Exhibit("Figure 2: precision-recall and precision at N", cells, show))
