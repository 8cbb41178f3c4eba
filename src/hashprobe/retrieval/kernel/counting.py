"""How many items lie at each distance, counted on bit planes, 256 or 512 items an instruction; compiled by numba.

A query meets a tile of items in three steps.

1. *Distance.* The sums over three bits of the code are added up as one adds by hand, in binary and for all items at
   once: the sum is again kept as planes, one for each binary digit. A full adder takes three planes of one digit to
   a sum of this digit and a carry to the next.
2. *Relevance.* An item shares a label with the query where one of the planes of the query's labels has a 1.
3. *Levels.* The lowest digit is the same for all items of a tile, whose codes are of one parity. The digits above the
   lowest three say which four levels an item may lie at: the items are split by the highest digit, each part by the
   next, and so on; a part without items is left out with all that would come of it, which is most of them for long
   codes. Within a part, four counts of ones decide the four levels, since the highest is "both digits are 1", and so
   on; the same again among the relevant items. With AVX2, ones are counted by half bytes, which a table of 16 entries
   serves: what all parts need for it, the lower digits and the relevance, is kept both as it is and with the half bytes
   moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.kernel.compiled import compiled
from hashprobe.retrieval.kernel.planes import TILE_WORDS, Tiles
from hashprobe.retrieval.kernel.triples import ALL, TRIPLES_A_STEP, choose_sums, full_adder, half_adder
from hashprobe.retrieval.kernel.words import (
    PIECES,
    WORDS,
    add_ones,
    add_sums,
    advance,
    any_one,
    empty_words,
    high_halves,
    load,
    low_halves,
    pointer,
    spread,
    store,
)

# Levels of a part and those between them, which items of the other parity have: those of the lowest three digits.
PART_LEVELS = 8
PART_DIGITS = 3
# Digits of a distance that are added up in registers; those above are kept in memory.
REGISTER_DIGITS = 6
# Planes that all parts are counted with: second digit, third digit and relevance.
SHARED_PLANES = 3


@dataclass(frozen=True)
class QueryTerms:
    """Queries, arranged for counting.

    Attributes:
        sums: Where the sums of each triple of bits start in a tile, int64 ``(n, triples)``.
        odd: int64 ``(n,)``: 1 where the code has an odd number of ones.
        label_ends: Where the labels of each query end in ``labels``, int64 ``(n + 1,)`` from 0.
        labels: Their label planes, one query's behind the other's, int64.
    """

    sums: npt.NDArray[np.int64]
    odd: npt.NDArray[np.int64]
    label_ends: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def __getitem__(self, rows: slice) -> QueryTerms:
        """Return those of a slice of the queries."""
        ends = self.label_ends[rows.start : rows.stop + 1]
        return QueryTerms(self.sums[rows], self.odd[rows], ends, self.labels)


def arrange_queries(codes: PackedCodes, labels: npt.NDArray[np.uint8]) -> QueryTerms:
    """Arrange packed codes ``(n, code bytes)`` and packed labels ``(n, label bytes)``."""
    own = np.unpackbits(labels, axis=1)
    ends = np.concatenate([[0], np.cumsum(own.sum(axis=1, dtype=np.int64))])
    odd = np.unpackbits(codes, axis=1).sum(axis=1, dtype=np.int64) & 1
    return QueryTerms(choose_sums(codes, TILE_WORDS), odd, ends, np.nonzero(own)[1].astype(np.int64))


def empty_sums(queries: int, bits: int) -> npt.NDArray[np.int64]:
    """Return zeros for the kernel to add to, int64 ``(queries, parts, 2, 4)``.

    For each part of eight levels and each lowest digit of the distance: how many items there are, how many with the
    second digit, with the third, with both.
    """
    return np.zeros((queries, bits // PART_LEVELS + 1, 2, 4), dtype=np.int64)


def levels_of(sums: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """Return how many items the sums have at each distance, int64 ``(queries, K + 1)``."""
    levels: npt.NDArray[np.int64] = _levels(sums)[:, : bits + 1].copy()
    return levels


@compiled
def _levels(sums):  # type: ignore[no-untyped-def]
    levels = np.empty((len(sums), sums.shape[1] * PART_LEVELS), np.int64)
    for q in range(len(sums)):
        for part in range(sums.shape[1]):
            for digit in range(2):
                every, with0, with1, with_both = sums[q, part, digit]
                first = PART_LEVELS * part + digit
                levels[q, first] = every - with0 - with1 + with_both
                levels[q, first + 2] = with0 - with_both
                levels[q, first + 4] = with1 - with_both
                levels[q, first + 6] = with_both
    return levels


def count_items(
    queries: QueryTerms, tiles: Tiles, items: npt.NDArray[np.int64], relevant: npt.NDArray[np.int64]
) -> None:
    """Add up what lies at each distance of each query; :func:`levels_of` says how many that is.

    Args:
        queries: The queries.
        tiles: A block of items.
        items: As :func:`empty_sums` makes it, added to.
        relevant: The same.
    """
    groups = items.shape[1]
    count = max(REGISTER_DIGITS, (PART_LEVELS * groups - 1).bit_length())
    planes = empty_words((PIECES * SHARED_PLANES + count - PART_DIGITS + 1 + groups, TILE_WORDS))
    held = np.empty(groups, dtype=np.int64)
    own = queries.sums, queries.odd, queries.label_ends, queries.labels
    theirs = tiles.sums, tiles.labels, tiles.sizes, tiles.odd
    _count(*own, *theirs, items, relevant, planes.reshape(-1), held, count)


@compiled
def add_one(entry, ones, twos, fours, eights):  # type: ignore[no-untyped-def]
    """Add a number of two digits to a number of four digits, which has room for the sum."""
    ones, two = half_adder(ones, load(entry, 0))
    twos, four = full_adder(twos, load(entry, TILE_WORDS), two)
    fours, eight = half_adder(fours, four)
    return ones, twos, fours, eights ^ eight


@compiled
def add_step(sums, chosen, w, ones, twos, fours, eights):  # type: ignore[no-untyped-def]
    """Add four numbers of two digits to a number of four digits; return its digits and the carry."""
    T = TILE_WORDS
    a, b = advance(sums, chosen[0] + w), advance(sums, chosen[1] + w)
    c, d = advance(sums, chosen[2] + w), advance(sums, chosen[3] + w)
    ones, two_a = full_adder(load(a, 0), load(b, 0), ones)
    ones, two_b = full_adder(load(c, 0), load(d, 0), ones)
    twos, four_a = full_adder(two_a, two_b, twos)
    twos, four_b = full_adder(load(a, T), load(b, T), twos)
    twos, four_c = full_adder(load(c, T), load(d, T), twos)
    fours, eight_a = full_adder(four_a, four_b, fours)
    fours, eight_b = half_adder(fours, four_c)
    eights, carry = full_adder(eight_a, eight_b, eights)
    return ones, twos, fours, eights, carry


@compiled
def store_shared(shared, plane, w, bits):  # type: ignore[no-untyped-def]
    """Write to a plane that all parts are counted with; behind these, one has the second piece of each byte."""
    store(shared, plane * TILE_WORDS + w, bits)
    if PIECES == 2:
        store(shared, (SHARED_PLANES + plane) * TILE_WORDS + w, high_halves(bits))


@compiled
def add_distances(sums, chosen, triples, shared, digits, count, words):  # type: ignore[no-untyped-def]
    """Write the distances of a tile's items, binary digit by digit, all but the lowest.

    Args:
        sums: The tile's sums over three bits.
        chosen: Where those of the query start.
        triples: How many there are.
        shared: The planes that parts are counted with; the two digits behind the lowest are filled in.
        digits: ``count - PART_DIGITS`` planes, filled in: the digits above.
        count: How many digits a distance has.
        words: Words of a plane that are in use.

    Returns:
        Whether any item has the highest digit.
    """
    T = TILE_WORDS
    zero = spread(np.uint64(0))
    highest = zero
    single = (triples - 1) % TRIPLES_A_STEP + 1
    above = REGISTER_DIGITS - PART_DIGITS
    for w in range(0, words, WORDS):
        for d in range(above, count - PART_DIGITS):
            store(digits, d * T + w, zero)
        first = advance(sums, chosen[0] + w)
        ones, twos = load(first, 0), load(first, T)
        fours = eights = sixteens = thirty_twos = zero
        for triple in range(1, single):
            ones, twos, fours, eights = add_one(advance(sums, chosen[triple] + w), ones, twos, fours, eights)
        for triple in range(single, triples, TRIPLES_A_STEP):
            ones, twos, fours, eights, carry = add_step(
                sums, advance(chosen, triple), w, ones, twos, fours, eights
            )
            sixteens, carry = half_adder(sixteens, carry)
            thirty_twos, carry = half_adder(thirty_twos, carry)
            for d in range(above, count - PART_DIGITS):
                digit = load(digits, d * T + w)
                store(digits, d * T + w, digit ^ carry)
                carry = carry & digit
        store_shared(shared, 0, w, twos)
        store_shared(shared, 1, w, fours)
        store(digits, w, eights)
        store(digits, T + w, sixteens)
        store(digits, 2 * T + w, thirty_twos)
        highest = highest | load(digits, (count - PART_DIGITS - 1) * T + w)
    return any_one(highest)


@compiled
def find_relevant(planes, labels, first, last, shared, words):  # type: ignore[no-untyped-def]
    """Write to the planes that parts are counted with which items have one of the query's labels."""
    T = TILE_WORDS
    for w in range(0, words, WORDS):
        some = spread(np.uint64(0))
        for index in range(first, last):
            some = some | load(planes, labels[index] * T + w)
        store_shared(shared, 2, w, some)


