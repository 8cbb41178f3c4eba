"""Table 2: t-MAP, perceptibility and time of attacks with few and with many iterations."""

from __future__ import annotations

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import GENERATOR, PROTOCOLS, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.methods import HEADINGS
from hashprobe.experiments.paper.records import (
    PUBLISHED,
    Record,
    markdown_table,
    published,
    record_of,
    with_interval,
)
from hashprobe.results import epsilon_text

BUDGET = 8 / 255
HEADER = [
    "Method",
    "Iterations",
    "t-MAP, %",
    "Perceptibility, ×10⁻²",
    "Largest change, of 255",
    "Seconds an image",
]
HOW_TO_READ = (
    "All gradient attacks aim at the anchor code within ε = 8/255. "
    + GENERATOR
    + " has no bound as published; "
    "the same generator clipped to 8/255 is a row of its own. Perceptibility is the root of the "
    "mean squared change in [0, 1] units. The time is that of the attack alone, a batch of 32 at a time, on the device that the "
    "records name; the paper's counts the decoding of the image and is that of a TITAN RTX."
)


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the four attacks at the headline's code length, and the generator held to their budget, under both protocols.

    The objective of FGSM and I-FGSM is the paper's.
    """
    size = catalogue.size
    model = size.model(size.headline_bits)
    return [
        cell
        for protocol in PROTOCOLS
        for cell in (
            catalogue.attack(model, protocol, "FGSM", objective="tanh"),
            catalogue.attack(model, protocol, "I-FGSM", steps=size.iterated_steps, objective="tanh"),
            catalogue.attack(model, protocol, "DHTA", steps=size.long_steps),
            catalogue.generator(model, protocol),
            catalogue.generator(model, protocol, epsilon=BUDGET),
        )
    ]


def show(results: Results) -> Sheet:
    """Show one table a protocol, with the paper's rows in the paper's protocol."""
    found = results.rows(cells(results.catalogue))
    records = [
        record_of(
            cell,
            row,
            iterations=_iterations(cell),
            variant=epsilon_text(row.epsilon) if row.epsilon else None,
        )
        for cell, row in found
    ]
    theirs = published("table2", results.catalogue.published) if results.catalogue.published else []
    parts = [("", HOW_TO_READ)]
    for protocol in PROTOCOLS:
        own = [record for record in records if record["protocol"] == protocol]
        if own:
            lines = [_line(record) for record in [*own, *(theirs if protocol == "paper" else [])]]
            chance = f"Chance: {100 * own[0]['chance']:.1f} %."
            parts.append((HEADINGS[protocol], f"{chance}\n\n{markdown_table([HEADER, *lines])}"))
    return Sheet(parts, [*records, *theirs])


def _iterations(cell: Cell) -> int:
    return int(cell.spec.settings.get("steps") or 1)


def _line(record: Record) -> list[str]:
    method = f"*paper's* {record['method']}" if record["source"] == PUBLISHED else record["method"]
    if record["method"] == GENERATOR and record.get("variant"):
        method += f", within {record['variant']}"
    linf = f"{255 * record['linf']:.0f}" if record.get("linf") is not None else "–"
    rms, seconds = 100 * record["rms"], record["seconds_per_image"]
    return [method, str(record["iterations"]), with_interval(record), f"{rms:.2f}", linf, f"{seconds:.3g}"]


EXHIBITS.register("table2")(Exhibit("Table 2: attack, perceptibility and time", cells, show))
