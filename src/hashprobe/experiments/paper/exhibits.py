"""Exhibits: the paper's tables and figures. Each says which cells it is made of, and shows what they measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.paper.catalogue import Catalogue
from hashprobe.experiments.paper.records import Record
from hashprobe.registry import Registry
from hashprobe.results import ResultRow


@dataclass(frozen=True)
class Sheet:
    """What an exhibit shows.

    Attributes:
        parts: Headings with Markdown below them.
        records: The numbers, for the CSV file.
        figures: Figures by file stem.
    """

    parts: Sequence[tuple[str, str]]
    records: Sequence[Record]
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What a grid has measured so far.

    Attributes:
        catalogue: The grid's cells.
        failed: Why cells are missing, by key.
    """

    catalogue: Catalogue
    failed: Mapping[str, str] = field(default_factory=dict)

    def rows(self, cells: Iterable[Cell]) -> list[tuple[Cell, ResultRow]]:
        """Return the finished cells with their rows on the attacked model, in order."""
        return [(cell, cell.rows()[0]) for cell in cells if cell.finished()]


@dataclass(frozen=True)
class Exhibit:
    """A table or figure of the paper.

    Attributes:
        title: As the page is headed.
        cells: The cells that it needs.
        show: What it makes of them; cells that are not finished are left out.
    """

    title: str
    cells: Callable[[Catalogue], list[Cell]]
    show: Callable[[Results], Sheet]


EXHIBITS: Registry[Exhibit] = Registry("table or figure")
