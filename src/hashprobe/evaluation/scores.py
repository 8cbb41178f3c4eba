"""What an attacked query set scores: MAP, t-MAP with its interval and chance level, and the two curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval

CURVE_POINTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class TargetScore:
    """How well a query set retrieves its target labels.

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
    def t_map(self) -> float:
        """The mean."""
        return float(self.average_precision.mean())


def score_targets(counts: retrieval.LevelCounts, *, seed: int) -> TargetScore:
    """Score a query set by its counts.

    Args:
        counts: Of its codes, by target labels.
        seed: Of the bootstrap.
    """
    precision = retrieval.average_precision_from_counts(counts)
    low, high = retrieval.bootstrap_interval(precision, seed=seed)
    at = [n for n in CURVE_POINTS if n <= counts.items[0].sum()]
    recall, precision_at_recall = retrieval.precision_recall_curve(counts)
    curve = {
        "recall": _rounded(recall),
        "precision": _rounded(precision_at_recall),
        "at": [float(n) for n in at],
        "precision_at": _rounded(retrieval.precision_at(counts, at).mean(axis=0)),
    }
    return TargetScore(precision, low, high, curve)


def _rounded(values: npt.NDArray[Any]) -> list[float]:
    return [round(float(value), 6) for value in values]
