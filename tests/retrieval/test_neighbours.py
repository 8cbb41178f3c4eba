"""AP@k and curves of found neighbours against the enumeration of their orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import Neighbours, average_precision_from_neighbours, count_neighbours
from retrieval import plain

BITS = 3


@st.composite
def found_items(draw: st.DrawFn) -> tuple[dict[str, Any], Neighbours]:
    """A small database with ties, and for each query some of its items, some of them missing."""
    queries, items, seed = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(0, 2**32 - 1))
    case = plain.random_case(seed, queries=queries, items=items, bits=BITS, classes=2, density=0.5)
    k = draw(st.integers(1, items))
    chosen = draw(st.lists(st.permutations([*range(items), *[-1] * k]), min_size=queries, max_size=queries))
    distances, _ = plain.distances_and_relevance(**case)
    return case, neighbours_of([row[:k] for row in chosen], distances)


def neighbours_of(rows: list[list[int]], distances: np.ndarray) -> Neighbours:
    ids = np.array(rows, dtype=np.int64)
    near = np.where(ids < 0, BITS + 1, np.take_along_axis(distances, np.maximum(ids, 0), axis=1))
    return Neighbours(ids, near)


def labels(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return case["query_labels"], case["database_labels"]


def codes(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return retrieval.pack(case["queries"]), retrieval.pack(case["database"])


def orders_of(case: dict[str, Any], neighbours: Neighbours, query: int) -> tuple[list[list[bool]], int]:
    """Every order of the found items by distance, as hits, and how many items of the database are relevant."""
    _, relevant = plain.distances_and_relevance(**case)
    ids = neighbours.ids[query][neighbours.ids[query] >= 0]
    orders = plain.tie_orders(neighbours.distances[query][neighbours.ids[query] >= 0])
    return [[bool(relevant[query, ids[place]]) for place in order] for order in orders], int(
        relevant[query].sum()
    )


def precision_sum(ranked: list[bool]) -> float:
    return sum(sum(ranked[:rank]) / rank for rank, hit in enumerate(ranked, start=1) if hit)


@settings(max_examples=150)
@given(found_items())
def test_average_precision_is_the_mean_over_all_orders_of_what_was_found(
    given: tuple[dict[str, Any], Neighbours],
) -> None:
    case, neighbours = given
    values = average_precision_from_neighbours(neighbours, *labels(case), bits=BITS)
    k = neighbours.ids.shape[1]
    for query, value in enumerate(values):
        orders, total = orders_of(case, neighbours, query)
        wanted = np.mean([precision_sum(ranked) for ranked in orders]) / max(min(total, k), 1)
        assert value == pytest.approx(wanted, abs=1e-13)


@settings(max_examples=100)
@given(found_items(), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_curves_of_what_was_found(given: tuple[dict[str, Any], Neighbours], ns: list[int]) -> None:
    case, neighbours = given
    counts = count_neighbours(neighbours, *labels(case), bits=BITS)
    precision, recall = retrieval.precision_at(counts, ns), retrieval.recall_at(counts, ns)
    grid = [0.25, 0.5, 1.0]
    at_recall = retrieval.precision_at_recall(counts, grid, empty="count_as_zero")
    for query in range(len(counts)):
        orders, total = orders_of(case, neighbours, query)
        hits = np.mean([[sum(ranked[:n]) for n in ns] for ranked in orders], axis=0)
        np.testing.assert_allclose(precision[query], hits / ns, atol=1e-13)
        np.testing.assert_allclose(recall[query], hits / max(total, 1), atol=1e-13)
        for column, share in enumerate(grid):
            needed = int(np.ceil(total * share))
            reached = [
                needed / next(n for n in range(1, len(ranked) + 1) if sum(ranked[:n]) >= needed)
                if 0 < needed <= sum(ranked)
                else 0.0
                for ranked in orders
            ]
            assert at_recall[query, column] == pytest.approx(np.mean(reached), abs=1e-13)


@settings(max_examples=100)
@given(found_items(), st.integers(0, 5))
def test_missing_a_relevant_item_never_raises_the_score(
    given: tuple[dict[str, Any], Neighbours], column: int
) -> None:
    case, neighbours = given
    _, relevant = plain.distances_and_relevance(**case)
    column %= neighbours.ids.shape[1]
    of_query = np.arange(len(neighbours.ids))
    hit = relevant[of_query, neighbours.ids[:, column]] & (neighbours.ids[:, column] >= 0)
    fewer = neighbours.ids.copy()
    fewer[hit, column] = -1
    found = average_precision_from_neighbours(neighbours, *labels(case), bits=BITS)
    missed = average_precision_from_neighbours(
        Neighbours(fewer, neighbours.distances), *labels(case), bits=BITS
    )
    assert (missed[hit] < found[hit]).all()
    np.testing.assert_array_equal(missed[~hit], found[~hit])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(1, 60),
    bits=st.sampled_from([1, 4, 9, 64]),
    k=st.integers(1, 80),
    empty=st.sampled_from(["count_as_zero", "skip"]),
)
def test_an_exact_search_scores_what_average_precision_does(
    seed: int, items: int, bits: int, k: int, empty: Any
) -> None:
    case = plain.random_case(seed, queries=5, items=items, bits=bits, classes=3)
    settings = {"bits": bits, "empty": empty}
    whole = retrieval.open_index("scan", codes(case)[1], bits=bits).search(codes(case)[0], items)
    np.testing.assert_allclose(
        average_precision_from_neighbours(whole, *labels(case), **settings),
        retrieval.average_precision(*codes(case), *labels(case), **settings),
        atol=1e-12,
        rtol=0,
    )
    distances, _ = plain.distances_and_relevance(**case)
    ordered = np.sort(distances, axis=1)
    uncut = ordered[:, k - 1] < ordered[:, k] if k < items else np.ones(5, dtype=bool)
    first = retrieval.top_k(*codes(case), k, bits=bits)
    kept = {"bits": bits, "empty": "count_as_zero"}
    found = average_precision_from_neighbours(first, *labels(case), **kept)
    wanted = retrieval.average_precision(*codes(case), *labels(case), **kept, top_k=k)
    np.testing.assert_allclose(found[uncut], wanted[uncut], atol=1e-12, rtol=0)


def test_nothing_found_scores_zero_and_a_relevant_item_alone_its_share() -> None:
    nothing = Neighbours(np.full((1, 2), -1), np.full((1, 2), 4))
    one = Neighbours(np.array([[3, -1]]), np.array([[1, 4]]))
    both = (np.array([[1, 0]]), np.array([[0, 1], [1, 0], [1, 1], [1, 0]]))
    assert average_precision_from_neighbours(nothing, *both, bits=3).tolist() == [0.0]
    assert average_precision_from_neighbours(one, *both, bits=3).tolist() == [0.5]  # of min(3 relevant, 2)
    counts = count_neighbours(one, *both, bits=3)
    assert (counts.items.tolist(), counts.relevant.tolist()) == ([[0, 1, 0, 0]], [[0, 1, 0, 0]])
    assert counts.missed.tolist() == [2]
    assert counts.relevant_total.tolist() == counts[0].relevant_total.tolist() == [3]
    assert (counts + counts).relevant_total.tolist() == [6]


def test_blocks_and_packed_labels_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from hashprobe.retrieval.metrics import neighbours as module

    case = plain.random_case(5, queries=40, items=200, bits=12, classes=9)
    index = retrieval.open_index("faiss-ivf", codes(case)[1], bits=12, lists=10, probes=1)
    found = index.search(codes(case)[0], 60)
    assert (found.ids < 0).any()
    whole = average_precision_from_neighbours(found, *labels(case), bits=12)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 100)
    packed = [retrieval.pack_labels(one) for one in labels(case)]
    np.testing.assert_array_equal(average_precision_from_neighbours(found, *packed, bits=12), whole)


GOOD = Neighbours(np.array([[0, 1]]), np.array([[0, 3]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array([[0, 2]])}, r"neighbours has item 2 for query 0; it must be from 0 to 1, or -1"),
        ({"ids": np.array([[0, -2]])}, r"neighbours has item -2 for query 0"),
        ({"ids": np.array([[1, 1]])}, r"neighbours has item 1 twice for query 0"),
        ({"distances": np.array([[0, 4]])}, r"neighbours has distance 4 for query 0; it must be from 0 to 3"),
        ({"ids": np.array([[0.0, 1.0]])}, r"whole numbers of shape \(n, k\); found float64 and int64"),
        ({"ids": np.array([0, 1])}, r"whole numbers of shape \(n, k\); .* of shape \(2,\) and \(1, 2\)"),
        ({"distances": np.array([[0]])}, r"found ids of shape \(1, 2\) and distances of shape \(1, 1\)"),
        (
            {"ids": np.array([[0], [1]]), "distances": np.zeros((2, 1), int)},
            r"must be of 1 queries, as query_labels is",
        ),
    ],
)
def test_neighbours_that_are_none(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        count_neighbours(GOOD._replace(**change), [[1]], [[1], [0]], bits=3)


def test_a_query_without_relevant_items() -> None:
    arguments = GOOD, [[0]], [[1], [0]]
    assert average_precision_from_neighbours(*arguments, bits=3).tolist() == [0.0]
    assert average_precision_from_neighbours(*arguments, bits=3, empty="skip").tolist() == []
    with pytest.raises(HashprobeError, match="1 of 1 queries have no relevant item"):
        average_precision_from_neighbours(*arguments, bits=3, empty="error")


@pytest.mark.parametrize("missed", [-1, 0.5, [1, 2, 3]])
def test_missed_is_a_whole_number_a_query(missed: Any) -> None:
    with pytest.raises(
        HashprobeError, match=r"missed must be a whole number of at least 0, or one for each of 1"
    ):
        retrieval.LevelCounts(np.ones((1, 4), int), np.zeros((1, 4), int), missed)
