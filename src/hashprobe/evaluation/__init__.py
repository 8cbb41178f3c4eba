"""Runs attacks under protocols and budgets; result rows, curves and the gallery's material."""

from hashprobe.evaluation.audit import audit_data, chance_by_protocol
from hashprobe.evaluation.evaluator import Attacked, Evaluator
from hashprobe.evaluation.gallery import choose_queries, gallery_entries
from hashprobe.evaluation.pictures import AttackedPicture, attack_pictures, target_label
from hashprobe.evaluation.scores import TargetScore, score_targets
from hashprobe.evaluation.table import CODE_TITLES, AttackCell, Table, check_cells
from hashprobe.evaluation.transfer import transfer
from hashprobe.results import ResultRow

__all__ = [
    "CODE_TITLES",
    "AttackCell",
    "Attacked",
    "AttackedPicture",
    "Evaluator",
    "ResultRow",
    "Table",
    "TargetScore",
    "attack_pictures",
    "audit_data",
    "chance_by_protocol",
    "check_cells",
    "choose_queries",
    "gallery_entries",
    "score_targets",
    "target_label",
    "transfer",
]
