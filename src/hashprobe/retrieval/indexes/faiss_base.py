"""What the indexes that faiss makes have in common. faiss is imported when one is built."""

from __future__ import annotations

from typing import Any

import numpy as np

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import SearchIndex

ROWS_AT_ONCE = 1 << 20
# faiss holds such settings as 32-bit numbers.
MOST = 2**31 - 1


class FaissIndex(SearchIndex):
    """An index of faiss, which keeps a copy of the codes."""

    def fill(self, index: Any) -> None:
        """Give the codes to an index of faiss, a block at a time, and search in it from now on."""
        for start in range(0, len(self.codes), ROWS_AT_ONCE):
            index.add(np.ascontiguousarray(self.codes[start : start + ROWS_AT_ONCE]))
        self._index = index

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what faiss finds; see :meth:`SearchIndex.find`."""
        distances, ids = self._index.search(queries, k)
        return ids, distances


def flat(codes: PackedCodes) -> Any:
    """Return an empty index of faiss that compares every item; spare bits are 0 and add nothing to a distance."""
    import faiss

    return faiss.IndexBinaryFlat(codes.shape[1] * 8)
