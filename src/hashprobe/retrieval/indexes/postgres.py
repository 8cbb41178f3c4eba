"""A table of codes in PostgreSQL, which several processes may search at once."""

from __future__ import annotations

import hashlib
from typing import Any, LiteralString

import numpy as np

from hashprobe.errors import HashprobeError
from hashprobe.extras import package
from hashprobe.retrieval.arrays import Int64Array
from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.indexes.rows import filled
from hashprobe.retrieval.indexes.servers import Server

ROWS_AT_ONCE = 1 << 16
SECONDS_TO_CONNECT = 10
# What goes before and after the rows that COPY reads in its binary format.
COPY_HEAD, COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
# Which of the two locks of a table: held shared by all who search in it, or by the one who makes or drops it.
SEARCHED, MADE = 0, 1


class PostgresTable(Server):
    """A table with a column ``id`` and a column ``code bit(K)``, named by the fingerprint of what is in it.

    Whoever needs it first makes it, and the last who searches in it drops it. One that a killed process left is searched by
    the next that needs the same.

    Args:
        url: Connection string, as libpq takes it.
        codes: Packed codes.
        bits: K.
        made: What else the table depends on, as the settings of a graph over it.
    """

    def __init__(self, url: str, codes: PackedCodes, bits: int, *, made: str = "") -> None:
        self._psycopg = package("psycopg", "pgvector")
        self._sql = package("psycopg.sql", "pgvector")
        self._settings = _read(self._psycopg, url)
        host = str(self._settings.get("host") or self._settings.get("hostaddr") or "the default host")
        super().__init__(f"the PostgreSQL server at {host}", (self._psycopg.Error,))
        self._codes, self._bits = codes, bits
        digest = hashlib.sha256(f"1 {bits} {made} {codes.shape}".encode())
        for start in range(0, len(codes), ROWS_AT_ONCE):
            digest.update(codes[start : start + ROWS_AT_ONCE].tobytes())
        self._name = f"hashprobe_{digest.hexdigest()[:32]}"
        self._lock = int.from_bytes(digest.digest()[:4], "big", signed=True)

    def statement(self, text: LiteralString, **numbers: int) -> Any:
        """Compose SQL in which ``{table}`` is the table, ``{code}`` the query's code, and other names are whole numbers.

        No text that anybody gave becomes part of it: codes and k are parameters, and the table's name is made here.
        """
        sql = self._sql
        literals = {name: sql.Literal(number) for name, number in (numbers | {"bits": self._bits}).items()}
        code = sql.SQL("%(code)s::bit({bits})").format(bits=literals["bits"])
        return sql.SQL(text).format(table=sql.Identifier(self._name), code=code, **literals)

    def prepare(self, connection: Any) -> None:
        """Check and set what a session needs; to be extended."""

    def arrange(self, connection: Any) -> None:
        """Add to the filled table what its search needs; to be extended."""

    def lost(self, error: Exception) -> bool:
        """See :meth:`Server.lost`."""
        return isinstance(error, self._psycopg.OperationalError | self._psycopg.InterfaceError)

    def connect(self) -> Any:
        """Return a connection; see :meth:`Server.connect`."""
        connection = self._psycopg.connect(**self._settings, autocommit=True)
        try:
            self.prepare(connection)
            connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (self._lock, SEARCHED))
            if not self._there(connection):
                connection.execute("SELECT pg_advisory_lock(%s, %s)", (self._lock, MADE))
                if not self._there(connection):  # nobody made it while the lock was waited for
                    self._make(connection)
                connection.execute("SELECT pg_advisory_unlock(%s, %s)", (self._lock, MADE))
        except BaseException:
            connection.close()
            raise
        return connection

    def disconnect(self, connection: Any, *, clear: bool) -> None:
        """Close the connection; see :meth:`Server.disconnect`."""
        with connection:  # closes it, which gives back all locks
            if not clear:
                return
            connection.execute("SELECT pg_advisory_unlock_shared(%s, %s)", (self._lock, SEARCHED))
            alone = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (self._lock, SEARCHED))
            if alone.fetchone()[0]:
                connection.execute(self.statement("DROP TABLE IF EXISTS {table}"))

    def find(self, query: Any, queries: PackedCodes, k: int) -> tuple[Int64Array, Int64Array]:
        """Return what a statement finds, as :meth:`SearchIndex.find`; a lost connection is made again.

        Args:
            query: Composed SQL of columns ``id`` and distance, with the parameters ``code`` and ``k``.
            queries: As there.
            k: As there.
        """

        def ask(code: str) -> Any:
            # A statement that is prepared once for all codes is planned without knowing k.
            rows = self.ask(
                lambda connection: connection.execute(
                    query, {"code": code, "k": k}, prepare=False, binary=True
                ).fetchall()
            )
            return tuple(zip(*rows, strict=True)) or ((), ())

        bits = np.unpackbits(queries, axis=1, count=self._bits) + ord("0")
        answers = (ask(row.tobytes().decode()) for row in bits)
        return filled(answers, len(queries), k)

    def _there(self, connection: Any) -> bool:
        return bool(connection.execute("SELECT to_regclass(%s) IS NOT NULL", (self._name,)).fetchone()[0])

    def _make(self, connection: Any) -> None:
        """Write the table, whole or not at all."""
        table = self.statement("CREATE TABLE {table} (id bigint NOT NULL, code bit({bits}) NOT NULL)")
        copy = self.statement("COPY {table} FROM STDIN (FORMAT binary, FREEZE)")
        with connection.transaction():
            connection.execute(table)
            with connection.cursor() as cursor, cursor.copy(copy) as written:
                written.write(COPY_HEAD)
                for start in range(0, len(self._codes), ROWS_AT_ONCE):
                    rows = self._codes[start : start + ROWS_AT_ONCE]
                    written.write(_binary(rows, start, self._bits))
                written.write(COPY_END)
            self.arrange(connection)
        connection.execute(self.statement("ANALYZE {table}"))


def _binary(codes: PackedCodes, start: int, bits: int) -> bytes:
    """Return rows as COPY reads them: how many fields, then of each its length and bytes; of bits their number and bytes."""
    width = codes.shape[1]
    rows = np.zeros(
        len(codes),
        dtype=[
            ("fields", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">i8"),
            ("code_bytes", ">i4"),
            ("bits", ">i4"),
            ("code", "u1", (width,)),
        ],
    )
    rows["fields"], rows["id_bytes"], rows["code_bytes"], rows["bits"] = 2, 8, 4 + width, bits
    rows["id"], rows["code"] = np.arange(start, start + len(codes)), codes
    return rows.tobytes()


def _read(psycopg: Any, url: Any) -> dict[str, Any]:
    """Read a connection string; what is wrong with it is said without quoting it."""
    try:
        settings: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
    except (psycopg.Error, TypeError, AttributeError):
        raise HashprobeError(
            "url must be a connection string of PostgreSQL, as postgresql://user@host:5432/database or "
            "'host=… dbname=…'; what is given is none."
        ) from None
    if settings.get("password"):
        raise HashprobeError(
            "url holds a password, and settings are written down with the results; leave it to a password file (~/.pgpass) "
            "or to PGPASSWORD."
        )
    return {"connect_timeout": SECONDS_TO_CONNECT} | settings
