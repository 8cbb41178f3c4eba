"""What the counting kernel computes, as plainly as it can be said. It is too slow for use; the tests compare with it."""

from __future__ import annotations

import numpy as np

from hashprobe.retrieval.arrays import Bytes, Int64Array


def count_plainly(
    query_codes: Bytes, query_labels: Bytes, codes: Bytes, labels: Bytes, bits: int
) -> tuple[Int64Array, Int64Array]:
    """Count items, and those that share a label, at each Hamming distance of each query.

    Args:
        query_codes: Packed codes ``(n, ceil(K / 8))``.
        query_labels: Packed labels ``(n, ceil(C / 8))``.
        codes: Packed codes of the items ``(N, ceil(K / 8))``.
        labels: Packed labels of the items ``(N, ceil(C / 8))``.
        bits: K.

    Returns:
        Items and relevant items, each int64 ``(n, K + 1)``.
    """
    items, relevant = (np.zeros((len(query_codes), bits + 1), dtype=np.int64) for _ in range(2))
    for query, (code, label) in enumerate(zip(query_codes, query_labels, strict=True)):
        distances = np.unpackbits(codes ^ code, axis=1).sum(axis=1)
        shares = (labels & label).any(axis=1)
        items[query] = np.bincount(distances, minlength=bits + 1)
        relevant[query] = np.bincount(distances[shares], minlength=bits + 1)
    return items, relevant
