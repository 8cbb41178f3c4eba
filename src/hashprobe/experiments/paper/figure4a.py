"""Figure 4(a): what ProS-GAN loses without its Hamming term (GAN) and without the discriminator's classes (ProS-GAN−)."""

from __future__ import annotations

from typing import Any

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HEADINGS
from hashprobe.experiments.paper.records import markdown_table, percent, pivot, record_of, with_interval
from hashprobe.report import plots
from hashprobe.report.charts import Chart, Line

ABLATIONS: dict[str, dict[str, Any]] = {
    "GAN": {"hamming": 0.0},
    "ProS-GAN−": {"class_outputs": False},
    "ProS-GAN": {},
}
COLOURS = {"GAN": 1, "ProS-GAN−": 2, "ProS-GAN": 0}


def variants(catalogue: Catalogue) -> list[tuple[str, Cell]]:
    """Return each ablation's cells with its name."""
    size = catalogue.size
    return [
        (name, catalogue.generator(size.model(bits), protocol, variant=name if changes else "", **changes))
        for bits in size.bits_by_need
        for name, changes in ABLATIONS.items()
        for protocol in PROTOCOLS
    ]


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the cells of all ablations."""
    return [cell for _, cell in variants(catalogue)]


def show(results: Results) -> Sheet:
    """Show t-MAP over code lengths, a line an ablation."""
    records = [
        record_of(cell, row, variant=name)
        for name, own in variants(results.catalogue)
        for cell, row in results.rows([own])
    ]
    records.sort(key=lambda record: int(record["bits"]))
    parts, charts = (
        [("", "t-MAP in percent; β, the weight of the reconstruction, is the same for all three.")],
        [],
    )
    for protocol in PROTOCOLS:
        own = [record for record in records if record["protocol"] == protocol]
        if not own:
            continue
        table = pivot(
            own, lambda r: r["variant"], lambda r: f"{r['bits']} bits", with_interval, corner="t-MAP, %"
        )
        rms = pivot(own, lambda r: f"{r['variant']}, perceptibility ×10⁻²", lambda r: f"{r['bits']} bits",
                    lambda r: f"{100 * r['rms']:.2f}")  # fmt: skip
        chance = pivot(
            own, lambda r: "**Chance**", lambda r: f"{r['bits']} bits", lambda r: percent(r["chance"])
        )
        parts.append((HEADINGS[protocol], markdown_table([*table, *chance[1:], *rms[1:]])))
        ticks = tuple((float(bits), str(bits)) for bits in sorted({record["bits"] for record in own}))
        lines = []
        for name in ABLATIONS:
            points = [record for record in own if record["variant"] == name]
            if points:
                low, high = ([r[f"t_map_{side}"] for r in points] for side in ("low", "high"))
                bits, values = [float(r["bits"]) for r in points], [r["t_map"] for r in points]
                lines.append(Line(name, bits, values, low, high, COLOURS[name], points=True))
        charts.append(
            Chart(
                "ablations",
                f"Ablations, {protocol}",
                "Code length, bits",
                "t-MAP, %",
                tuple(lines),
                own[0]["chance"],
                x_ticks=ticks,
            )
        )
    return Sheet(parts, records, {"": plots.panels(charts)} if charts else {})


EXHIBITS.register("figure4a")(Exhibit("Figure 4(a): ablations of ProS-GAN", cells, show))
