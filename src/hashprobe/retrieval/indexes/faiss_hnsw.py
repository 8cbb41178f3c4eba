"""Search along a graph of neighbours, by faiss."""

from __future__ import annotations

from typing import Any, ClassVar

from hashprobe.errors import check_whole_number
from hashprobe.retrieval.indexes.base import INDEXES
from hashprobe.retrieval.indexes.faiss_base import MOST, FaissIndex

# With one link an item, faiss makes a graph without levels and crashes in it.
LEAST_LINKS, MOST_LINKS = 2, 1024


@INDEXES.register("faiss-hnsw")
class FaissHNSW(FaissIndex):
    """A graph links each item with near ones, and a search follows it towards the query.

    Source: Malkov and Yashunin, IEEE TPAMI 2020.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        links: Neighbours that an item keeps, 2 to 1024.
        build_width: Candidates kept while building; more than N are N.
        search_width: Candidates kept while searching, likewise; more find more and take longer.
    """

    exact: ClassVar[bool] = False

    def __init__(
        self, codes: Any, *, bits: int, links: int = 32, build_width: int = 80, search_width: int = 128
    ) -> None:
        super().__init__(codes, bits=bits)
        import faiss

        links = check_whole_number("links", links, least=LEAST_LINKS, most=MOST_LINKS)
        build_width = check_whole_number("build_width", build_width, least=1, most=MOST)
        search_width = check_whole_number("search_width", search_width, least=1, most=MOST)
        index: Any = faiss.IndexBinaryHNSW(self.codes.shape[1] * 8, links)
        # faiss takes the memory for all candidates at once.
        index.hnsw.efConstruction = min(build_width, len(self.codes))
        index.hnsw.efSearch = min(search_width, len(self.codes))
        self.fill(index)
