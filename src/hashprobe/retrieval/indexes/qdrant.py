"""Search by Qdrant, in memory or on a server."""

from __future__ import annotations

import time
import uuid
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hashprobe.errors import check_whole_number
from hashprobe.extras import package
from hashprobe.retrieval.codes import PackedCodes, unpack
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.indexes.rows import filled
from hashprobe.retrieval.indexes.servers import Server, check_address, read_key

ROWS_AT_ONCE, QUERIES_AT_ONCE = 1000, 100
SECONDS_OF_ANSWER = 60
SECONDS_BETWEEN_LOOKS = 0.5
MOST_WIDTH = 2**31 - 1


@INDEXES.register("qdrant")
class Qdrant(SearchIndex):
    """Codes as vectors of -1 and +1 by their dot product, in Qdrant: a graph on a server, every item in memory.

    The dot product of such vectors is K - 2 d, so that the distance d comes back exactly. Without ``url`` the client itself
    keeps and compares all vectors; on a server Qdrant's HNSW graph is searched, in a collection of its own, which is taken
    away at the end. Needs the extra ``indexes``.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        url: Address of a server, as ``http://127.0.0.1:6333``; ``None`` is in memory.
        key_file: File that holds the key of its API, which is written nowhere; ``None`` where it needs none.
        links: Neighbours that an item keeps, 2 to 1024; on a server.
        build_width: Candidates kept while building, at least 4; on a server.
        search_width: Candidates kept while searching; on a server.
    """

    exact: ClassVar[bool] = False
    needs: ClassVar[str] = "the extra indexes"
    incidental: ClassVar[tuple[str, ...]] = ("url", "key_file")

    def __init__(
        self,
        codes: Any,
        *,
        bits: int,
        url: str | None = None,
        key_file: str | None = None,
        links: int = 16,
        build_width: int = 100,
        search_width: int = 128,
    ) -> None:
        super().__init__(codes, bits=bits)
        links = check_whole_number("links", links, least=2, most=1024)
        build_width = check_whole_number("build_width", build_width, least=4, most=MOST_WIDTH)
        search_width = check_whole_number("search_width", search_width, least=1, most=MOST_WIDTH)
        self._models = package("qdrant_client.models", "indexes")
        graph = self._models.HnswConfigDiff(m=links, ef_construct=build_width)
        self._collection = _Collection(self.codes, self.bits, url, key_file, graph)
        search = self._models.SearchParams(exact=type(self).exact, hnsw_ef=search_width)
        self._params = None if url is None else search  # in memory it has no choice, and warns
        self._collection.open(self)

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what Qdrant finds; see :meth:`SearchIndex.find`."""
        return filled(self._answers(queries, k), len(queries), k)

    def _answers(self, queries: PackedCodes, k: int) -> Iterator[tuple[Any, Any]]:
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            requests = [
                self._models.QueryRequest(query=vector, limit=k, params=self._params)
                for vector in _vectors(queries[start : start + QUERIES_AT_ONCE], self.bits).tolist()
            ]
            for found in self._collection.search(requests):
                scores = np.array([point.score for point in found.points], dtype=np.float64)
                yield [point.id for point in found.points], (self.bits - scores) / 2


@INDEXES.register("qdrant-exact")
class QdrantExact(Qdrant):
    """Every item is compared with every query, by Qdrant in memory or on a server; exact.

    As :class:`Qdrant`, which a server is asked to answer without its graph.
    """

    exact: ClassVar[bool] = True


class _Collection(Server):
    """A collection of the codes as vectors."""

    def __init__(
        self, codes: PackedCodes, bits: int, url: str | None, key_file: str | None, graph: Any
    ) -> None:
        self._client = package("qdrant_client", "indexes")
        self._errors = package("qdrant_client.http.exceptions", "indexes")
        self._models = package("qdrant_client.models", "indexes")
        super().__init__(
            "Qdrant in memory" if url is None else f"the Qdrant server at {check_address(url)}",
            (self._errors.ApiException, ValueError),
        )
        self._codes, self._bits, self._graph = codes, bits, graph
        key = read_key(key_file)
        self._address = {"location": ":memory:"} if url is None else {"url": url, "api_key": key}
        self.name, self._filled = f"hashprobe-{uuid.uuid4().hex}", False

    def lost(self, error: Exception) -> bool:
        """See :meth:`Server.lost`."""
        return isinstance(error, self._errors.ResponseHandlingException)

    def connect(self) -> Any:
        """See :meth:`Server.connect`."""
        with warnings.catch_warnings():
            # That the versions of client and server differ, or that a key goes over an unencrypted connection.
            warnings.simplefilter("ignore")
            client = self._client.QdrantClient(**self._address, timeout=SECONDS_OF_ANSWER)
            if not (self._filled and client.collection_exists(self.name)):
                self._fill(client)
        return client

    def search(self, requests: list[Any]) -> Any:
        """Return what is found, a request each."""
        return self.ask(lambda client: client.query_batch_points(self.name, requests))

    def disconnect(self, connection: Any, *, clear: bool) -> None:
        """See :meth:`Server.disconnect`."""
        if clear:
            connection.delete_collection(self.name)
        connection.close()

    def _fill(self, client: Any) -> None:
        client.delete_collection(self.name)
        vectors = self._models.VectorParams(size=self._bits, distance=self._models.Distance.DOT)
        client.create_collection(self.name, vectors_config=vectors, hnsw_config=self._graph)
        for start in range(0, len(self._codes), ROWS_AT_ONCE):
            rows = _vectors(self._codes[start : start + ROWS_AT_ONCE], self._bits).tolist()
            ids = list(range(start, start + len(rows)))
            client.upsert(self.name, self._models.Batch(ids=ids, vectors=rows), wait=True)
        # A server builds its graph after it has taken the vectors; until then it compares them all.
        while client.get_collection(self.name).status == self._models.CollectionStatus.YELLOW:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        self._filled = True


def _vectors(codes: PackedCodes, bits: int) -> npt.NDArray[np.float32]:
    return unpack(codes, bits).astype(np.float32)
