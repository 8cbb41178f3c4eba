"""Search by a binary index of faiss that somebody wrote to a file."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.indexes.base import INDEXES
from hashprobe.retrieval.indexes.faiss_base import MOST, FaissIndex
from hashprobe.retrieval.indexes.faiss_format import read_index


@INDEXES.register("faiss-file")
class FaissFile(FaissIndex):
    """A binary index of faiss is read from a file and searched as it is: flat, IVF or HNSW.

    It must hold the database: as many items, in its order, with the same codes. To take the codes of a file as the database, read
    them with :func:`read_faiss_codes`.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        path: File that ``faiss.write_index_binary`` wrote.
        search_width: Candidates kept while a graph is searched; ``None`` is what the file says.
        probes: How many lists a search looks into, likewise.
    """

    exact: ClassVar[bool] = False
    needs: ClassVar[str] = "a file: path=FILE"

    def __init__(
        self,
        codes: Any,
        *,
        bits: int,
        path: str = "",
        search_width: int | None = None,
        probes: int | None = None,
    ) -> None:
        super().__init__(codes, bits=bits)
        _check_settings(search_width, probes)
        data, held = read_index(_given(path), bits)
        if len(held.ids) != len(self.codes) or (held.ids != np.arange(len(held.ids))).any():
            raise HashprobeError(
                f"{path}: the index has {len(held.ids):,} items with ids from {held.ids[0]} to {held.ids[-1]}, and the database "
                f"has {len(self.codes):,}, which must be its ids 0 to {len(self.codes) - 1}."
            )
        differing = np.flatnonzero((held.codes != self.codes).any(axis=1))
        if len(differing):
            raise HashprobeError(
                f"{path}: {len(differing):,} of {len(held.ids):,} codes of the index are not those of the database, the first "
                f"that of item {differing[0]}; was it made by this model, of this data, in this order?"
            )
        self._index = _opened(path, data, len(held.ids), search_width, probes)

    @classmethod
    def check(cls, *, bits: int, path: str = "", **settings: Any) -> None:
        """See :meth:`SearchIndex.check`: the file is read, whose codes are compared when those of the database are there."""
        _check_settings(**settings)
        read_index(_given(path), bits)


def _given(path: Any) -> str:
    if not isinstance(path, str) or not path:
        raise HashprobeError("faiss-file needs the setting path: a file that faiss.write_index_binary wrote.")
    return path


def _check_settings(search_width: int | None = None, probes: int | None = None) -> None:
    for name, value in (("search_width", search_width), ("probes", probes)):
        if value is not None:
            check_whole_number(name, value, least=1, most=MOST)


def _opened(path: str, data: bytes, count: int, search_width: int | None, probes: int | None) -> Any:
    """Give checked bytes to faiss."""
    import faiss

    try:
        index = faiss.deserialize_index_binary(np.frombuffer(data, dtype=np.uint8))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise HashprobeError(f"{path} is not read by this version of faiss: {reason}.") from None
    inner: Any = index
    while isinstance(inner, faiss.IndexBinaryIDMap):
        inner = faiss.downcast_IndexBinary(inner.index)
    has = {"search_width": hasattr(inner, "hnsw"), "probes": hasattr(inner, "nprobe")}
    for name, value in (("search_width", search_width), ("probes", probes)):
        if value is not None and not has[name]:
            raise HashprobeError(f"{path}: the index has no setting {name}; it is of another kind.")
    # faiss takes the memory for all candidates at once.
    if has["search_width"]:
        inner.hnsw.efSearch = max(1, min(search_width or inner.hnsw.efSearch, count))
    if has["probes"]:
        inner.nprobe = max(1, min(probes or inner.nprobe, inner.nlist))
    return index
