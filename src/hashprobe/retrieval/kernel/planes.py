"""Bit planes: packed codes or labels of a tile of items, turned on their side.

A row of packed bits belongs to one item. A *plane* belongs to one bit: it holds that bit of 64 items in a
64-bit word. One instruction on planes then works on as many items as a register has bits.

The items of a tile have codes of one parity, all an even or all an odd number of ones. The distance of two codes is
even exactly where both are of one parity, so that a query meets half of the distances in a tile, and knows which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hashprobe.retrieval.kernel.compiled import compiled
from hashprobe.retrieval.kernel.triples import sums_of_three
from hashprobe.retrieval.kernel.words import (
    FIRST_BITS,
    WORDS,
    empty_words,
    first_bits,
    load,
    pointer,
    without_first_bits,
)

# Items of a tile, at most: with codes of 64 bits its sums stay in the second cache. A byte counts the ones of 16
# vectors of 256 items, at most 128 of them; it could not hold those of 32.
TILE_ITEMS = 4096
TILE_WORDS = TILE_ITEMS // 64


@dataclass(frozen=True)
class Tiles:
    """Some items of the database, arranged for counting.

    Attributes:
        sums: What :func:`sums_of_three` makes of the planes of their codes.
        labels: The planes of their labels, uint64 ``(tiles, 8 * label bytes, TILE_WORDS)``.
        sizes: int64 ``(tiles,)``: how many items a tile has; the positions behind them hold 0.
        odd: int64 ``(tiles,)``: 1 where its codes have an odd number of ones.
    """

    sums: npt.NDArray[np.uint64]
    labels: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.int64]
    odd: npt.NDArray[np.int64]


def arrange_tiles(codes: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Tiles:
    """Arrange packed codes ``(n, code bytes)`` and labels ``(n, label bytes)`` in tiles of one parity."""
    # Copies, since the loops would be compiled anew for read-only arrays.
    codes, labels = np.array(codes, order="C"), np.array(labels, order="C")
    positions, counts = positions_by_parity(codes)
    even, odd = (
        [min(TILE_ITEMS, count - start) for start in range(0, count, TILE_ITEMS)] for count in counts
    )
    tiles = len(even) + len(odd)
    return Tiles(
        sums_of_three(bit_planes(codes, positions, tiles)),
        bit_planes(labels, positions, tiles),
        np.array(even + odd, dtype=np.int64),
        np.repeat([0, 1], [len(even), len(odd)]),
    )


@compiled
def positions_by_parity(codes):  # type: ignore[no-untyped-def]
    """Return the position of each item in tiles of one parity, the even ones first, and how many of each there are."""
    odd = np.empty(len(codes), np.int64)
    for i in range(len(codes)):
        folded = np.uint8(0)
        for b in range(codes.shape[1]):
            folded ^= codes[i, b]
        folded ^= folded >> 4
        folded ^= folded >> 2
        odd[i] = (folded ^ folded >> 1) & 1
    odds = odd.sum()
    evens = len(codes) - odds
    next_even, next_odd = 0, -(-evens // TILE_ITEMS) * TILE_ITEMS
    positions = np.empty(len(codes), np.int64)
    for i in range(len(codes)):
        positions[i] = next_odd if odd[i] else next_even
        next_odd += odd[i]
        next_even += 1 - odd[i]
    return positions, (evens, odds)


def bit_planes(
    rows: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64], tiles: int
) -> npt.NDArray[np.uint64]:
    """Return ``(n, bytes)`` as planes, uint64 ``(tiles, 8 * bytes, TILE_WORDS)``.

    The planes of a tile of items lie together. Position i of a tile is bit ``i % 64`` of word ``i // 64``; positions that no
    item has are 0.

    Args:
        rows: Packed bits.
        positions: For each row its position, int64 ``(n,)``: its tile's number times ``TILE_ITEMS``, and its position there.
        tiles: How many tiles there are.
    """
    columns = np.zeros((rows.shape[1], tiles * TILE_ITEMS), dtype=np.uint8)
    put(rows, positions, columns)
    planes = empty_words((tiles, 8 * len(columns), TILE_WORDS))
    turn(columns.reshape(-1).view(np.uint64), planes.view(FIRST_BITS))
    return planes


@compiled
def put(rows, positions, columns):  # type: ignore[no-untyped-def]
    """Write byte b of row i to ``columns[b, positions[i]]``."""
    for b in range(rows.shape[1]):
        for i in range(len(rows)):
            columns[b, positions[i]] = rows[i, b]


@compiled
def turn(columns, planes):  # type: ignore[no-untyped-def]
    """Turn columns of bytes into planes: bit by bit, what comes first in each byte of a value goes to a plane.

    Args:
        columns: Byte b of every item, then byte b + 1 of every item; flat, seen as uint64.
        planes: ``(tiles, 8 * bytes, values)``, filled in: each number the bits of as many items as a value has bytes.
    """
    source = pointer(columns)
    tiles, bits, values = planes.shape
    for b in range(bits // 8):
        for tile in range(tiles):
            for value in range(values):
                bytes_here = load(source, ((b * tiles + tile) * values + value) * WORDS)
                for k in range(8):
                    planes[tile, 8 * b + k, value] = first_bits(bytes_here)
                    bytes_here = without_first_bits(bytes_here)
