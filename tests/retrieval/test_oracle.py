"""Every metric against the enumeration of all tie orders."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashprobe import retrieval
from retrieval import plain


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Few bits and few items: ties, duplicates, queries without relevant items, one query, one item."""
    bits = draw(st.sampled_from([1, 2, 3, 9, 130]))
    classes = draw(st.sampled_from([1, 2, 9]))
    queries, items = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    words = st.integers(0, 2 ** min(bits, 3) - 1)  # only the last three bits vary, so that codes repeat

    def codes(count: int) -> np.ndarray:
        values = np.array(draw(st.lists(words, min_size=count, max_size=count)))
        ones = (values[:, None] >> np.arange(bits - 1, -1, -1).clip(max=62)) & 1
        return (2 * ones - 1).astype(np.int8)

    def labels(count: int) -> np.ndarray:
        row = st.lists(st.integers(0, 1), min_size=classes, max_size=classes)
        return np.array(draw(st.lists(row, min_size=count, max_size=count)), dtype=np.uint8)

    return {
        "queries": codes(queries),
        "database": codes(items),
        "query_labels": labels(queries),
        "database_labels": labels(items),
    }


def packed(case: dict[str, Any]) -> tuple[Any, ...]:
    return (
        retrieval.pack(case["queries"]),
        retrieval.pack(case["database"]),
        case["query_labels"],
        case["database_labels"],
    )


def rankings(case: dict[str, Any], query: int) -> list[list[bool]]:
    distances, relevant = plain.distances_and_relevance(**case)
    return [[bool(relevant[query, item]) for item in order] for order in plain.tie_orders(distances[query])]


@settings(max_examples=60)
@given(cases(), st.sampled_from([None, 1, 2, 3, 7]))
def test_average_precision_is_the_mean_over_all_tie_orders(case: dict[str, Any], k: int | None) -> None:
    bits = case["queries"].shape[1]
    got = {
        ties: retrieval.average_precision(*packed(case), bits=bits, ties=ties, top_k=k)
        for ties in ("expected", "optimistic", "pessimistic")
    }
    for query in range(len(case["queries"])):
        values = [plain.average_precision(ranked, k) for ranked in rankings(case, query)]
        assert got["expected"][query] == pytest.approx(np.mean(values), abs=1e-13)
        assert got["optimistic"][query] == pytest.approx(max(values), abs=1e-13)
        assert got["pessimistic"][query] == pytest.approx(min(values), abs=1e-13)


