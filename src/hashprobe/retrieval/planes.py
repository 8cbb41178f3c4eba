"""Bit planes: packed codes or labels of a block of items, turned on their side.

A row of packed bits belongs to one item. A *plane* belongs to one bit: it holds that bit of 64 items in a
64-bit word. One instruction on planes then works on as many items as a register has bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

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
    planes = np.zeros((tiles, 8 * rows.shape[1], TILE_WORDS), dtype=np.uint64)
    turn(np.array(rows, order="C"), planes)  # a copy: for read-only arrays it would be compiled anew
    return planes


@njit(nogil=True, cache=True)
def turn(rows, planes):  # type: ignore[no-untyped-def]
    """Fill in planes that are 0: 8 bytes of as many items are an 8 x 8 matrix of bits, which is transposed."""
    for i in range(0, len(rows), 8):
        tile, word, shift = i // TILE_ITEMS, i % TILE_ITEMS // 64, np.uint64(i % 64)
        for b in range(rows.shape[1]):
            x = np.uint64(0)
            for j in range(min(8, len(rows) - i)):
                x |= np.uint64(rows[i + j, b]) << np.uint64(8 * j)
            # Swap the halves of each 2 x 2 square, then of each 4 x 4, then of the whole.
            t = (x ^ (x >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
            x ^= t ^ (t << np.uint64(7))
            t = (x ^ (x >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
            x ^= t ^ (t << np.uint64(14))
            t = (x ^ (x >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
            x ^= t ^ (t << np.uint64(28))
            for k in range(8):
                column = (x >> np.uint64(56 - 8 * k)) & np.uint64(255)
                planes[tile, 8 * b + k, word] |= column << shift
