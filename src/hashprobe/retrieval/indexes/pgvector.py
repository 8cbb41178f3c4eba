"""Search along a graph of neighbours, by pgvector in PostgreSQL."""

from __future__ import annotations

from typing import Any, ClassVar

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.indexes.postgres import PostgresTable

# From here on a scan goes on where the candidates of the graph do not suffice for k.
OLDEST = (0, 8)
# What pgvector and PostgreSQL take.
LEAST_LINKS, MOST_LINKS, LEAST_BUILD_WIDTH, MOST_WIDTH = 2, 100, 4, 1000
MOST_MEBIBYTES = 2**21 - 1


@INDEXES.register("pgvector")
class PGVector(SearchIndex):
    """A graph links each item with near ones, and a search follows it towards the query, by pgvector in PostgreSQL.

    A column ``bit(K)`` with an HNSW index of ``bit_hamming_ops``, searched by ``ORDER BY code <~> query LIMIT k``. The planner
    is kept from comparing all items, which it prefers in a small table, and a scan goes on until it has k items (pgvector's
    ``iterative_scan``). It needs pgvector 0.8 or later there, and the extra ``pgvector`` here.

    pgvector builds each graph by chance, from no seed that can be set: of items at an equal distance another run may find others,
    and where its graph misses an item another graph may find it. A result that must come again is measured by ``postgres-exact``.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        url: As for :class:`PostgresExact`.
        links: Neighbours that an item keeps, 2 to 100.
        build_width: Candidates kept while building, twice ``links`` to 1,000.
        search_width: Candidates kept while searching, 1 to 1,000; more find more and take longer.
        build_mebibytes: Memory for the graph while it is built (``maintenance_work_mem``), beyond which building is slow;
            ``None`` is what the server is set to.
    """

    exact: ClassVar[bool] = False
    needs: ClassVar[str] = "a PostgreSQL server with pgvector and the extra pgvector"
    incidental: ClassVar[tuple[str, ...]] = ("url", "build_mebibytes")

    def __init__(
        self,
        codes: Any,
        *,
        bits: int,
        url: str = "",
        links: int = 16,
        build_width: int = 64,
        search_width: int = 128,
        build_mebibytes: int | None = None,
    ) -> None:
        super().__init__(codes, bits=bits)
        links = check_whole_number("links", links, least=LEAST_LINKS, most=MOST_LINKS)
        least = max(LEAST_BUILD_WIDTH, 2 * links)
        width = check_whole_number("build_width", build_width, least=least, most=MOST_WIDTH)
        search_width = check_whole_number("search_width", search_width, least=1, most=MOST_WIDTH)
        if build_mebibytes is not None:
            check_whole_number("build_mebibytes", build_mebibytes, least=1, most=MOST_MEBIBYTES)
        self._table = table = _Graph(url, self.codes, self.bits, made=f"hnsw {links} {width}")
        table.links, table.build_width, table.search_width = links, width, search_width
        table.build_mebibytes = build_mebibytes
        self._query = table.statement(
            "SELECT id, code <~> {code} AS distance FROM {table} ORDER BY code <~> {code} LIMIT %(k)s"
        )
        table.open(self)

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what pgvector finds; see :meth:`SearchIndex.find`."""
        return self._table.find(self._query, queries, k)


class _Graph(PostgresTable):
    """A table with a graph over it."""

    links: int
    build_width: int
    search_width: int
    build_mebibytes: int | None

    def prepare(self, connection: Any) -> None:
        """See :meth:`PostgresTable.prepare`."""
        connection.execute("SET client_min_messages = error")  # that it is there already
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        (version,) = connection.execute(
            "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        ).fetchone()
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            raise HashprobeError(
                f"{self.where} has pgvector {version}, and 0.8 or later is needed; install it there, then "
                "ALTER EXTENSION vector UPDATE, or search by postgres-exact."
            )
        for name, value in (
            ("hnsw.ef_search", self.search_width),
            ("hnsw.iterative_scan", "relaxed_order"),
            ("enable_seqscan", "off"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))

    def arrange(self, connection: Any) -> None:
        """See :meth:`PostgresTable.arrange`."""
        if self.build_mebibytes is not None:
            memory = f"{self.build_mebibytes}MB"
            connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", (memory,))
        connection.execute(
            self.statement(
                "CREATE INDEX ON {table} USING hnsw (code bit_hamming_ops) WITH (m = {links}, ef_construction = {width})",
                links=self.links,
                width=self.build_width,
            )
        )
