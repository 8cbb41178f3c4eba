"""Search through faiss: exact, or approximate for databases beyond patience, with its recall measured."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, check_whole_number, unknown_name
from hashprobe.retrieval.arrays import Int64Array
from hashprobe.retrieval.codes import PackedCodes, check_codes, check_spare_bits
from hashprobe.retrieval.search import check_search, top_k

Kind = Literal["flat", "ivf", "hnsw"]

ROWS_AT_ONCE = 1 << 20
# With one link an item, faiss makes a graph without levels and crashes in it.
LINKS = (2, 1024)
# faiss learns the lists from at most this many codes a list.
TRAINING_ROWS_A_LIST = 256


class BinaryIndex:
    """A faiss index over packed codes.

    ``flat`` compares every item and is exact. ``ivf`` looks only into the lists whose centres are nearest to
    the query, ``hnsw`` follows a graph of neighbours; both may miss items, and :meth:`recall` says how many.

    Args:
        database: Packed codes, uint8 ``(N, ceil(K / 8))``, memory-mapped or not; faiss keeps a copy.
        bits: K, 1 to 1024.
        kind: ``flat``, ``ivf`` or ``hnsw``.
        lists: ``ivf``: how many lists; ``None`` is 4 sqrt(N), at most N / 39 (what faiss wants to learn
            from).
        probes: ``ivf``: how many lists a search looks into.
        links: ``hnsw``: neighbours that an item keeps, 2 to 1024.
        build_width: ``hnsw``: candidates kept while building, at most N.
        search_width: ``hnsw``: candidates kept while searching, at most N.

    Raises:
        HashprobeError: codes that do not fit ``bits``, an empty database, an unknown kind, a setting out of
            its range.
    """

    def __init__(
        self,
        database: Any,
        *,
        bits: int,
        kind: Kind = "flat",
        lists: int | None = None,
        probes: int = 16,
        links: int = 32,
        build_width: int = 80,
        search_width: int = 128,
    ) -> None:
        settings = {
            "lists": 1 if lists is None else lists,
            "probes": probes,
            "links": links,
            "build_width": build_width,
            "search_width": search_width,
        }
        for name, value in settings.items():
            lowest, highest = LINKS if name == "links" else (1, 2**31 - 1)
            check_whole_number(name, value, least=lowest, most=highest)
        if kind not in get_args(Kind):
            raise unknown_name("index kind", kind, get_args(Kind))
        self.bits, self.kind = bits, kind
        self._codes = check_codes("database", database, bits)
        if not len(self._codes):
            raise HashprobeError("database is empty; there is nothing to search.")
        if kind == "flat":
            self._index = _flat(self._codes)
        elif kind == "hnsw":
            self._index = _hnsw(self._codes, links, build_width, search_width)
        else:
            self._index = _ivf(self._codes, lists, probes)
        for start in range(0, len(self._codes), ROWS_AT_ONCE):
            rows = np.ascontiguousarray(self._codes[start : start + ROWS_AT_ONCE])
            check_spare_bits("database", rows, bits)
            self._index.add(rows)

    def search(self, queries: Any, k: int) -> tuple[Int64Array, Int64Array]:
        """Return the nearest items found.

        Args:
            queries: Packed codes ``(n, ceil(K / 8))``.
            k: How many.

        Returns:
            Indices and Hamming distances, each int64 ``(n, min(k, N))``, by distance; equal distances in the
            order of the database as far as they were found. Where fewer were found, index -1 and distance K +
            1 come last.
        """
        asked, codes = check_search(queries, self._codes, k, self.bits)
        distances, ids = self._index.search(asked, min(int(k), len(codes)))
        distances = np.where(ids < 0, self.bits + 1, distances).astype(np.int64)
        order = np.asarray(np.lexsort((ids, distances), axis=1), dtype=np.int64)
        return np.take_along_axis(ids, order, axis=1), np.take_along_axis(distances, order, axis=1)

    def recall(self, queries: Any, k: int, *, threads: int | None = None) -> npt.NDArray[np.float64]:
        """Measure, against exact search, which share of the k nearest items the index finds.

        An item counts as found when it is as near as the k-th nearest: which of the equally near items are
        returned is a matter of taste, not of recall.

        Args:
            queries: Packed codes ``(n, ceil(K / 8))``; a sample will do.
            k: How many.
            threads: How many threads the exact search uses; ``None`` is all.

        Returns:
            float64 ``(n,)``.
        """
        _, exact = top_k(queries, self._codes, k, bits=self.bits, threads=threads)
        _, found = self.search(queries, k)
        shares: npt.NDArray[np.float64] = (found <= exact[:, -1:]).mean(axis=1)
        return shares


def _flat(codes: PackedCodes) -> Any:
    import faiss

    # Spare bits are 0 everywhere and add nothing to a distance.
    return faiss.IndexBinaryFlat(codes.shape[1] * 8)


def _hnsw(codes: PackedCodes, links: int, build_width: int, search_width: int) -> Any:
    import faiss

    index: Any = faiss.IndexBinaryHNSW(codes.shape[1] * 8, int(links))
    # faiss takes the memory for all candidates at once.
    index.hnsw.efConstruction = min(int(build_width), len(codes))
    index.hnsw.efSearch = min(int(search_width), len(codes))
    return index


def _ivf(codes: PackedCodes, lists: int | None, probes: int) -> Any:
    import faiss

    count = len(codes)
    wanted = int(lists or max(1, min(round(4 * count**0.5), count // 39)))
    if wanted > count:
        raise HashprobeError(f"lists must be at most the {count} items of the database; found {wanted}.")
    centres = _flat(codes)
    index: Any = faiss.IndexBinaryIVF(centres, codes.shape[1] * 8, wanted)
    index.centres = centres  # faiss refers to it but does not keep it alive
    index.nprobe = min(int(probes), wanted)
    index.train(_evenly(codes, wanted * TRAINING_ROWS_A_LIST))
    return index


def _evenly(codes: PackedCodes, most: int) -> PackedCodes:
    """Return at most ``most`` codes, evenly spread over the database."""
    rows = np.linspace(0, len(codes) - 1, min(most, len(codes))).astype(np.int64)
    return np.ascontiguousarray(codes[rows])
