"""The contract of every registered index, one of one's own among them, and what each adds to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import hypothesis
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from hashprobe import retrieval
from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval import INDEXES, SearchIndex, open_index, top_k
from retrieval import plain
from searching import index_names


class Lookup(SearchIndex):
    """Items within a radius; what lies beyond is not found."""

    exact: ClassVar[bool] = False

    def __init__(self, codes: Any, *, bits: int, radius: int = 5) -> None:
        super().__init__(codes, bits=bits)
        self.radius = check_whole_number("radius", radius, least=0)

    def find(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        ids, distances = top_k(queries, self.codes, k, bits=self.bits)
        return np.where(distances <= self.radius, ids, -1), distances


OWN = "lookup of one's own"
NAMES = index_names(OWN)
Given = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def one_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INDEXES, "_things", dict(INDEXES._things))
    INDEXES.register(OWN)(Lookup)


def packed(seed: int, *, queries: int, items: int, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Packed codes of queries and items, and their distances."""
    case = plain.random_case(seed, queries=queries, items=items, bits=bits, classes=1)
    distances, _ = plain.distances_and_relevance(**case)
    return retrieval.pack(case["queries"]), retrieval.pack(case["database"]), distances


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("items", "bits", "k"), [(1, 8, 1), (3, 64, 5), (60, 12, 1), (300, 12, 20), (300, 64, 300), (500, 3, 7)]
)
def test_the_contract(name: str, items: int, bits: int, k: int, given: Given) -> None:
    queries, database, measured = packed(items, queries=9, items=items, bits=bits)
    before = database.copy()
    index = INDEXES[name](database, bits=bits, **given(name, database, bits=bits))
    found = index.search(queries, k)
    ids, distances = found
    assert found.ids is ids
    assert found.distances is distances
    assert ids.shape == distances.shape == (9, min(k, items))
    assert ids.dtype == distances.dtype == np.int64
    there = ids >= 0
    assert ((ids >= -1) & (ids < items)).all()
    assert (distances[~there] == bits + 1).all()
    for query, row in enumerate(ids):
        near = row[there[query]]
        assert len(set(near)) == len(near)
        np.testing.assert_array_equal(distances[query, there[query]], measured[query, near])
        pairs = list(zip(distances[query, there[query]], near, strict=True))
        assert pairs == sorted(pairs)  # by distance, then in the order of the database
        assert there[query, : len(near)].all()  # what was not found comes last
    recall = index.recall(queries, k)
    assert recall.shape == (9,)
    assert ((recall >= 0) & (recall <= 1)).all()
    kth = np.sort(measured, axis=1)[:, min(k, items) - 1]
    np.testing.assert_array_equal(recall, (there & (distances <= kth[:, None])).mean(axis=1))
    if type(index).exact:
        exact = top_k(queries, database, k, bits=bits)
        np.testing.assert_array_equal(distances, exact.distances)
        nearer = distances < distances[:, -1:]  # of those at the k-th distance any will do
        np.testing.assert_array_equal(ids[nearer], exact.ids[nearer])
        assert (recall == 1).all()
    again = index.search(queries, k)
    np.testing.assert_array_equal(again.ids, ids)
    np.testing.assert_array_equal(database, before)
    np.testing.assert_array_equal(index.search(queries[4:5], k).ids, ids[4:5])


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_for_errors(name: str, given: Given) -> None:
    codes = np.zeros((8, 2), np.uint8)
    index = open_index(name, codes, bits=12, **given(name, codes, bits=12))
    for wrong, message in (
        (
            lambda: open_index(name, codes[:, :1], bits=12),
            r"database must be packed uint8 of shape \(n, 2\) for 12 bits",
        ),
        (lambda: open_index(name, codes[:0], bits=12), r"database is empty; there is nothing to search"),
        (
            lambda: open_index(name, codes + 1, bits=12),
            r"database: the last 4 bits of a row must be 0 for 12 bits",
        ),
        (
            lambda: index.search(codes[:, :1], 3),
            r"queries must be packed uint8 of shape \(n, 2\) for 12 bits",
        ),
        (lambda: index.search(codes, 0), r"k must be a whole number of at least 1; found 0"),
        (
            lambda: open_index(name, codes, bits=12, colour=3),
            r"the search index .* has no setting 'colour'; it has ",
        ),
    ):
        with pytest.raises(HashprobeError, match=message):
            wrong()


@pytest.mark.parametrize("name", [*INDEXES, OWN])
def test_every_index_says_in_a_line_what_it_does(name: str) -> None:
    first, *_ = (INDEXES[name].__doc__ or "").splitlines()
    assert 10 < len(first) < 130
    assert first.endswith(".")
    assert "`" not in first  # a command prints it


