"""The table of SAAT's paper: untargeted and targeted attacks on a DPH model, by MAP and t-MAP of the first 5,000 images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hashprobe import retrieval
from hashprobe.evaluation import CellSpec
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.paper.catalogue import GENERATOR, Catalogue
from hashprobe.experiments.paper.exhibits import EXHIBITS, Exhibit, Results, Sheet
from hashprobe.experiments.paper.records import (
    Record,
    markdown_table,
    percent,
    published,
    record_of,
    without_numbers,
)
from hashprobe.experiments.paper.sizes import GridSize
from hashprobe.targets import Objective, draw_target_labels

NAME = "saat-table"
PROTOCOL = "disjoint"
TOP_K = 5000
BUDGET = 8 / 255
LOSS, BACKBONE = "dph", "alexnet"
UNCHANGED = "Unchanged"
EXACT, AS_PUBLISHED = "exact", "as published"
HOW_TO_READ = (
    "An independent comparison: attacks away from the query, and attacks towards a target that shares nothing with it, on a DPH "
    f"model, by MAP and t-MAP of the first {TOP_K:,} images. **Exact** averages over the orders of tied images and "
    "divides by the most relevant images that could be found, ± half the width of the 95 % bootstrap interval over queries; **as "
    "published** keeps the order of the database and divides by those that were found, as the field's scripts do. The last "
    "column is what SAAT's authors print (Yuan et al., *Semantic-Aware Adversarial Training for Reliable Deep Hashing "
    "Retrieval*, TIFS 2023), on AlexNet with 32 bits. **SAAT** is PGD towards the mainstay code or away from it, with their "
    "objective. A *code* is ranked itself: as far as an attack that aims at it, or leaves it, can come. All attacks keep to "
    f"ε = 8/255 but the {GENERATOR} that has no bound, as it was published."
)
COLUMNS: dict[Objective, str] = {"untargeted": "map", "targeted": "t_map"}
HEADINGS = {
    "untargeted": "Untargeted: MAP, less is stronger",
    "targeted": "Targeted: t-MAP, more is stronger",
}
CODES = {"Anchor": "anchor", "Circle": "circle", "Mainstay": "mainstay", "AP search": "ap-search"}
"""Ranked themselves as if they were queries, by title."""


@dataclass(frozen=True)
class Method:
    """A row.

    Attributes:
        title: What it is called, there and in ``published.csv``.
        objective: Whether MAP or t-MAP is its score.
        cell: What measures it.
    """

    title: str
    objective: Objective
    cell: Cell


def attacked(catalogue: Catalogue) -> AttackedModel:
    """Return the DPH model: on AlexNet as theirs, where the grid has it."""
    size = catalogue.size
    known = [model.backbone for model in size.models]
    return size.model(size.headline_bits, LOSS, BACKBONE if BACKBONE in known else None)


def methods(catalogue: Catalogue) -> list[Method]:
    """Return the rows, untargeted ones first; what takes up to 2,000 steps as published takes the grid's number of them."""
    size, model = catalogue.size, attacked(catalogue)
    theirs: dict[str, int | str] = {"steps": size.iterated_steps, "objective": "sharpening"}

    def method(
        goal: Objective,
        title: str,
        attack: str | None = None,
        code: str | None = None,
        **settings: int | str,
    ) -> Method:
        spec = CellSpec(attack=attack, goal=goal, code=code, settings=settings)
        cell = catalogue.cell(model, PROTOCOL if goal == "targeted" else None, spec)
        return Method(title, goal, cell)

    untargeted, targeted = partial(method, "untargeted"), partial(method, "targeted")
    original = catalogue.original(model, PROTOCOL)
    return [
        Method(UNCHANGED, "untargeted", original),
        untargeted("HAG", "HAG", steps=size.long_steps),
        untargeted("SDHA", "SDHA", steps=_sdha_steps(size)),
        untargeted("SAAT", "PGD", "mainstay", **theirs),
        untargeted("*Own code*", code="own"),
        untargeted("*Mainstay code*", code="mainstay"),
        Method(UNCHANGED, "targeted", original),
        targeted("P2P", "P2P", steps=size.steps),
        targeted("DHTA", "DHTA", steps=size.steps),
        Method(GENERATOR, "targeted", catalogue.generator(model, PROTOCOL)),
        Method(f"{GENERATOR} within 8/255", "targeted", catalogue.generator(model, PROTOCOL, epsilon=BUDGET)),
        targeted("THA", "THA", steps=size.iterated_steps),
        targeted("SAAT", "PGD", "mainstay", **theirs),
        *(targeted(f"*{title} code*", code=code) for title, code in CODES.items()),
    ]


