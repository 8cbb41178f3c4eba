"""Exact search by LanceDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from hashprobe.extras import package
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.indexes.rows import filled


@INDEXES.register("lancedb")
class LanceDB(SearchIndex):
    """Every item is compared with every query, by LanceDB in memory; exact.

    A table of packed codes, lists of uint8, with LanceDB's ``hamming`` and no index of its own over them. Needs the extra
    ``indexes``. It has no settings.
    """

    exact: ClassVar[bool] = True
    needs: ClassVar[str] = "the extra indexes"

    def __init__(self, codes: Any, *, bits: int) -> None:
        super().__init__(codes, bits=bits)
        lancedb, arrow = package("lancedb", "indexes"), package("pyarrow", "indexes")
        width = self.codes.shape[1]
        rows = arrow.FixedSizeListArray.from_arrays(arrow.array(np.ravel(self.codes)), width)
        table = arrow.table({"id": np.arange(len(self.codes)), "code": rows})
        self._table = lancedb.connect("memory://").create_table("codes", table)

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what LanceDB finds; see :meth:`SearchIndex.find`."""
        return filled(self._answers(queries, k), len(queries), k)

    def _answers(self, queries: PackedCodes, k: int) -> Iterator[tuple[Any, Any]]:
        for query in queries:
            asked = self._table.search(query, vector_column_name="code").distance_type("hamming")
            found = asked.limit(k).select(["id", "_distance"]).to_arrow()
            yield found["id"].to_numpy(), found["_distance"].to_numpy()
