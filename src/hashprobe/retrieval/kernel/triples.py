"""Partial distances that all queries share: sums over three bits of a code, made once for a tile of items.

Three bits of a query can be eight patterns. For each, the number of bits in which an item differs from it, 0 to 3, is
kept as two planes: its binary digits. A query then adds up ready numbers of two digits, a third as many as it has bits,
instead of the bits, which takes about half of the work.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.kernel.compiled import compiled
from hashprobe.retrieval.kernel.words import (
    WORDS,
    advance,
    empty_words,
    load,
    odd_ones,
    pointer,
    spread,
    store,
    two_ones,
)

# Numbers that are added at a time: their sum is at most 12, which four binary digits hold.
TRIPLES_A_STEP = 4

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def full_adder(a, b, c):  # type: ignore[no-untyped-def]
    """Return the sum and the carry of three binary digits."""
    return odd_ones(a, b, c), two_ones(a, b, c)


@compiled
def half_adder(a, b):  # type: ignore[no-untyped-def]
    """Return the sum and the carry of two binary digits."""
    return a ^ b, a & b


def triple_count(bits: int) -> int:
    """Return how many triples serve so many bits; bits behind the last count as 0."""
    return -(-bits // 3)


@compiled
def _fill(planes, sums):  # type: ignore[no-untyped-def]
    """Do the work of :func:`sums_of_three`."""
    bits, words = planes.shape[1], planes.shape[2]
    source, target = pointer(planes), pointer(sums)
    for index in range(sums.shape[0] * sums.shape[1]):
        tile, triple = divmod(index, sums.shape[1])
        first, held = advance(source, (tile * bits + 3 * triple) * words), bits - 3 * triple
        for pattern in range(8):
            entry = advance(target, (index * 8 + pattern) * 2 * words)
            mask_a = spread(ALL if pattern & 4 else np.uint64(0))
            mask_b = spread(ALL if pattern & 2 else np.uint64(0))
            mask_c = spread(ALL if pattern & 1 else np.uint64(0))
            for w in range(0, words, WORDS):
                a = b = c = spread(np.uint64(0))
                if held > 0:
                    a = load(first, w)
                if held > 1:
                    b = load(first, words + w)
                if held > 2:
                    c = load(first, 2 * words + w)
                one, two = full_adder(a ^ mask_a, b ^ mask_b, c ^ mask_c)
                store(entry, w, one)
                store(entry, words + w, two)


def sums_of_three(planes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the differences from each pattern of three bits.

    Args:
        planes: Planes of codes, uint64 ``(tiles, bits, words)``.

    Returns:
        uint64 ``(tiles, triples, 8, 2, words)``: for each pattern (its first bit the highest) the lower and the higher
        digit of the sum.
    """
    sums = empty_words((len(planes), triple_count(planes.shape[1]), 8, 2, planes.shape[2]))
    _fill(planes, sums)
    return sums


def choose_sums(codes: PackedCodes, words: int) -> npt.NDArray[np.int64]:
    """Return where the sums of each query start within those of a tile, int64 ``(n, triples)``.

    Args:
        codes: Packed codes of the queries, uint8 ``(n, bytes)``.
        words: Words of a plane.
    """
    triples = triple_count(8 * codes.shape[1])
    bits = np.zeros((len(codes), 3 * triples), dtype=np.int64)
    bits[:, : 8 * codes.shape[1]] = np.unpackbits(codes, axis=1)
    patterns = bits.reshape(len(codes), triples, 3) @ np.array([4, 2, 1])
    chosen: npt.NDArray[np.int64] = (8 * np.arange(triples) + patterns) * (2 * words)
    return chosen
