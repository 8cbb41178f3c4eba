"""How many items lie at each distance, counted on bit planes, 256 items an instruction; compiled by numba.

A query meets the planes of a tile of items in three steps.

1. *Distance.* Plane k, inverted where the query's bit k is 1, has a 1 for each item that differs in bit k.
   The distance is the sum of these ones, over k, for each item. It is added up as one adds by hand, in
   binary and for all items at once: the sum is again kept as planes, one for each binary digit. A full adder
   takes three planes of one digit to a sum of this digit and a carry to the next.
2. *Relevance.* An item shares a label with the query where one of the planes of the query's labels has a 1.
3. *Levels.* The digits above the lowest two say which four levels an item may lie at: the items are split
   by the highest digit, each part by the next, and so on; a part without items is left out with all that
   would come of it, which is most of them for long codes. Within a part, four counts of ones decide the
   four levels, since level 3 is "both digits are 1", and so on; the same again among the relevant items.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hashprobe.retrieval.planes import TILE_ITEMS, TILE_WORDS
from hashprobe.retrieval.words import WORDS, add_ones_of_bytes, any_one, load, spread, store, sum_of_bytes

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(nogil=True, cache=True)
def full_adder(a, b, c):  # type: ignore[no-untyped-def]
    """Return the sum and the carry of three binary digits."""
    differ = a ^ b
    return differ ^ c, (a & b) | (differ & c)


@njit(nogil=True, cache=True)
def add_distances(planes, code, digits, count):  # type: ignore[no-untyped-def]
    """Write the distances of a tile's items to ``digits``, flat ``(count, TILE_WORDS)``, the lowest first.

    A byte of the code is added at a time; eight digits of weight 1 make at most one carry of weight 8.
    """
    T = TILE_WORDS
    for w in range(0, count * T, WORDS):
        store(digits, w, spread(np.uint64(0)))
    for b in range(len(code)):
        own = code[b]
        m0 = spread(ALL if own & 128 else np.uint64(0))
        m1 = spread(ALL if own & 64 else np.uint64(0))
        m2 = spread(ALL if own & 32 else np.uint64(0))
        m3 = spread(ALL if own & 16 else np.uint64(0))
        m4 = spread(ALL if own & 8 else np.uint64(0))
        m5 = spread(ALL if own & 4 else np.uint64(0))
        m6 = spread(ALL if own & 2 else np.uint64(0))
        m7 = spread(ALL if own & 1 else np.uint64(0))
        for w in range(0, T, WORDS):
            i = 8 * b * T + w
            ones, twos, fours = load(digits, w), load(digits, T + w), load(digits, 2 * T + w)
            ones, two_a = full_adder(ones, load(planes, i) ^ m0, load(planes, i + T) ^ m1)
            ones, two_b = full_adder(ones, load(planes, i + 2 * T) ^ m2, load(planes, i + 3 * T) ^ m3)
            twos, four_a = full_adder(twos, two_a, two_b)
            ones, two_a = full_adder(ones, load(planes, i + 4 * T) ^ m4, load(planes, i + 5 * T) ^ m5)
            ones, two_b = full_adder(ones, load(planes, i + 6 * T) ^ m6, load(planes, i + 7 * T) ^ m7)
            twos, four_b = full_adder(twos, two_a, two_b)
            fours, carry = full_adder(fours, four_a, four_b)
            store(digits, w, ones)
            store(digits, T + w, twos)
            store(digits, 2 * T + w, fours)
            for d in range(3, count):
                digit = load(digits, d * T + w)
                store(digits, d * T + w, digit ^ carry)
                carry = carry & digit


@njit(nogil=True, cache=True)
def find_relevant(planes, label, relevant):  # type: ignore[no-untyped-def]
    """Write to ``relevant``, flat ``(TILE_WORDS,)``, which items share a label."""
    for w in range(TILE_WORDS):
        relevant[w] = 0
    for c in range(8 * len(label)):
        if label[c >> 3] & (128 >> (c & 7)):
            for w in range(0, TILE_WORDS, WORDS):
                store(relevant, w, load(relevant, w) | load(planes, c * TILE_WORDS + w))


@njit(nogil=True, cache=True)
def split_by_digits(digits, count, parts, held):  # type: ignore[no-untyped-def]
    """Split the items by all digits but the lowest two.

    Args:
        digits: Flat ``(count, TILE_WORDS)``.
        count: How many digits there are.
        parts: Flat ``(len(held), TILE_WORDS)``, filled in: part g has the items at distance 4 g to 4 g + 3.
        held: bool, filled in: whether a part has items; one that has none is not written.
    """
    T = TILE_WORDS
    held[:] = False
    held[0] = True
    for w in range(0, T, WORDS):
        store(parts, w, spread(ALL))
    for d in range(count - 1, 1, -1):
        step = 1 << (d - 2)
        for part in range(0, len(held), 2 * step):
            if part + step >= len(held) or not held[part]:
                continue
            below = above = spread(np.uint64(0))
            for w in range(0, T, WORDS):
                items = load(parts, part * T + w)
                high = items & load(digits, d * T + w)
                low = items ^ high
                store(parts, part * T + w, low)
                store(parts, (part + step) * T + w, high)
                below = below | low
                above = above | high
            held[part] = any_one(below)
            held[part + step] = any_one(above)


@njit(nogil=True, cache=True)
def count_part(part, digits, relevant, items_at, relevant_at):  # type: ignore[no-untyped-def]
    """Add the four levels of a part to ``items_at`` and those of its relevant items to ``relevant_at``."""
    T = TILE_WORDS
    zero = spread(np.uint64(0))
    n = n0 = n1 = n01 = r = r0 = r1 = r01 = zero
    for w in range(0, T, WORDS):
        digit0, digit1, shared = load(digits, w), load(digits, T + w), load(relevant, w)
        both = load(part, w)
        n = add_ones_of_bytes(n, both)
        r = add_ones_of_bytes(r, both & shared)
        with0, with1 = both & digit0, both & digit1
        n0 = add_ones_of_bytes(n0, with0)
        n1 = add_ones_of_bytes(n1, with1)
        r0 = add_ones_of_bytes(r0, with0 & shared)
        r1 = add_ones_of_bytes(r1, with1 & shared)
        both = with0 & digit1
        n01 = add_ones_of_bytes(n01, both)
        r01 = add_ones_of_bytes(r01, both & shared)
    add_levels(items_at, sum_of_bytes(n), sum_of_bytes(n0), sum_of_bytes(n1), sum_of_bytes(n01))
    add_levels(relevant_at, sum_of_bytes(r), sum_of_bytes(r0), sum_of_bytes(r1), sum_of_bytes(r01))


@njit(nogil=True, cache=True)
def add_levels(at, every, with0, with1, with_both):  # type: ignore[no-untyped-def]
    """Add the counts of two binary digits, given by how many have which digit, to the four levels."""
    at[0] += every - with0 - with1 + with_both
    at[1] += with0 - with_both
    at[2] += with1 - with_both
    at[3] += with_both


@njit(nogil=True, cache=True)
def count_items(query_codes, query_labels, codes, labels, size, items, relevant):  # type: ignore[no-untyped-def]
    """Add to ``items[q, d]`` and ``relevant[q, d]`` what lies at distance d of query q.

    A tile of items serves all queries before the next is looked at.

    Args:
        query_codes: uint8 ``(n_queries, code bytes)``.
        query_labels: uint8 ``(n_queries, label bytes)``.
        codes: Planes of the codes of a block of items.
        labels: Planes of their labels.
        size: How many items the block has.
        items: int64 ``(n_queries, a multiple of 4 above K)``, added to.
        relevant: The same.
    """
    groups = items.shape[1] // 4
    count = 3
    while 1 << count < 4 * groups:
        count += 1
    digits = np.zeros(count * TILE_WORDS, np.uint64)
    shared = np.zeros(TILE_WORDS, np.uint64)
    parts = np.zeros(groups * TILE_WORDS, np.uint64)
    held = np.zeros(groups, np.bool_)
    for tile in range(len(codes)):
        code_planes, label_planes = codes[tile].reshape(-1), labels[tile].reshape(-1)
        for q in range(len(query_codes)):
            add_distances(code_planes, query_codes[q], digits, count)
            find_relevant(label_planes, query_labels[q], shared)
            split_by_digits(digits, count, parts, held)
            for g in range(groups):
                if held[g]:
                    part = parts[g * TILE_WORDS : (g + 1) * TILE_WORDS]
                    count_part(
                        part, digits, shared, items[q, 4 * g : 4 * g + 4], relevant[q, 4 * g : 4 * g + 4]
                    )
    # The places behind the last item hold 0 in every plane: they lie at the number of ones of the query.
    spare = len(codes) * TILE_ITEMS - size
    for q in range(len(query_codes)):
        ones = 0
        for b in range(query_codes.shape[1]):
            for k in range(8):
                ones += (query_codes[q, b] >> k) & 1
        items[q, ones] -= spare
