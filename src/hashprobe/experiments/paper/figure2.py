"""Figure 2: precision over recall, and over the number of pictures returned, of the target label."""

from __future__ import annotations

from dataclasses import replace

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HEADINGS
from hashprobe.experiments.paper.records import Record, record_of, without_numbers
from hashprobe.report import RunRecord, charts, plots
from hashprobe.report.run import Curve


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the cells of Table 1 at the headline's code length."""
    model = catalogue.size.model(catalogue.size.headline_bits)
    return [cell for protocol in PROTOCOLS for cell in catalogue.methods(model, protocol)]


def show(results: Results) -> Sheet:
    """Draw both curves for each protocol; target codes are dashed."""
    found = results.rows(cells(results.catalogue))
    panels: list[charts.Chart] = []
    records: list[Record] = []
    for protocol in PROTOCOLS:
        own = [(cell, row) for cell, row in found if cell.protocol == protocol]
        if not own:
            continue
        run = RunRecord.from_rows(row.model_dump() for _, row in own)
        run = replace(run, curves={row.row: _curve(cell) for cell, row in own})
        for drawn in (charts.precision_recall(run, run.rows), charts.precision_at(run, run.rows)):
            panels.append(replace(drawn, title=f"{drawn.title}, {protocol}"))
        records += [point for cell, row in own for point in _points(cell, record_of(cell, row))]
    text = "\n".join(f"- **{protocol}**: {HEADINGS[protocol]}." for protocol in PROTOCOLS)
    figures = {"": plots.panels(panels)} if panels else {}
    return Sheet([("", f"{text}\n\nThe paper prints these curves without their numbers.")], records, figures)


def _curve(cell: Cell) -> Curve:
    return Curve(**{name: values for name, values in cell.measured().curves[0].items() if name != "row"})


def _points(cell: Cell, record: Record) -> list[Record]:
    """Return the precision at each N, a record each."""
    curve = _curve(cell)
    return [
        {**without_numbers(record), "n": n, "precision": value}
        for n, value in zip(curve.at, curve.precision_at, strict=True)
    ]


EXHIBITS.register("figure2")(Exhibit("Figure 2: precision-recall and precision at N", cells, show))