@compiled
def split_by_digits(all_items, digits, count, parts, held, groups, words):  # type: ignore[no-untyped-def]
    """Split the items by all digits but the lowest three.

    Args:
        all_items: A plane that has a 1 for every item of the tile.
        digits: ``count`` planes: those digits.
        count: How many there are.
        parts: ``groups`` planes, filled in: part g has the items at distance 8 g to 8 g + 7.
        held: ``groups`` numbers, filled in: 1 where a part has items; one that has none is not written.
        groups: How many parts there are.
        words: Words of a plane that are in use.
    """
    T = TILE_WORDS
    for part in range(groups):
        held[part] = part == 0
    for w in range(0, words, WORDS):
        store(parts, w, load(all_items, w))
    for d in range(count - 1, -1, -1):
        step = 1 << d
        for part in range(0, groups - step, 2 * step):
            if not held[part]:
                continue
            below = above = spread(np.uint64(0))
            for w in range(0, words, WORDS):
                items = load(parts, part * T + w)
                high = items & load(digits, d * T + w)
                low = items ^ high
                store(parts, part * T + w, low)
                store(parts, (part + step) * T + w, high)
                below = below | low
                above = above | high
            held[part] = any_one(below)
            held[part + step] = any_one(above)


@compiled
def piece_of(bits, piece):  # type: ignore[no-untyped-def]
    """Return one piece of each byte, as :func:`add_ones` counts it."""
    if PIECES == 1:
        return bits
    return high_halves(bits) if piece else low_halves(bits)