def _sdha_steps(size: GridSize) -> int:
    return min(size.long_steps, 1500)


def cells(catalogue: Catalogue) -> list[Cell]:
    """Return the cells of all rows; that of the unchanged queries serves both tables."""
    return list({method.cell.key: method.cell for method in methods(catalogue)}.values())


def show(results: Results) -> Sheet:
    """Show one table an objective, measured in both ways, with the authors' numbers beside."""
    records = [record for method in methods(results.catalogue) for record in _measured(method)]
    theirs = published(NAME, results.catalogue.published) if results.catalogue.published else []
    size = results.catalogue.size
    steps = (
        f"HAG takes {size.long_steps:,} steps here (as published 2,000), SDHA {_sdha_steps(size):,} (1,500), THA and SAAT "
        f"{size.iterated_steps:,} (100)."
    )
    parts = [("", f"{HOW_TO_READ} {steps}")]
    for objective, column in COLUMNS.items():
        own = [record for record in records if column in record]
        beside = {record["method"]: record[column] for record in theirs if column in record}
        if own:
            chance = f"Chance: {percent(own[0][_chance(column)])} %."
            parts.append((HEADINGS[objective], f"{chance}\n\n{markdown_table(_table(own, beside, column))}"))
    return Sheet(parts, [*records, *theirs])


def _measured(method: Method) -> list[Record]:
    """Score the codes that a finished cell ranked, in both ways; none of a cell that is not finished."""
    cell, column = method.cell, COLUMNS[method.objective]
    if not cell.finished():
        return []
    data, targeted = cell.grid.load(), method.objective == "targeted"
    labels, items = data.query.labels, data.database.labels
    if targeted:
        labels = draw_target_labels(PROTOCOL, labels, items, seed=cell.grid.seed)
    given = (cell.query_codes(), cell.attacked.codes()["database"], labels, items)
    exact = retrieval.average_precision(*given, bits=cell.model.bits, top_k=TOP_K)
    plain = retrieval.average_precision(*given, bits=cell.model.bits, top_k=TOP_K, mode="as_published")
    low, high = retrieval.bootstrap_interval(exact, seed=cell.grid.seed)
    common = {
        **without_numbers(record_of(cell, cell.rows()[0])),
        "protocol": PROTOCOL if targeted else None,
        "method": method.title,
        "chance": None,
        _chance(column): float(retrieval.chance_level(labels, items, top_k=TOP_K).mean()),
    }
    return [
        {
            **common,
            "variant": EXACT,
            column: float(exact.mean()),
            f"{column}_low": low,
            f"{column}_high": high,
        },
        {**common, "variant": AS_PUBLISHED, column: float(plain.mean())},
    ]


def _chance(column: str) -> str:
    return "chance" if column == "t_map" else "map_chance"


def _table(own: Sequence[Record], beside: Mapping[str, float], column: str) -> list[list[str]]:
    plain = {record["method"]: record[column] for record in own if record["variant"] == AS_PUBLISHED}
    lines = [["Method", f"{EXACT}, %", f"{AS_PUBLISHED}, %", "*SAAT's authors, %*"]]
    for record in own:
        if record["variant"] == EXACT:
            half = 50 * (record[f"{column}_high"] - record[f"{column}_low"])
            method = record["method"]
            score = f"{percent(record[column])} ± {half:.1f}"
            lines.append([method, score, percent(plain[method]), percent(beside.get(method))])
    return lines


EXHIBITS.register(NAME)(Exhibit("SAAT's table: untargeted and targeted attacks on DPH", cells, show))
