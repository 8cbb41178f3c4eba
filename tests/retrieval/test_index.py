from __future__ import annotations

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from retrieval import plain


@pytest.mark.parametrize("bits", [12, 64])
def test_the_flat_index_finds_the_same_distances(bits: int) -> None:
    case = plain.random_case(0, queries=9, items=300, bits=bits, classes=1)
    queries, database = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    index = retrieval.BinaryIndex(database, bits=bits)
    ids, distances = index.search(queries, 20)
    np.testing.assert_array_equal(distances, retrieval.top_k(queries, database, 20, bits=bits)[1])
    measured, _ = plain.distances_and_relevance(**case)
    np.testing.assert_array_equal(np.take_along_axis(measured, ids, axis=1), distances)
    assert index.recall(queries, 20).tolist() == [1.0] * 9


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_approximate_indices_return_true_distances_and_their_recall(kind: str) -> None:
    generator = np.random.default_rng(0)
    centres = generator.choice([-1, 1], (20, 32))
    flips = generator.choice([1, -1], (2000, 32), p=[0.9, 0.1])
    database = retrieval.pack(centres[generator.integers(0, 20, 2000)] * flips)
    queries = database[::200]
    index = retrieval.BinaryIndex(database, bits=32, kind=kind, lists=20, probes=5)  # type: ignore[arg-type]
    ids, distances = index.search(queries, 10)
    signs = retrieval.unpack(database, 32)
    for query, row in enumerate(ids):
        np.testing.assert_array_equal(distances[query], (signs[row] != signs[query * 200]).sum(axis=1))
    _, exact = retrieval.top_k(queries, database, 10, bits=32)
    wanted = [(distances[query] <= exact[query, -1]).mean() for query in range(len(queries))]
    assert index.recall(queries, 10).tolist() == wanted
    assert np.mean(wanted) > 0.8


def test_looking_into_one_list_misses_items_and_recall_says_so() -> None:
    case = plain.random_case(1, queries=20, items=2000, bits=32, classes=1)
    queries, database = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    narrow = retrieval.BinaryIndex(database, bits=32, kind="ivf", lists=40, probes=1)
    wide = retrieval.BinaryIndex(database, bits=32, kind="ivf", lists=40, probes=40)
    assert narrow.recall(queries, 10).mean() < 0.7
    assert wide.recall(queries, 10).tolist() == [1.0] * 20


def test_what_is_not_found_comes_last_with_index_minus_one() -> None:
    case = plain.random_case(2, queries=3, items=60, bits=16, classes=1)
    queries, database = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    index = retrieval.BinaryIndex(database, bits=16, kind="ivf", lists=10, probes=1)
    ids, distances = index.search(queries, 60)
    assert (ids[:, -1] == -1).all()
    assert (distances[ids == -1] == 17).all()
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "hsnw"}, r"no index kind is named 'hsnw'; did you mean 'hnsw'\?"),
        ({"kind": "ivf", "lists": 9}, r"lists must be at most the 8 items of the database; found 9"),
        ({"kind": "ivf", "probes": 0}, r"probes must be a whole number from 1 to 2147483647; found 0"),
        ({"kind": "ivf", "lists": 2.5}, r"lists must be a whole number .* found 2\.5"),
        ({"kind": "hnsw", "links": 1}, r"links must be a whole number from 2 to 1024; found 1"),
        ({"kind": "hnsw", "links": 2**30}, r"links must be a whole number from 2 to 1024"),
        ({"kind": "hnsw", "search_width": 2**40}, r"search_width must be a whole number from 1 to"),
        ({"kind": "hnsw", "build_width": "wide"}, r"build_width must be a whole number .* found 'wide'"),
        ({"bits": 12}, r"database must be packed uint8 of shape \(n, 2\) for 12 bits"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        retrieval.BinaryIndex(np.zeros((8, 1), np.uint8), **({"bits": 8} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "hnsw", "links": 2},
        {"kind": "hnsw", "links": 1024},
        {"kind": "hnsw", "search_width": 2**31 - 1, "build_width": 2**31 - 1},
        {"kind": "hnsw", "links": np.int64(3)},
        {"kind": "ivf", "lists": np.int64(3), "probes": np.int64(3)},
    ],
)
def test_settings_at_their_limits_and_numbers_of_numpy(settings: dict[str, object]) -> None:
    codes = retrieval.pack(plain.random_case(3, queries=1, items=20, bits=32, classes=1)["database"])
    index = retrieval.BinaryIndex(codes, bits=32, **settings)  # type: ignore[arg-type]
    ids, _ = index.search(codes, np.int64(1))  # type: ignore[arg-type]
    assert ids[:, 0].tolist() == list(range(20))
