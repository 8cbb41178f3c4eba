"""Cells: what is measured, described (spec), done (measure) and kept (measured)."""

from hashprobe.evaluation.cells.measure import measure
from hashprobe.evaluation.cells.measured import CellStore, Measured
from hashprobe.evaluation.cells.spec import CellSpec, cells_under, check_cells, over_training_seeds

__all__ = [
    "CellSpec",
    "CellStore",
    "Measured",
    "cells_under",
    "check_cells",
    "measure",
    "over_training_seeds",
]
