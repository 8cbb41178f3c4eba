"""What a ranking that knows nothing scores: the level every MAP and t-MAP is read against."""

from __future__ import annotations

from typing import Any

from hashprobe.retrieval.arrays import Float64Array
from hashprobe.retrieval.levels import count_unranked
from hashprobe.retrieval.metrics.average_precision import Empty, average_precision_from_counts
from hashprobe.typed_values import checked


@checked
def chance_level(
    query_labels: Any,
    database_labels: Any,
    *,
    empty: Empty = "count_as_zero",
    top_k: int | None = None,
    threads: int | None = None,
) -> Float64Array:
    """Return the exact expected average precision of a random ranking, for each query.

    A random ranking is one level that holds the whole database. With R relevant items among N the first k ranks
    give ``R (a k + (1 - a) H(k)) / (N min(R, k))`` where ``a = (R - 1) / (N - 1)`` and H is the harmonic number; k is N
    without ``top_k``, and at most N. It is 0 where R is 0, and 1 where R is N.

    Args:
        query_labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`; target labels for the chance level of
            t-MAP.
        database_labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        empty: As for :func:`average_precision`: give both the same, so that both average the same queries.
        top_k: As for :func:`average_precision`: the chance level of MAP@k.
        threads: How many threads; ``None`` is all.

    Returns:
        float64 ``(n,)``; under ``empty="skip"`` only the queries that have relevant items.

    Raises:
        HashprobeError: labels that do not fit, or a query without relevant items under ``empty="error"``.
    """
    counts = count_unranked(query_labels, database_labels, threads=threads)
    return average_precision_from_counts(counts, empty=empty, top_k=top_k)
