"""Figure 4(b): t-MAP and perceptibility of the generator over β, the weight of the reconstruction."""

from __future__ import annotations

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import GENERATOR, PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HEADINGS
from hashprobe.experiments.paper.records import markdown_table, percent, record_of, with_interval
from hashprobe.report import plots
from hashprobe.report.charts import Chart, Line


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return one generator a β at the headline's code length, under both protocols."""
    model = catalogue.size.model(catalogue.size.headline_bits)
    return [
        catalogue.generator(model, protocol, variant=f"β {beta:g}", reconstruction=beta)
        for beta in catalogue.size.betas
        for protocol in PROTOCOLS
    ]


def beta_of(cell: Cell) -> float:
    """Return the weight of the reconstruction that a cell's generator was trained with."""
    return float(cell.trained[GENERATOR].model_dump()["reconstruction"])


def show(results: Results) -> Sheet:
    """Show both over β."""
    found = results.rows(cells(results.catalogue))
    records = [record_of(cell, row, beta=beta_of(cell)) for cell, row in found]
    parts, charts = [], []
    for protocol in PROTOCOLS:
        own = [record for record in records if record["protocol"] == protocol]
        if not own:
            continue
        lines = [
            [f"{r['beta']:g}", with_interval(r), f"{100 * r['rms']:.2f}", percent(r["t_map_png"])]
            for r in own
        ]
        header = ["β", "t-MAP, %", "Perceptibility, ×10⁻²", "t-MAP after rounding to 8 bit, %"]
        chance = own[0]["chance"]
        table = markdown_table([header, *lines])
        parts.append((HEADINGS[protocol], f"Chance: {percent(chance)} %.\n\n{table}"))
        betas = [record["beta"] for record in own]
        ticks = tuple((beta, f"{beta:g}") for beta in betas)
        low, high = ([record[f"t_map_{side}"] for record in own] for side in ("low", "high"))
        strength = Line("t-MAP", betas, [r["t_map"] for r in own], low, high, 0, points=True)
        distance = Line("perceptibility", betas, [100 * r["rms"] for r in own], [], [], 1, points=True)
        charts += [
            Chart(
                "t-map",
                f"t-MAP, {protocol}",
                "β",
                "t-MAP, %",
                (strength,),
                chance,
                x_scale="log",
                x_ticks=ticks,
            ),
            Chart(
                "rms",
                f"Perceptibility, {protocol}",
                "β",
                "RMS, ×10⁻²",
                (distance,),
                x_scale="log",
                percent=False,
                x_ticks=ticks,
            ),
        ]
    return Sheet(parts, records, {"": plots.panels(charts, legend=False)} if charts else {})


EXHIBITS.register("figure4b")(Exhibit("Figure 4(b): β, attack and perceptibility", cells, show))
