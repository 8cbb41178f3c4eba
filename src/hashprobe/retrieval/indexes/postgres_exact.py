"""Exact search by PostgreSQL without an extension."""

from __future__ import annotations

from typing import Any, ClassVar

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex
from hashprobe.retrieval.indexes.postgres import PostgresTable


@INDEXES.register("postgres-exact")
class PostgresExact(SearchIndex):
    """Every item is compared with every query, by PostgreSQL's own bit_count; exact.

    It needs PostgreSQL 14 or later, no extension of it, and the extra ``pgvector`` here. Equal distances come in the order of
    the database.

    Args:
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        url: Connection string, as ``postgresql://user@host:5432/database``, without a password. What it leaves out libpq finds
            where it always does (``PGHOST``, ``~/.pgpass``, ``pg_service.conf``, a local socket).
    """

    exact: ClassVar[bool] = True
    needs: ClassVar[str] = "a PostgreSQL server and the extra pgvector"
    incidental: ClassVar[tuple[str, ...]] = ("url",)

    def __init__(self, codes: Any, *, bits: int, url: str = "") -> None:
        super().__init__(codes, bits=bits)
        self._table = table = PostgresTable(url, self.codes, self.bits)
        self._query = table.statement(
            "SELECT id, bit_count(code # {code}) AS distance FROM {table} ORDER BY distance, id LIMIT %(k)s"
        )
        table.open(self)

    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return the k nearest items; see :meth:`SearchIndex.find`."""
        return self._table.find(self._query, queries, k)
