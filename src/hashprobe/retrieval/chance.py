"""What a ranking that knows nothing scores: the level every MAP and t-MAP is read against."""

from __future__ import annotations

from typing import Any

import numpy as np

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.average_precision import average_precision
from hashprobe.retrieval.labels import check_labels
from hashprobe.retrieval.ties import Float64Array


def chance_level(query_labels: Any, database_labels: Any, *, threads: int | None = None) -> Float64Array:
    """Return the exact expected average precision of a random ranking, for each query.

    A random ranking is one level that holds the whole database. With R relevant items among N it scores
    ``(a N + (1 - a) H(N)) / N`` where ``a = (R - 1) / (N - 1)`` and H is the harmonic number; 0 where R is 0.

    Args:
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`; target labels for the chance level of
            t-MAP.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        threads: How many threads; ``None`` is all.

    Returns:
        float64 ``(n,)``.
    """
    wanted, labels = (
        check_labels("query_labels", query_labels),
        check_labels("database_labels", database_labels),
    )
    if not len(labels):
        raise HashprobeError("database_labels is empty; there is nothing to rank.")
    asked, alike = np.zeros((len(wanted), 1), dtype=np.uint8), np.zeros((len(labels), 1), dtype=np.uint8)
    return average_precision(asked, alike, wanted, labels, bits=1, threads=threads)
