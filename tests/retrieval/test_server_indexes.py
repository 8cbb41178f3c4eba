"""Indexes on servers: what a lost connection, another address, a full table and a wrong answer do."""

from __future__ import annotations

import gc
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from psycopg import sql

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import SearchSettings
from hashprobe.experiments import evaluate
from hashprobe.files import read_json_lines
from hashprobe.retrieval import check_index, open_index, top_k
from hashprobe.retrieval.indexes import servers
from hashprobe.retrieval.indexes.postgres import PostgresTable
from helpers import conv_model, random_codes, tiny_data
from searching import Postgres

CODES, QUERIES = random_codes(300, 32), random_codes(12, 32, seed=1)


@pytest.fixture
def before_asking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Lets something be done before each question to a server, which is told how many there were."""

    def install(do: Callable[[int], None]) -> None:
        original, asked = servers.Server.ask, 0

        def ask(self: servers.Server, work: Callable[[Any], Any]) -> Any:
            nonlocal asked
            do(asked)
            asked += 1
            return original(self, work)

        monkeypatch.setattr(servers.Server, "ask", ask)

    return install


def tables(index: Any) -> int:
    statement = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'hashprobe%'"
    return int(index._table.ask(lambda connection: connection.execute(statement).fetchone()[0]))


def test_a_server_that_is_killed_and_started_again_gives_the_same_neighbours(
    postgres: Postgres, before_asking: Callable[..., None]
) -> None:
    index = open_index("pgvector", CODES, bits=32)
    wanted = index.search(QUERIES, 10)
    started = threading.Timer(0.3, postgres.start)

    def kill(asked: int) -> None:
        if asked == 5:
            postgres.kill()
            started.start()

    before_asking(kill)
    found = index.search(QUERIES, 10)
    started.join()
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_array_equal(found.distances, wanted.distances)


@pytest.mark.parametrize("name", ["postgres-exact", "pgvector"])
def test_a_run_whose_server_stays_away_keeps_what_it_measured_and_goes_on_later(
    name: str,
    postgres: Postgres,
    before_asking: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(servers, "WAITS", (0.01, 0.02))
    given: dict[str, Any] = {
        "attacks": ["Noise", "I-FGSM:steps=2", "FGSM"],
        "protocols": ["paper"],
        "gallery": 0,
        "report": False,
    }
    search = SearchSettings(index=name, top_k=5)
    wanted = evaluate(conv_model(), tiny_data(), search=search, out=tmp_path / "whole", **given)
    killed = []

    def kill(asked: int) -> None:
        if len(list((tmp_path / "cut" / "cells").glob("*.json"))) == 1 and not killed:
            postgres.kill()
            killed.append(asked)

    before_asking(kill)
    try:
        with pytest.raises(
            HashprobeError,
            match=r"^the PostgreSQL server at .* was lost and did not answer again in 2 tries ",
        ) as caught:
            evaluate(conv_model(), tiny_data(), search=search, out=tmp_path / "cut", **given)
    finally:
        postgres.start()
    assert "\n" not in str(caught.value)
    (kept,) = (path.read_bytes() for path in (tmp_path / "cut" / "cells").glob("*.json"))
    # Where the server is now has no part in what the results are.
    moved = SearchSettings(index=name, top_k=5, settings={"url": postgres.url})
    rows = evaluate(conv_model(), tiny_data(), search=moved, out=tmp_path / "cut", **given)
    assert kept in [path.read_bytes() for path in (tmp_path / "cut" / "cells").glob("*.json")]
    assert [row.row for row in rows] == [row.row for row in wanted]
    if name == "postgres-exact":  # no two graphs of pgvector are the same
        assert [(row.t_map, row.map) for row in rows] == [(row.t_map, row.map) for row in wanted]
    assert len(read_json_lines(tmp_path / "cut" / "results.jsonl")) == len(wanted)


def test_those_who_search_the_same_codes_share_a_table_and_the_last_one_drops_it(postgres: Postgres) -> None:
    gc.collect()  # what other tests left goes now, not in between
    other = open_index("postgres-exact", CODES[:9], bits=32)
    before = tables(other)
    first, second = (open_index("pgvector", CODES, bits=32) for _ in range(2))
    assert tables(other) == before + 1
    wanted = first.search(QUERIES, 5).ids
    del first
    gc.collect()
    np.testing.assert_array_equal(second.search(QUERIES, 5).ids, wanted)
    second._table._connection.close()  # type: ignore[attr-defined]  # as a kill of this process would
    del second
    gc.collect()
    assert tables(other) == before + 1
    third = open_index("pgvector", CODES, bits=32)
    np.testing.assert_array_equal(third.search(QUERIES, 5).ids, wanted)  # it is the graph that was there
    del third
    gc.collect()
    assert tables(other) == before


def test_pgvector_searches_its_graph_and_goes_on_where_it_has_too_few_candidates(postgres: Postgres) -> None:
    index: Any = open_index("pgvector", CODES, bits=32, search_width=5)
    explained = sql.SQL("EXPLAIN ") + index._query
    plan = index._table.ask(lambda connection: connection.execute(explained, {"code": "01" * 16, "k": 10}))
    assert "Index Scan using hashprobe_" in str(plan.fetchall())
    assert (index.search(QUERIES, 200).ids >= 0).all()
    wide, narrow = (
        open_index("pgvector", CODES, bits=32, links=2, build_width=4, search_width=width).recall(QUERIES, 1)
        for width in (300, 1)
    )
    assert wide.mean() > narrow.mean()


def test_postgres_finds_equal_distances_in_the_order_of_the_database(postgres: Postgres) -> None:
    found = open_index("postgres-exact", CODES[:, :1].copy(), bits=8).search(QUERIES[:, :1].copy(), 50)
    np.testing.assert_array_equal(
        found.ids, top_k(QUERIES[:, :1].copy(), CODES[:, :1].copy(), 50, bits=8).ids
    )


def test_an_interrupted_table_is_not_there(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    other = open_index("postgres-exact", CODES[:9], bits=32)
    before = tables(other)
    with monkeypatch.context() as patch:
        patch.setattr(PostgresTable, "arrange", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            open_index("postgres-exact", CODES, bits=32)
    assert tables(other) == before
    assert open_index("postgres-exact", CODES, bits=32).recall(QUERIES, 3).tolist() == [1.0] * 12


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        (
            "pgvector",
            "postgresql://somebody@127.0.0.1:{port}/x",
            r"PostgreSQL server at 127\.0\.0\.1 cannot be reached \(",
        ),
        ("postgres-exact", "postgresql://me:secret@127.0.0.1/x", r"^url holds a password, and settings are "),
        ("pgvector", "secret", r"^url must be a connection string of PostgreSQL.*what is given is none\.$"),
        ("pgvector", 3, r"^url must be a connection string"),
        ("qdrant", "http://127.0.0.1:{port}", r"^the Qdrant server at http://.* cannot be reached \("),
        ("qdrant-exact", "http://me:secret@127.0.0.1:{port}", r"^url holds a user or a password"),
        (
            "qdrant",
            "127.0.0.1",
            r"^url must be an address as http://127\.0\.0\.1:6333; found '127\.0\.0\.1'\.$",
        ),
        ("milvus", "http://127.0.0.1:{port}", r"^the Milvus server at http://.* cannot be reached \("),
        ("milvus-exact", "", r"^url must be an address"),
    ],
)
def test_an_address_at_which_no_server_is(name: str, url: Any, message: str) -> None:
    if isinstance(url, str):
        url = url.format(port=closed_port())
    with pytest.raises(HashprobeError, match=message) as caught:
        check_index(name, bits=16, url=url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_is_read_from_a_file_and_quoted_nowhere(tmp_path: Path) -> None:
    with pytest.raises(HashprobeError, match=r"^key_file .*nowhere cannot be read: No such file"):
        check_index("qdrant", bits=16, key_file=str(tmp_path / "nowhere"))
    (tmp_path / "key").write_text("secret\n")
    assert servers.read_key(str(tmp_path / "key")) == "secret"
    with pytest.raises(HashprobeError) as caught:
        check_index(
            "milvus", bits=16, url=f"http://127.0.0.1:{closed_port()}", key_file=str(tmp_path / "key")
        )
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("usearch", "usearch.index", "indexes"),
        ("lancedb", "lancedb", "indexes"),
        ("qdrant", "qdrant_client.models", "indexes"),
        ("pgvector", "psycopg", "pgvector"),
        ("milvus", "pymilvus", "milvus"),
    ],
)
def test_a_package_that_is_missing(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        HashprobeError,
        match=rf"^{module} cannot be imported .*; install it: pip install 'hashprobe\[{extra}\]'\.$",
    ):
        open_index(name, CODES, bits=32)


def test_what_a_milvus_client_is_asked_and_what_is_made_of_its_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its calls are held to the signatures of the real client; the server behind it is counted here."""
    import pymilvus

    client = mock.create_autospec(pymilvus.MilvusClient, instance=True)
    client.has_collection.return_value = True
    rows: list[dict[str, Any]] = []
    client.insert.side_effect = lambda name, data: rows.extend(data)

    def search(name: str, data: list[bytes], *, limit: int, **given: Any) -> list[list[dict[str, Any]]]:
        queries = np.array([list(code) for code in data], dtype=np.uint8)
        stored = np.array([list(row["code"]) for row in rows], dtype=np.uint8)
        found = top_k(queries, stored, limit, bits=16)
        return [
            [{"id": rows[item]["id"], "distance": float(d)} for item, d in zip(*pair, strict=True)]
            for pair in zip(*found, strict=True)
        ]

    client.search.side_effect = search
    monkeypatch.setattr(pymilvus, "MilvusClient", mock.Mock(return_value=client))
    codes = random_codes(40, 12)
    index = open_index("milvus", codes, bits=12, lists=8, probes=3)
    wanted = retrieval.open_index("scan", codes, bits=12).search(codes[:5], 7)
    np.testing.assert_array_equal(index.search(codes[:5], 7).ids, wanted.ids)
    assert client.search.call_args.kwargs["search_params"] == {
        "metric_type": "HAMMING",
        "params": {"nprobe": 3},
    }
    with pytest.raises(HashprobeError, match=r"at most 16,384 items for a query; k is 20,000"):
        index.find(codes[:1], 20_000)
    name = client.create_collection.call_args.args[0]
    client.search.side_effect = pymilvus.MilvusException(code=2, message="gone")
    monkeypatch.setattr(servers, "WAITS", (0.0,))
    with pytest.raises(HashprobeError, match=r"was lost and did not answer again in 1 tries .*\(gone\)"):
        index.search(codes[:1], 1)
    client.search.side_effect = pymilvus.MilvusException(code=65535, message="no such metric")
    with pytest.raises(HashprobeError, match=r"Milvus server at .* refuses: no such metric\.$"):
        index.search(codes[:1], 1)
    del index
    gc.collect()
    client.drop_collection.assert_called_with(name)
