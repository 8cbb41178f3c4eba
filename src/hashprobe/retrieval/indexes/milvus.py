"""Search by a Milvus server."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.extras import package
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.indexes.rows import filled
from hashprobe.retrieval.indexes.servers import Server, check_address, read_key

ROWS_AT_ONCE, QUERIES_AT_ONCE = 10_000, 100
MOST_FOUND = 16_384
"""What a Milvus server returns for a query, at most."""
MOST_LISTS = 65_536
SECONDS_TO_CONNECT = 10
NO_CONNECTION = 2
"""The code of an error that the client makes where no server answers."""


@INDEXES.register("milvus")
class Milvus(SearchIndex):
    """Items are kept in lists by their nearest centre, and a search looks into the nearest lists, on a Milvus server.

    Binary vectors with the metric HAMMING and the index BIN_IVF_FLAT, in a collection of its own, which is taken away at the
    end. A code is filled up to whole bytes. A server returns at most 16,384 items for a query. Needs the extra ``milvus``.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        url: Address of the server.
        key_file: File that holds its token, ``user:password`` or a key, which is written nowhere; ``None`` where it needs none.
        lists: How many lists, 1 to 65,536.
        probes: How many lists a search looks into, at most ``lists``; more find more and take longer.
    """

    exact: ClassVar[bool] = False
    needs: ClassVar[str] = "a Milvus server and the extra milvus"
    incidental: ClassVar[tuple[str, ...]] = ("url", "key_file")

    def __init__(
        self,
        codes: Any,
        *,
        bits: int,
        url: str = "http://127.0.0.1:19530",
        key_file: str | None = None,
        lists: int = 128,
        probes: int = 16,
    ) -> None:
        super().__init__(codes, bits=bits)
        lists = check_whole_number("lists", lists, least=1, most=MOST_LISTS)
        probes = check_whole_number("probes", probes, least=1, most=lists)
        self._open(
            url, key_file, {"index_type": "BIN_IVF_FLAT", "params": {"nlist": lists}}, {"nprobe": probes}
        )

    def _open(self, url: str, key_file: str | None, index: dict[str, Any], params: dict[str, Any]) -> None:
        self._params = {"metric_type": "HAMMING", "params": params}
        self._collection = _Collection(self.codes, url, key_file, index)
        self._collection.open(self)

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what Milvus finds; see :meth:`SearchIndex.find`."""
        if k > MOST_FOUND:
            raise HashprobeError(
                f"a Milvus server returns at most {MOST_FOUND:,} items for a query; k is {k:,}."
            )
        return filled(self._answers(queries, k), len(queries), k)

    def _answers(self, queries: PackedCodes, k: int) -> Iterator[tuple[Any, Any]]:
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            data = [row.tobytes() for row in queries[start : start + QUERIES_AT_ONCE]]
            for hits in self._collection.search(data, k, self._params):
                yield [hit["id"] for hit in hits], [hit["distance"] for hit in hits]


@INDEXES.register("milvus-exact")
class MilvusExact(Milvus):
    """Every item is compared with every query, by a Milvus server; exact.

    As :class:`Milvus`, with the index BIN_FLAT.
    """

    exact: ClassVar[bool] = True

    def __init__(
        self, codes: Any, *, bits: int, url: str = "http://127.0.0.1:19530", key_file: str | None = None
    ) -> None:
        SearchIndex.__init__(self, codes, bits=bits)
        self._open(url, key_file, {"index_type": "BIN_FLAT", "params": {}}, {})


class _Collection(Server):
    """A collection of the codes as binary vectors."""

    def __init__(self, codes: PackedCodes, url: str, key_file: str | None, index: dict[str, Any]) -> None:
        self._milvus = package("pymilvus", "milvus")
        # It logs the trace of each connection that is lost.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        super().__init__(f"the Milvus server at {check_address(url)}", (self._milvus.MilvusException,))
        self._codes, self._index, self._url, self._key = codes, index, url, read_key(key_file)
        self.name, self._filled = f"hashprobe_{uuid.uuid4().hex}", False

    def lost(self, error: Exception) -> bool:
        """See :meth:`Server.lost`."""
        return getattr(error, "code", None) == NO_CONNECTION

    def connect(self) -> Any:
        """See :meth:`Server.connect`."""
        client = self._milvus.MilvusClient(uri=self._url, token=self._key or "", timeout=SECONDS_TO_CONNECT)
        if not (self._filled and client.has_collection(self.name)):
            self._fill(client)
        client.load_collection(self.name)
        return client

    def search(self, data: list[bytes], k: int, params: dict[str, Any]) -> Any:
        """Return what is found, a query each."""
        return self.ask(
            lambda client: client.search(
                self.name, data=data, anns_field="code", limit=k, search_params=params
            )
        )

    def disconnect(self, connection: Any, *, clear: bool) -> None:
        """See :meth:`Server.disconnect`."""
        if clear:
            connection.drop_collection(self.name)
        connection.close()

    def _fill(self, client: Any) -> None:
        kinds = self._milvus.DataType
        client.drop_collection(self.name)
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("code", kinds.BINARY_VECTOR, dim=self._codes.shape[1] * 8)
        indexes = client.prepare_index_params()
        indexes.add_index(field_name="code", metric_type="HAMMING", **self._index)
        client.create_collection(self.name, schema=schema, consistency_level="Strong")
        for start in range(0, len(self._codes), ROWS_AT_ONCE):
            rows = self._codes[start : start + ROWS_AT_ONCE]
            client.insert(
                self.name, [{"id": start + row, "code": code.tobytes()} for row, code in enumerate(rows)]
            )
        client.flush(self.name)
        client.create_index(self.name, indexes)
        self._filled = True
