"""What a query set scores: average precision with its interval, and the two curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval

CURVE_POINTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class Score:
    """How well a query set retrieves some labels: those of its targets, or its own.

    Attributes:
        average_precision: Per query, float64 ``(n,)``.
        low: Lower end of the 95 % bootstrap interval of the mean.
        high: Upper end.
        curve: The two curves, as ``curves.jsonl`` holds them.
    """

    average_precision: npt.NDArray[np.float64]
    low: float
    high: float
    curve: dict[str, list[float]]

    @property
    def mean(self) -> float:
        """MAP, or t-MAP."""
        return float(self.average_precision.mean())


def score(counts: retrieval.LevelCounts, precision: npt.NDArray[np.float64], *, seed: int) -> Score:
    """Score a query set.

    Args:
        counts: Of what was ranked, or found.
        precision: Average precision of each query.
        seed: Of the bootstrap.
    """
    low, high = retrieval.bootstrap_interval(precision, seed=seed)
    at = [n for n in CURVE_POINTS if n <= counts.items[0].sum()]
    recall, precision_at_recall = retrieval.precision_recall_curve(counts)
    curve = {
        "recall": _rounded(recall),
        "precision": _rounded(precision_at_recall),
        "at": [float(n) for n in at],
        "precision_at": _rounded(retrieval.precision_at(counts, at).mean(axis=0)),
    }
    return Score(precision, low, high, curve)


def _rounded(values: npt.NDArray[Any]) -> list[float]:
    return [round(float(value), 6) for value in values]