def test_scan_is_top_k() -> None:
    queries, database, _ = packed(4, queries=20, items=500, bits=8)
    for found, wanted in zip(
        open_index("scan", database, bits=8).search(queries, 50),
        top_k(queries, database, 50, bits=8),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


@settings(max_examples=30)
@hypothesis.given(
    seed=st.integers(0, 2**32 - 1), items=st.integers(1, 40), k=st.integers(1, 50), bits=st.integers(1, 20)
)
def test_flat_and_scan_find_the_same_distances(seed: int, items: int, k: int, bits: int) -> None:
    queries, database, measured = packed(seed, queries=3, items=items, bits=bits)
    for name in ("scan", "faiss-flat"):
        distances = open_index(name, database, bits=bits).search(queries, k).distances
        np.testing.assert_array_equal(distances, np.sort(measured, axis=1)[:, :k])


@pytest.mark.parametrize(("name", "chosen"), [("faiss-ivf", {"lists": 20, "probes": 5}), ("faiss-hnsw", {})])
def test_approximate_indexes_find_most_of_clustered_codes(name: str, chosen: dict[str, int]) -> None:
    generator = np.random.default_rng(0)
    centres = generator.choice([-1, 1], (20, 32))
    flips = generator.choice([1, -1], (2000, 32), p=[0.9, 0.1])
    database = retrieval.pack(centres[generator.integers(0, 20, 2000)] * flips)
    assert open_index(name, database, bits=32, **chosen).recall(database[::200], 10).mean() > 0.8


def test_looking_into_one_list_misses_items_and_recall_says_so() -> None:
    queries, database, _ = packed(1, queries=20, items=2000, bits=32)
    narrow = open_index("faiss-ivf", database, bits=32, lists=40, probes=1)
    wide = open_index("faiss-ivf", database, bits=32, lists=40, probes=40)
    assert narrow.recall(queries, 10).mean() < 0.7
    assert wide.recall(queries, 10).tolist() == [1.0] * 20


def test_lists_that_hold_too_few_leave_the_last_columns_empty() -> None:
    queries, database, _ = packed(2, queries=3, items=60, bits=16)
    ids, _ = open_index("faiss-ivf", database, bits=16, lists=10, probes=1).search(queries, 60)
    assert (ids[:, -1] == -1).all()


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("faiss-hsnw", {}, r"no search index is named 'faiss-hsnw'; did you mean 'faiss-hnsw'\?"),
        ("scan", {"probes": 3}, r"the search index 'scan' has no setting 'probes'; it has none\."),
        ("faiss-ivf", {"links": 3}, r"'faiss-ivf' has no setting 'links'; it has lists, probes\."),
        ("faiss-ivf", {"lists": 9}, r"lists must be at most the 8 items of the database; found 9"),
        ("faiss-ivf", {"probes": 0}, r"probes must be a whole number from 1 to 2147483647; found 0"),
        ("faiss-ivf", {"lists": 2.5}, r"lists must be a whole number .* found 2\.5"),
        ("faiss-hnsw", {"links": 1}, r"links must be a whole number from 2 to 1024; found 1"),
        ("faiss-hnsw", {"links": 2**30}, r"links must be a whole number from 2 to 1024"),
        ("faiss-hnsw", {"search_width": 2**40}, r"search_width must be a whole number from 1 to"),
        ("faiss-hnsw", {"build_width": "wide"}, r"build_width must be a whole number .* found 'wide'"),
        (OWN, {"radius": -1}, r"radius must be a whole number of at least 0; found -1"),
    ],
)
def test_wrong_settings(name: str, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        open_index(name, np.zeros((8, 1), np.uint8), bits=8, **chosen)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("faiss-hnsw", {"links": 2}),
        ("faiss-hnsw", {"links": 1024}),
        ("faiss-hnsw", {"search_width": 2**31 - 1, "build_width": 2**31 - 1}),
        ("faiss-hnsw", {"links": np.int64(3)}),
        ("faiss-ivf", {"lists": np.int64(3), "probes": np.int64(3)}),
        ("faiss-ivf", {"probes": 2**31 - 1}),
    ],
)
def test_settings_at_their_limits_and_numbers_of_numpy(name: str, chosen: dict[str, Any]) -> None:
    _, codes, _ = packed(3, queries=1, items=20, bits=32)
    ids, _ = open_index(name, codes, bits=32, **chosen).search(codes, np.int64(1))  # type: ignore[arg-type]
    assert ids[:, 0].tolist() == list(range(20))


def test_faiss_is_imported_when_an_index_of_it_is_built() -> None:
    code = (
        "import sys, numpy as np; from hashprobe import retrieval; "
        "retrieval.open_index('scan', np.zeros((2, 1), np.uint8), bits=8); print('faiss' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
