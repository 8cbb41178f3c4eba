"""Retrieval measured exactly: packed codes, Hamming rankings and their metrics. Numbers in, numbers out.

No model and no image is known here.
"""

from typing import TYPE_CHECKING

from hashprobe.retrieval.codes import bits_apart, pack, unpack
from hashprobe.retrieval.indexes import (
    INDEXES,
    FaissCodes,
    SearchIndex,
    check_index,
    open_index,
    read_faiss_codes,
)
from hashprobe.retrieval.labels import PackedLabels, pack_labels
from hashprobe.retrieval.levels import LevelCounts, count_levels, count_levels_of_sets
from hashprobe.retrieval.metrics.average_precision import average_precision, average_precision_from_counts
from hashprobe.retrieval.metrics.bootstrap import bootstrap_interval
from hashprobe.retrieval.metrics.chance import chance_level
from hashprobe.retrieval.metrics.curves import (
    precision_at,
    precision_at_recall,
    precision_recall_curve,
    precision_within_radius,
    recall_at,
)
from hashprobe.retrieval.metrics.neighbours import average_precision_from_neighbours, count_neighbours
from hashprobe.retrieval.metrics.order import OrderedLevelCounts, count_levels_in_order
from hashprobe.retrieval.search import Neighbours, top_k
from hashprobe.retrieval.store.code_store import CodeStore, open_code_store, write_code_store
from hashprobe.retrieval.store.parts import CodePart, write_code_store_in_parts

__all__ = [
    "INDEXES",
    "CodePart",
    "CodeStore",
    "FaissCodes",
    "HammingMeanAveragePrecision",
    "LevelCounts",
    "Neighbours",
    "OrderedLevelCounts",
    "PackedLabels",
    "SearchIndex",
    "average_precision",
    "average_precision_from_counts",
    "average_precision_from_neighbours",
    "bits_apart",
    "bootstrap_interval",
    "chance_level",
    "check_index",
    "count_levels",
    "count_levels_in_order",
    "count_levels_of_sets",
    "count_neighbours",
    "open_code_store",
    "open_index",
    "pack",
    "pack_labels",
    "precision_at",
    "precision_at_recall",
    "precision_recall_curve",
    "precision_within_radius",
    "read_faiss_codes",
    "recall_at",
    "top_k",
    "unpack",
    "write_code_store",
    "write_code_store_in_parts",
]

if TYPE_CHECKING:
    from hashprobe.retrieval.metrics.metric import HammingMeanAveragePrecision
else:

    def __getattr__(name):
        # where torchmetrics is installed this one class brings torch, which the functions do without
        if name != "HammingMeanAveragePrecision":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from hashprobe.retrieval.metrics.metric import HammingMeanAveragePrecision

        return HammingMeanAveragePrecision
