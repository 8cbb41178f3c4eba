"""Packed codes, exact Hamming ranking, metrics. Numbers in, numbers out: no model and no image is known here."""

from hashprobe.retrieval.codes import pack, unpack
from hashprobe.retrieval.levels import LevelCounts, count_levels
from hashprobe.retrieval.metrics import (
    average_precision,
    average_precision_from_counts,
    bootstrap_interval,
    chance_level,
    precision_at,
    precision_recall_curve,
    recall_at,
)
from hashprobe.retrieval.order import top_k

__all__ = [
    "LevelCounts",
    "average_precision",
    "average_precision_from_counts",
    "bootstrap_interval",
    "chance_level",
    "count_levels",
    "pack",
    "precision_at",
    "precision_recall_curve",
    "recall_at",
    "top_k",
    "unpack",
]
