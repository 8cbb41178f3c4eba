"""Search in the lists whose centres are nearest, by faiss."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES
from hashprobe.retrieval.indexes.faiss_base import MOST, FaissIndex, flat

# faiss learns the lists from at most this many codes a list, and warns below 39 of them.
TRAINING_ROWS_A_LIST = 256
LEAST_ROWS_A_LIST = 39


@INDEXES.register("faiss-ivf")
class FaissIVF(FaissIndex):
    """Items are kept in lists by their nearest centre, and a search looks into the lists nearest to the query.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        lists: How many lists, 1 to N; ``None`` is 4 sqrt(N), at most N / 39 (what faiss wants to learn from).
        probes: How many lists a search looks into; more find more and take longer.
    """

    exact: ClassVar[bool] = False

    def __init__(self, codes: Any, *, bits: int, lists: int | None = None, probes: int = 16) -> None:
        super().__init__(codes, bits=bits)
        import faiss

        count = len(self.codes)
        probes = check_whole_number("probes", probes, least=1, most=MOST)
        if lists is None:
            lists = max(1, min(round(4 * count**0.5), count // LEAST_ROWS_A_LIST))
        lists = check_whole_number("lists", lists, least=1, most=MOST)
        if lists > count:
            raise HashprobeError(f"lists must be at most the {count} items of the database; found {lists}.")
        centres = flat(self.codes)
        index: Any = faiss.IndexBinaryIVF(centres, self.codes.shape[1] * 8, lists)
        index.centres = centres  # faiss refers to it but does not keep it alive
        index.nprobe = min(probes, lists)
        index.train(_evenly(self.codes, lists * TRAINING_ROWS_A_LIST))
        self.fill(index)


def _evenly(codes: PackedCodes, most: int) -> PackedCodes:
    """Return at most ``most`` codes, evenly spread over the database."""
    rows = np.linspace(0, len(codes) - 1, min(most, len(codes))).astype(np.int64)
    return np.ascontiguousarray(codes[rows])
