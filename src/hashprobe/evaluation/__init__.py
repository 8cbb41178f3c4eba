"""Runs attacks towards goals, within budgets: cells, scores, result rows, the gallery's material."""

from hashprobe.evaluation.attacked import Attacked
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
from hashprobe.evaluation.cells.table import measure_table
from hashprobe.evaluation.evaluator import Evaluator
from hashprobe.evaluation.gallery import choose_queries, gallery_entries
from hashprobe.evaluation.kept_codes import encoded_codes, kept_codes
from hashprobe.evaluation.own_size import Pipeline
from hashprobe.evaluation.pictures import AttackedPicture, attack_pictures, picture_goal, target_label
from hashprobe.evaluation.ranking import Ranking, SearchSettings
from hashprobe.evaluation.scores import Score, score
from hashprobe.results import ResultRow

__all__ = [
    "Attacked",
    "AttackedPicture",
    "CellSpec",
    "CellStore",
    "Evaluator",
    "Measured",
    "Pipeline",
    "Ranking",
    "ResultRow",
    "Score",
    "SearchSettings",
    "attack_pictures",
    "attacks_on_each",
    "cells_under",
    "check_cells",
    "check_names",
    "choose_queries",
    "encoded_codes",
    "gallery_entries",
    "kept_codes",
    "measure",
    "measure_table",
    "over_training_seeds",
    "picture_goal",
    "score",
    "target_label",
]
