"""The cells of the paper's tables by name, so that two tables that show the same cell mean the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hashprobe.evaluation import AttackCell
from hashprobe.paper.cell import Cell
from hashprobe.paper.place import Place
from hashprobe.paper.sizes import GridSize
from hashprobe.recipes import AttackedModel

PROTOCOLS = ("paper", "disjoint")
GALLERY = 8


@dataclass(frozen=True)
class Catalogue:
    """Makes cells of one grid.

    Attributes:
        place: Where the grid is computed.
        size: How large it is.
        published: Which of the paper's data sets the data are, by a name of ``PUBLISHED_BETAS``; ``None`` for others.
    """

    place: Place
    size: GridSize
    published: str | None = None

    def methods(self, model: AttackedModel, protocol: str) -> list[Cell]:
        """Return the rows of Tables 1 and 4."""
        return [
            self.original(model, protocol),
            self.attack(model, protocol, "Noise"),
            self.attack(model, protocol, "P2P", steps=self.size.steps),
            self.attack(model, protocol, "DHTA", steps=self.size.steps),
            self.prosgan(model, protocol),
            self.target_code(model, protocol, "anchor"),
            self.target_code(model, protocol, "prototype"),
        ]

    def original(self, model: AttackedModel, protocol: str) -> Cell:
        """Return the cell of the unchanged queries."""
        return Cell(place=self.place, model=model, protocol=protocol)

    def target_code(self, model: AttackedModel, protocol: str, code: str) -> Cell:
        """Return the cell in which target codes themselves are the queries."""
        prototype = self.size.scale.prototype if code == "prototype" else None
        return Cell(place=self.place, model=model, protocol=protocol, code=code, prototype=prototype)

    def attack(
        self,
        model: AttackedModel,
        protocol: str,
        name: str,
        *,
        also: Sequence[AttackedModel] = (),
        **settings: Any,
    ) -> Cell:
        """Return the cell of an attack that is not trained.

        Args:
            model: The attacked model.
            protocol: Target label protocol.
            name: Of the attack.
            also: Further models that it is measured on.
            settings: The attack's numbers.
        """
        attack = AttackCell(attack=name, settings=settings)
        return Cell(place=self.place, model=model, protocol=protocol, attack=attack, also=tuple(also))

    def prosgan(
        self,
        model: AttackedModel,
        protocol: str,
        *,
        epsilon: float | None = None,
        also: Sequence[AttackedModel] = (),
        **changes: Any,
    ) -> Cell:
        """Return the cell of ProS-GAN.

        Args:
            model: The attacked model.
            protocol: Target label protocol.
            epsilon: What its output is clipped to; without a bound as published if not given.
            also: Further models that it is measured on.
            changes: Training settings that differ from the grid's.
        """
        return Cell(
            place=self.place,
            model=model,
            protocol=protocol,
            attack=AttackCell(attack="ProS-GAN", settings={"epsilon": epsilon}),
            prototype=self.size.scale.prototype,
            prosgan=self.size.scale.prosgan.model_copy(update=changes),
            also=tuple(also),
            gallery=0 if also or epsilon else GALLERY,
        )
