"""The cells of the paper's tables by name, so that two tables that show the same cell mean the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hashprobe.evaluation import CellSpec
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.grid import Grid
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.paper.sizes import GridSize

PROTOCOLS = ("paper", "disjoint")
GALLERY = 8
GENERATOR = "ProS-GAN"
"""The paper's own attack."""


@dataclass(frozen=True)
class Catalogue:
    """Makes cells of one grid.

    Attributes:
        grid: Where they are computed.
        size: How large they are.
        published: Which of the paper's data sets the data are, by a name of ``PUBLISHED_BETAS``; ``None`` for others.
    """

    grid: Grid
    size: GridSize
    published: str | None = None

    def methods(self, model: AttackedModel, protocol: str) -> list[Cell]:
        """Return the rows of Tables 1 and 4."""
        return [
            self.original(model, protocol),
            self.attack(model, protocol, "Noise"),
            self.attack(model, protocol, "P2P", steps=self.size.steps),
            self.attack(model, protocol, "DHTA", steps=self.size.steps),
            self.generator(model, protocol),
            self.target_code(model, protocol, "anchor"),
            self.target_code(model, protocol, "prototype"),
        ]

    def original(self, model: AttackedModel, protocol: str) -> Cell:
        """Return the cell of the unchanged queries."""
        return self.cell(model, protocol, CellSpec())

    def target_code(self, model: AttackedModel, protocol: str, code: str) -> Cell:
        """Return the cell in which target codes themselves are the queries."""
        return self.cell(model, protocol, CellSpec(code=code))

    def attack(
        self,
        model: AttackedModel,
        protocol: str,
        name: str,
        *,
        others: Sequence[AttackedModel] = (),
        **settings: Any,
    ) -> Cell:
        """Return the cell of an attack.

        Args:
            model: The attacked model.
            protocol: Target label protocol.
            name: Of the attack.
            others: Further models that it is measured on.
            settings: The attack's numbers.
        """
        return self.cell(model, protocol, CellSpec(attack=name, settings=settings), others=others)

    def generator(
        self,
        model: AttackedModel,
        protocol: str,
        *,
        epsilon: float | None = None,
        others: Sequence[AttackedModel] = (),
        variant: str = "",
        **changes: Any,
    ) -> Cell:
        """Return the cell of the paper's own attack.

        Args:
            model: The attacked model.
            protocol: Target label protocol.
            epsilon: What its output is clipped to; without a bound as published if not given.
            others: Further models that it is measured on.
            variant: What tells it from others, for people.
            changes: Training settings that differ from the grid's.
        """
        spec = CellSpec(attack=GENERATOR, settings={"epsilon": epsilon}, gallery=not others and not epsilon)
        return self.cell(model, protocol, spec, others=others, variant=variant, **changes)

    def cell(
        self,
        model: AttackedModel,
        protocol: str | None,
        spec: CellSpec,
        *,
        others: Sequence[AttackedModel] = (),
        variant: str = "",
        **changes: Any,
    ) -> Cell:
        """Return any cell, with the grid's settings for what it needs trained, but for ``changes``."""
        return Cell(
            grid=self.grid,
            model=model,
            spec=spec,
            protocol=protocol,
            trained=self.size.scale.settings_of(spec.needs, **changes),
            others=tuple(others),
            pictures=GALLERY if spec.gallery else 0,
            variant=variant,
        )