@compiled
def count_part(part, shared, items, relevant, words):  # type: ignore[no-untyped-def]
    """Add the items of a part, and those of them that are relevant, to what :func:`empty_sums` describes."""
    T = TILE_WORDS
    every = with0 = with1 = with_both = spread(np.uint64(0))
    r_every = r_with0 = r_with1 = r_with_both = spread(np.uint64(0))
    for w in range(0, words, WORDS):
        present = load(part, w)
        for piece in range(PIECES):
            planes = advance(shared, piece * SHARED_PLANES * T + w)
            own = piece_of(present, piece)
            digit0, digit1, relevance = load(planes, 0), load(planes, T), load(planes, 2 * T)
            low = own & digit0
            high, both = own & digit1, low & digit1
            every = add_ones(every, own)
            with0 = add_ones(with0, low)
            with1 = add_ones(with1, high)
            with_both = add_ones(with_both, both)
            r_every = add_ones(r_every, own & relevance)
            r_with0 = add_ones(r_with0, low & relevance)
            r_with1 = add_ones(r_with1, high & relevance)
            r_with_both = add_ones(r_with_both, both & relevance)
    add_sums(items, every, with0, with1, with_both)
    add_sums(relevant, r_every, r_with0, r_with1, r_with_both)


@compiled
def _count(  # type: ignore[no-untyped-def]
    chosen, query_odd, ends, own, sums, labels, sizes, odd, items, relevant, planes, held, count
):
    """Let every query meet every tile; a tile serves all queries before the next is looked at."""
    queries, triples = chosen.shape
    groups = len(held)
    shared, has = pointer(planes), pointer(held)
    digits = advance(shared, PIECES * SHARED_PLANES * TILE_WORDS)
    all_items = advance(digits, (count - PART_DIGITS) * TILE_WORDS)
    parts = advance(all_items, TILE_WORDS)
    for tile in range(len(sizes)):
        words = -(-sizes[tile] // (64 * WORDS)) * WORDS
        for word in range(words):
            held_here = min(64, sizes[tile] - 64 * word)
            all_items[word] = ALL >> np.uint64(64 - held_here) if held_here > 0 else np.uint64(0)
        tile_sums = advance(pointer(sums), tile * (sums.size // len(sizes)))
        tile_labels = advance(pointer(labels), tile * (labels.size // len(sizes)))
        for q in range(queries):
            own_sums = advance(pointer(chosen), q * triples)
            far = add_distances(tile_sums, own_sums, triples, shared, digits, count, words)
            find_relevant(tile_labels, pointer(own), ends[q], ends[q + 1], shared, words)
            used = count - PART_DIGITS if far else count - PART_DIGITS - 1
            split_by_digits(all_items, digits, used, parts, has, groups, words)
            for g in range(groups):
                if has[g]:
                    start = 4 * ((q * groups + g) * 2 + (query_odd[q] ^ odd[tile]))
                    of_items, of_relevant = advance(pointer(items), start), advance(pointer(relevant), start)
                    count_part(advance(parts, g * TILE_WORDS), shared, of_items, of_relevant, words)
