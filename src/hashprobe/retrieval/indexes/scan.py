"""Search by our own kernel."""

from __future__ import annotations

from typing import ClassVar

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.search import Neighbours, top_k


@INDEXES.register("scan")
class Scan(SearchIndex):
    """Every item is compared with every query, by our own kernel; exact.

    It is :func:`top_k`: nothing is built, and the codes may stay on disk. It has no settings.
    """

    exact: ClassVar[bool] = True

    def find(self, queries: PackedCodes, k: int) -> Neighbours:
        """Return the k nearest items; see :meth:`SearchIndex.find`."""
        return top_k(queries, self.codes, k, bits=self.bits)
