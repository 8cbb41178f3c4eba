"""Bit planes: packed codes or labels of a block of items, turned on their side.

A row of packed bits belongs to one item. A *plane* belongs to one bit: it holds that bit of 64 items in a
64-bit word. One instruction on planes then works on as many items as a register has bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hashprobe.retrieval.words import WORDS, first_bits, load, without_first_bits

# Items of a tile: with codes of 64 bits its planes stay in the first cache. A byte counts the ones of 16
# vectors of 256 items, at most 128 of them.
TILE_ITEMS = 4096
TILE_WORDS = TILE_ITEMS // 64


def bit_planes(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return ``(n, bytes)`` as planes, uint64 ``(tiles, 8 * bytes, TILE_WORDS)``.

    The planes of a tile of items lie together. Item i of a tile is bit ``i % 64`` of word ``i // 64``; items
    behind the n-th are 0.
    """
    tiles = -(-len(rows) // TILE_ITEMS)
    columns = np.zeros((rows.shape[1], tiles * TILE_ITEMS), dtype=np.uint8)
    columns[:, : len(rows)] = rows.T
    planes: npt.NDArray[np.uint64] = turn(columns.reshape(-1).view(np.uint64), tiles, len(columns))
    return planes


@njit(nogil=True, cache=True)
def turn(columns, tiles, width):  # type: ignore[no-untyped-def]
    """Return planes of columns of bytes: bit by bit, what comes first in each of 32 bytes goes to a plane.

    Args:
        columns: Byte b of every item, then byte b + 1 of every item; flat, seen as uint64.
        tiles: How many tiles of items.
        width: How many bytes an item has.
    """
    # Made here, since numba lets arrays start at a multiple of 32 bytes and numpy does not: a vector that lies
    # across two lines of the cache takes twice as long to load.
    planes = np.empty((tiles, 8 * width, TILE_WORDS), np.uint64)
    for b in range(width):
        for tile in range(tiles):
            for word in range(TILE_WORDS):
                place = ((b * tiles + tile) * TILE_WORDS + word) * 8
                low, high = load(columns, place), load(columns, place + WORDS)
                for k in range(8):
                    planes[tile, 8 * b + k, word] = first_bits(low) | (first_bits(high) << np.uint64(32))
                    low, high = without_first_bits(low), without_first_bits(high)
    return planes
