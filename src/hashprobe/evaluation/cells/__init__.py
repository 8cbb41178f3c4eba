"""Cells: what is measured, described (spec), done (measure) and kept (measured)."""

from hashprobe.evaluation.cells.measure import measure
from hashprobe.evaluation.cells.measured import CellStore, Measured
from hashprobe.evaluation.cells.planned import (
    attacks_on_each,
    cells_under,
    check_cells,
    check_names,
    over_training_seeds,
)
from hashprobe.evaluation.cells.spec import CellSpec

__all__ = [
    "CellSpec",
    "CellStore",
    "Measured",
    "attacks_on_each",
    "cells_under",
    "check_cells",
    "check_names",
    "measure",
    "over_training_seeds",
]