@settings(max_examples=60)
@given(cases(), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_precision_and_recall_at_n_are_means_over_all_tie_orders(case: dict[str, Any], ns: list[int]) -> None:
    bits = case["queries"].shape[1]
    counts = retrieval.count_levels(*packed(case), bits=bits)
    for query in range(len(case["queries"])):
        ranked = rankings(case, query)
        hits = np.array([[sum(one[:n]) for n in ns] for one in ranked])
        total = max(sum(ranked[0]), 1)
        for ties, wanted in (
            ("expected", hits.mean(axis=0)),
            ("optimistic", hits.max(axis=0)),
            ("pessimistic", hits.min(axis=0)),
        ):
            precision = retrieval.precision_at(counts, ns, ties=ties)[query]  # type: ignore[arg-type]
            recall = retrieval.recall_at(counts, ns, ties=ties)[query]  # type: ignore[arg-type]
            np.testing.assert_allclose(precision, wanted / ns, atol=1e-13)
            np.testing.assert_allclose(recall, wanted / total, atol=1e-13)


RECALLS = [Fraction(0), Fraction(7, 100), Fraction(1, 4), Fraction(1, 2), Fraction(4, 5), Fraction(1)]


def ranks_at_recalls(ranked: list[bool]) -> tuple[list[int], list[int]]:
    """Walk a ranking to each recall: the hits up to there, and the place."""
    total, hits, places = sum(ranked), [], []
    for recall in RECALLS:
        place = next(n for n in range(1, len(ranked) + 1) if sum(ranked[:n]) >= recall * total)
        hits.append(sum(ranked[:place]))
        places.append(place)
    return hits, places


@settings(max_examples=60)
@given(cases())
def test_precision_at_a_recall_counts_whole_hits_in_every_tie_order(case: dict[str, Any]) -> None:
    bits = case["queries"].shape[1]
    counts = retrieval.count_levels(*packed(case), bits=bits)
    policies = ("expected", "optimistic", "pessimistic")
    wanted: dict[str, list[np.ndarray]] = {ties: [] for ties in policies}
    for query in range(len(case["queries"])):
        orders = rankings(case, query)
        if not any(orders[0]):
            continue
        hits, ranks = np.array([ranks_at_recalls(ranked) for ranked in orders]).transpose(1, 0, 2)
        wanted["expected"].append((hits / ranks).mean(axis=0))
        wanted["optimistic"].append((hits / ranks).max(axis=0))
        wanted["pessimistic"].append((hits / ranks).min(axis=0))
    grid = [float(recall) for recall in RECALLS]
    for ties in policies:
        values = retrieval.precision_at_recall(counts, grid, ties=ties)  # type: ignore[arg-type]
        assert values.shape == (len(wanted[ties]), len(grid))
        recall, precision = retrieval.precision_recall_curve(counts, grid, ties=ties)  # type: ignore[arg-type]
        assert recall.tolist() == grid
        if wanted[ties]:
            np.testing.assert_allclose(values, wanted[ties], atol=1e-13)
            np.testing.assert_allclose(precision, np.mean(wanted[ties], axis=0), atol=1e-13)
        else:
            assert precision.tolist() == [0.0] * len(grid)


@settings(max_examples=40)
@given(cases())
def test_precision_within_a_radius_takes_levels_whole(case: dict[str, Any]) -> None:
    bits = case["queries"].shape[1]
    distances, relevant = plain.distances_and_relevance(**case)
    counts = retrieval.count_levels(*packed(case), bits=bits)
    for radius in {0, 1, bits}:
        near = distances <= radius
        wanted = (near & relevant).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
        got = retrieval.precision_within_radius(counts, [radius])[:, 0]
        np.testing.assert_allclose(got, wanted, atol=1e-15)


@settings(max_examples=40)
@given(cases(), st.integers(1, 9))
def test_database_order_is_a_stable_sort(case: dict[str, Any], k: int) -> None:
    bits = case["queries"].shape[1]
    distances, relevant = plain.distances_and_relevance(**case)
    order = np.argsort(distances, axis=1, kind="stable")
    values = retrieval.average_precision(*packed(case), bits=bits, ties="order")
    at_k = retrieval.average_precision(*packed(case), bits=bits, ties="order", top_k=k)
    counts = retrieval.count_levels_in_order(*packed(case), bits=bits)
    ns, grid = [k, 1, k + 2], [float(recall) for recall in RECALLS[::-1]]
    precision = retrieval.precision_at(counts, ns, ties="order")
    recall = retrieval.recall_at(counts, ns, ties="order")
    at_recall = retrieval.precision_at_recall(counts, grid, ties="order", empty="count_as_zero")
    ids, near = retrieval.top_k(*packed(case)[:2], k, bits=bits)
    np.testing.assert_array_equal(ids, order[:, :k])
    np.testing.assert_array_equal(near, np.take_along_axis(distances, order, axis=1)[:, :k])
    for query in range(len(case["queries"])):
        ranked = [bool(hit) for hit in relevant[query, order[query]]]
        assert values[query] == pytest.approx(plain.average_precision(ranked), abs=1e-14)
        assert at_k[query] == pytest.approx(plain.average_precision(ranked, k), abs=1e-14)
        hits = np.array([sum(ranked[:n]) for n in ns])
        np.testing.assert_array_equal(precision[query], hits / ns)
        np.testing.assert_array_equal(recall[query], hits / max(sum(ranked), 1))
        found, ranks = ranks_at_recalls(ranked) if any(ranked) else (np.zeros(len(grid)), np.ones(len(grid)))
        np.testing.assert_array_equal(at_recall[query][::-1], np.divide(found, ranks))
