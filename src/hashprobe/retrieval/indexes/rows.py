"""What back ends that answer a query at a time have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hashprobe.retrieval.arrays import Int64Array


def filled(
    answers: Iterable[tuple[Sequence[Any], Sequence[Any]]], n: int, k: int
) -> tuple[Int64Array, Int64Array]:
    """Put answers of different lengths together, with -1 where a query found fewer than k.

    Args:
        answers: Of each query, indices and distances of whole numbers, at most k.
        n: How many queries.
        k: How many items were asked for.

    Returns:
        Indices and distances, each int64 ``(n, k)``.
    """
    ids, distances = np.full((n, k), -1, dtype=np.int64), np.zeros((n, k), dtype=np.int64)
    for row, (found, apart) in enumerate(answers):
        ids[row, : len(found)], distances[row, : len(found)] = found, np.rint(apart)
    return ids, distances
