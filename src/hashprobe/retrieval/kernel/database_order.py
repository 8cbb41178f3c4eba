"""The loops that look at every query-item pair in database order, compiled by numba; they release the lock.

Codes and labels of the items come byte by byte: row b holds byte b of every item. The loops over items then
become vector instructions, 32 items an instruction on AVX2, for any number of bits and classes, from one
function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from hashprobe.retrieval.kernel.compiled import compiled

# Items whose keys are made at a time: their keys, codes and labels stay near the core.
TILE = 4096


@intrinsic
def popcount(typing_context: Any, byte: Any) -> Any:
    """Count the ones of a byte: LLVM's own instruction, which numba does not expose."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint8(types.uint8), generate


@compiled
def fill_keys(code, label, codes, labels, start, stop, keys, shared):  # type: ignore[no-untyped-def]
    """Write ``2 * distance + relevant`` of one query and the items ``start`` to ``stop`` to ``keys``."""
    size = stop - start
    for i in range(size):
        shared[i] = 0
    for b in range(len(label)):
        own = label[b]
        if own:
            row = labels[b, start:stop]
            for i in range(size):
                shared[i] |= row[i] & own
    for i in range(size):
        keys[i] = shared[i] != 0
    for b in range(len(code)):
        own = code[b]
        row = codes[b, start:stop]
        for i in range(size):
            keys[i] += popcount(row[i] ^ own) << np.uint8(1)  # type: ignore[call-arg]


@compiled
def find_hits(keys, size, ranked, hits, found):  # type: ignore[no-untyped-def]
    """Rank a tile's items of one query; return how many are relevant.

    Args:
        keys: As :func:`fill_keys` writes them.
        size: How many there are.
        ranked: int64 ``(K + 1,)``: the rank of the last item met at each distance, moved on.
        hits: int64 ``(K + 1,)``: the relevant items up to that rank, moved on.
        found: int64 ``(TILE, 2)``: of each relevant item its rank, and how many it makes with those before it; filled in.
    """
    count = 0
    for i in range(size):
        distance = keys[i] >> 1
        ranked[distance] += 1
        if keys[i] & 1:
            hits[distance] += 1
            found[count] = ranked[distance], hits[distance]
            count += 1
    return count


@compiled
def walk_in_order(  # type: ignore[no-untyped-def]
    query_codes, query_labels, codes, labels, ranked, hits, limit, gained, cuts, marks
):
    """Rank a block of items in database order within each distance, and take what the ranks decide.

    Blocks are given in database order, and a tile of one serves all queries before the next is looked at.

    Args:
        query_codes: uint8 ``(n_queries, code bytes)``.
        query_labels: uint8 ``(n_queries, label bytes)``.
        codes: uint8 ``(code bytes, n)``.
        labels: uint8 ``(label bytes, n)``.
        ranked: int64 ``(n_queries, K + 1)``: the rank of the last item met at each distance; starts as the
            number of nearer items, and is moved on.
        hits: int64 ``(n_queries, K + 1)``: the relevant items up to that rank; likewise.
        limit: Ranks above it add no precision.
        gained: float64 ``(n_queries,)``: the sum of hits / rank over the relevant items, added to.
        cuts: int64 ``(m,)``, ascending ranks.
        marks: int64 ``(n_queries, m + 1)``: ``marks[q, j]`` counts the relevant items that lie within cut j
            but not within cut j - 1, added to.
    """
    found = np.empty((TILE, 2), np.int64)
    shared, keys = np.empty(TILE, np.uint8), np.empty(TILE, np.uint16)
    for start in range(0, codes.shape[1], TILE):
        stop = min(start + TILE, codes.shape[1])
        for q in range(len(query_codes)):
            fill_keys(query_codes[q], query_labels[q], codes, labels, start, stop, keys, shared)
            for i in range(find_hits(keys, stop - start, ranked[q], hits[q], found)):
                rank, hit = found[i]
                if rank <= limit:
                    gained[q] += hit / rank
                marks[q, np.searchsorted(cuts, rank)] += 1


@compiled
def rank_hits(query_codes, query_labels, codes, labels, ranked, hits, wanted, ranks):  # type: ignore[no-untyped-def]
    """Write down at which ranks some relevant items of each query lie; the first arguments are :func:`walk_in_order`'s.

    Args:
        wanted: int64 ``(n_queries, m)``: which relevant items, counted from 1, ascending along a row.
        ranks: int64 ``(n_queries, m)``, filled in.
    """
    found = np.empty((TILE, 2), np.int64)
    shared, keys = np.empty(TILE, np.uint8), np.empty(TILE, np.uint16)
    for start in range(0, codes.shape[1], TILE):
        stop = min(start + TILE, codes.shape[1])
        for q in range(len(query_codes)):
            fill_keys(query_codes[q], query_labels[q], codes, labels, start, stop, keys, shared)
            for i in range(find_hits(keys, stop - start, ranked[q], hits[q], found)):
                rank, hit = found[i]
                column = np.searchsorted(wanted[q], hit)
                while column < wanted.shape[1] and wanted[q, column] == hit:
                    ranks[q, column] = rank
                    column += 1


@compiled
def write_nearest(query_codes, codes, ranked, offset, ids, distances):  # type: ignore[no-untyped-def]
    """Write the items of a block whose rank is at most k to the results; blocks come in database order.

    Args:
        query_codes: uint8 ``(n_queries, code bytes)``.
        codes: uint8 ``(code bytes, n)``.
        ranked: int64 ``(n_queries, K + 1)``: starts as the number of nearer items, and is moved on.
        offset: Index of the block's first item in the database.
        ids: int64 ``(n_queries, k)``, filled in.
        distances: int64 ``(n_queries, k)``, filled in.
    """
    shared = np.empty(TILE, np.uint8)
    keys = np.empty(TILE, np.uint16)
    kept = ids.shape[1]
    for start in range(0, codes.shape[1], TILE):
        stop = min(start + TILE, codes.shape[1])
        for q in range(len(query_codes)):
            fill_keys(query_codes[q], query_codes[q, :0], codes, codes[:0], start, stop, keys, shared)
            for i in range(stop - start):
                distance = keys[i] >> 1
                column = ranked[q, distance]
                if column < kept:
                    ids[q, column] = offset + start + i
                    distances[q, column] = distance
                    ranked[q, distance] = column + 1
