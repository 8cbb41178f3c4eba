"""Exact search by faiss."""

from __future__ import annotations

from typing import Any, ClassVar

from hashprobe.retrieval.indexes.base import INDEXES
from hashprobe.retrieval.indexes.faiss_base import FaissIndex, flat


@INDEXES.register("faiss-flat")
class FaissFlat(FaissIndex):
    """Every item is compared with every query, by faiss; exact.

    Which of the items at the distance of the k-th are returned is left to faiss. It has no settings.
    """

    exact: ClassVar[bool] = True

    def __init__(self, codes: Any, *, bits: int) -> None:
        super().__init__(codes, bits=bits)
        self.fill(flat(self.codes))
