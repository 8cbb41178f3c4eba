"""Level counts of codes and of all their neighbours, each with one bit turned: what a search for better codes looks at.

A turned bit moves each item by one level, nearer or farther. One pass over the items, that counts at each level how many have a 1
at each bit, so gives the counts of all K neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.kernel.compiled import compiled
from hashprobe.retrieval.levels import LevelCounts


def count_flips(
    queries: PackedCodes, items: PackedCodes, number: Any, relevant: npt.NDArray[Any], *, bits: int
) -> LevelCounts:
    """Count items and relevant items at each distance of each code, and of each of its K neighbours.

    Args:
        queries: Packed codes, uint8 ``(n, ceil(K / 8))``.
        items: Packed codes, uint8 ``(N, ceil(K / 8))``: best different ones, with the number of items that have each.
        number: How many items have each of these codes, ``(N,)``.
        relevant: How many of them are relevant to each query, ``(n, N)``.
        bits: K.

    Returns:
        Counts of n · (K + 1) codes: of each query itself, then with its first bit turned, its second, ...; 16 n (K + 1)² bytes.
    """
    ones = np.unpackbits(items, axis=1, count=bits)
    asked = np.unpackbits(queries, axis=1, count=bits)
    counts = _count(asked, ones, np.asarray(number, dtype=np.int64), relevant.astype(np.int64, copy=False))
    return LevelCounts(*(level.reshape(-1, bits + 1) for level in counts))


@compiled
def _count(asked, ones, number, relevant):  # type: ignore[no-untyped-def]
    """Return items and relevant items, each int64 ``(n, K + 1, K + 1)``: query, turned bit (the first is none), distance."""
    queries, bits = asked.shape
    items = np.zeros((queries, bits + 1, bits + 1), np.int64)
    found = np.zeros((queries, bits + 1, bits + 1), np.int64)
    with_one, found_with_one = np.empty((2, bits + 1, bits), np.int64)
    for q in range(queries):
        with_one[:] = 0
        found_with_one[:] = 0
        for item in range(len(ones)):
            distance = 0
            for bit in range(bits):
                distance += ones[item, bit] ^ asked[q, bit]
            n, r = number[item], relevant[q, item]
            items[q, 0, distance] += n
            for bit in range(bits):
                with_one[distance, bit] += n * ones[item, bit]
            if r > 0:
                found[q, 0, distance] += r
                for bit in range(bits):
                    found_with_one[distance, bit] += r * ones[item, bit]
        _turn(asked[q], with_one, items[q])
        _turn(asked[q], found_with_one, found[q])
    return items, found


@compiled
def _turn(asked, with_one, levels):  # type: ignore[no-untyped-def]
    """Fill in the counts of the neighbours of one query from its own, which are the first row of ``levels``.

    Args:
        asked: Bits of the query, ``(K,)``.
        with_one: Items at each distance that have a 1 at each bit, ``(K + 1, K)``.
        levels: ``(K + 1, K + 1)``.
    """
    bits = len(asked)
    for bit in range(bits):
        for distance in range(bits + 1):
            alike = with_one[distance, bit]
            if not asked[bit]:
                alike = levels[0, distance] - alike
            # Those that agree in the bit are farther when it is turned, the others nearer; none agrees at distance K.
            if distance < bits:
                levels[bit + 1, distance + 1] += alike
            if distance > 0:
                levels[bit + 1, distance - 1] += levels[0, distance] - alike
