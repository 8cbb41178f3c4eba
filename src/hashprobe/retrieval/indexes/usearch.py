"""Search by usearch, along a graph or exactly."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from hashprobe.errors import check_whole_number
from hashprobe.extras import package
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.indexes.rows import filled

LEAST_LINKS, MOST_LINKS = 2, 1024
MOST = 2**31 - 1
# The exact search of usearch keeps 16 bytes for each pair of a query and an item.
PAIRS_AT_ONCE = 1 << 23


@INDEXES.register("usearch")
class USearch(SearchIndex):
    """A graph links each item with near ones, and a search follows it towards the query, by usearch.

    Built and searched by one thread, so that the graph is the same each time. It is HNSW (Malkov and Yashunin, IEEE
    TPAMI 2020) on packed bits. Needs the extra ``indexes``.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        links: Neighbours that an item keeps, 2 to 1024.
        build_width: Candidates kept while building; more than N are N.
        search_width: Candidates kept while searching, likewise; more find more and take longer.
    """

    exact: ClassVar[bool] = False
    needs: ClassVar[str] = "the extra indexes"

    def __init__(
        self, codes: Any, *, bits: int, links: int = 16, build_width: int = 128, search_width: int = 128
    ) -> None:
        super().__init__(codes, bits=bits)
        links = check_whole_number("links", links, least=LEAST_LINKS, most=MOST_LINKS)
        build_width = check_whole_number("build_width", build_width, least=1, most=MOST)
        search_width = check_whole_number("search_width", search_width, least=1, most=MOST)
        usearch = package("usearch.index", "indexes")
        self._index = usearch.Index(
            ndim=self.codes.shape[1] * 8,
            metric=usearch.MetricKind.Hamming,
            dtype=usearch.ScalarKind.B1,
            connectivity=links,
            # usearch takes the memory for all candidates at once.
            expansion_add=min(build_width, len(self.codes)),
            expansion_search=min(search_width, len(self.codes)),
        )
        self._index.add(np.arange(len(self.codes), dtype=np.uint64), np.array(self.codes), threads=1)

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what usearch finds; see :meth:`SearchIndex.find`."""
        answers = (self._index.search(query, k, threads=1) for query in queries)
        return filled(((each.keys, each.distances) for each in answers), len(queries), k)


@INDEXES.register("usearch-exact")
class USearchExact(SearchIndex):
    """Every item is compared with every query, by usearch; exact.

    Nothing is built, and the codes may stay on disk. Needs the extra ``indexes``. It has no settings.
    """

    exact: ClassVar[bool] = True
    needs: ClassVar[str] = "the extra indexes"

    def __init__(self, codes: Any, *, bits: int) -> None:
        super().__init__(codes, bits=bits)
        self._usearch = package("usearch.index", "indexes")

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return the k nearest items; see :meth:`SearchIndex.find`."""
        return filled(self._answers(queries, k), len(queries), k)

    def _answers(self, queries: PackedCodes, k: int) -> Any:
        step = max(1, PAIRS_AT_ONCE // len(self.codes))
        for start in range(0, len(queries), step):
            found = self._usearch.search(
                self.codes,
                queries[start : start + step],
                k,
                self._usearch.MetricKind.Hamming,
                exact=True,
                threads=1,
                dtype=self._usearch.ScalarKind.B1,
            )
            yield from zip(np.atleast_2d(found.keys), np.atleast_2d(found.distances), strict=True)
