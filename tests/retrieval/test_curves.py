"""The curves: whole hits, per-query values, policies for queries without relevant items."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval.metrics.ties import harmonic_difference, harmonic_mean_rank
from retrieval import plain


def levels(items: list[list[int]], relevant: list[list[int]]) -> retrieval.LevelCounts:
    return retrieval.LevelCounts(np.array(items, dtype=np.int64), np.array(relevant, dtype=np.int64))


def test_one_relevant_item_at_rank_two_has_precision_one_half_at_every_recall_but_0() -> None:
    recall, precision = retrieval.precision_recall_curve(levels([[1, 1, 3]], [[0, 1, 0]]))
    assert len(recall) == 101
    assert precision[0] == 0  # the first rank, which is no hit
    assert (precision[1:] == 0.5).all()


def test_rounding_demands_no_hit_more() -> None:
    """0.07 x 100 and 0.29 x 100 are not whole in floating point; every hundredth of 100 items is."""
    ranks = np.arange(1, 101)
    counts = levels([[1, 1] * 100], [[0, 1] * 100])  # the m-th relevant item at rank 2 m, no ties
    np.testing.assert_array_equal(retrieval.precision_recall_curve(counts)[1][1:], 0.5)
    gaps = levels([[int(n) for n in ranks]], [[1] * 100])  # one relevant item a level, of 1 ... 100 items
    precision = retrieval.precision_at_recall(gaps, ranks / 100, ties="pessimistic")
    np.testing.assert_array_equal(precision[0], ranks / np.cumsum(ranks))


def test_points_of_the_curve_have_values_for_each_query() -> None:
    counts = levels([[1, 1, 2], [2, 1, 1], [1, 1, 2]], [[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    grid = [0.5, 1.0]
    values = retrieval.precision_at_recall(counts, grid, ties="pessimistic")
    assert values.tolist() == [[1.0, 0.5], [0.5, 0.5]]
    assert retrieval.precision_recall_curve(counts, grid, ties="pessimistic")[1].tolist() == [0.75, 0.5]
    low, high = retrieval.bootstrap_interval(values[:, 0], seed=0)
    assert (low, high) == (0.5, 1.0)
    zero = retrieval.precision_at_recall(counts, grid, ties="pessimistic", empty="count_as_zero")
    assert zero.tolist() == [[1.0, 0.5], [0.0, 0.0], [0.5, 0.5]]
    mean = retrieval.precision_recall_curve(counts, grid, ties="pessimistic", empty="count_as_zero")[1]
    assert mean.tolist() == [0.5, pytest.approx(1 / 3)]
    with pytest.raises(HashprobeError, match=r"1 of 3 queries have no relevant item .* query 1"):
        retrieval.precision_recall_curve(counts, grid, empty="error")


def test_queries_without_relevant_items_in_precision_and_radius() -> None:
    counts = levels([[2, 2], [1, 3]], [[1, 1], [0, 0]])
    assert retrieval.precision_at(counts, 2).tolist() == [[0.5], [0.0]]
    assert retrieval.precision_at(counts, 2, empty="skip").tolist() == [[0.5]]
    assert retrieval.recall_at(counts, 2).tolist() == [[0.5], [0.0]]
    assert retrieval.precision_within_radius(counts, 0).tolist() == [[0.5], [0.0]]
    assert retrieval.precision_within_radius(counts, [0, 1], empty="skip").tolist() == [[0.5, 0.5]]
    with pytest.raises(HashprobeError, match="1 of 2 queries have no relevant item"):
        retrieval.precision_within_radius(counts, 0, empty="error")
    with pytest.raises(HashprobeError, match="1 of 2 queries have no relevant item"):
        retrieval.precision_at(counts, 2, empty="error")


@pytest.mark.parametrize("threads", [1, 3])
def test_curves_in_order_over_blocks_and_threads(small_blocks: None, threads: int) -> None:
    case = plain.random_case(1, queries=20, items=100, bits=6, classes=5, density=0.2)
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    labels = case["query_labels"], case["database_labels"]
    counts = retrieval.count_levels_in_order(*codes, *labels, bits=6, threads=threads)
    distances, relevant = plain.distances_and_relevance(**case)
    ranked = np.take_along_axis(relevant, np.argsort(distances, axis=1, kind="stable"), axis=1)
    found = np.cumsum(ranked, axis=1)
    ns = [1, 7, 8, 64, 100, 120]
    precision = retrieval.precision_at(counts, ns, ties="order")
    np.testing.assert_array_equal(precision, found[:, np.minimum(ns, 100) - 1] / ns)
    some = found[:, -1] > 0
    assert 0 < some.sum() < 20, "the case must have queries without relevant items"
    grid = np.arange(101) / 100
    hits = [[-(-percent * int(total) // 100) for percent in range(101)] for total in found[some, -1]]
    ranks = [np.searchsorted(row, wanted) + 1 for row, wanted in zip(found[some], hits, strict=True)]
    values = retrieval.precision_at_recall(counts, grid, ties="order")
    np.testing.assert_array_equal(values[:, 1:], np.divide(hits, ranks)[:, 1:])
    np.testing.assert_array_equal(values[:, 0], found[some, 0])
    _, curve = retrieval.precision_recall_curve(counts, ties="order")
    np.testing.assert_allclose(curve, values.mean(axis=0), atol=1e-14)
    repeated = retrieval.precision_at_recall(counts, [1.0, 0.5, 1.0], ties="order")
    np.testing.assert_array_equal(repeated, values[:, [100, 50, 100]])


@pytest.mark.parametrize("behind", [0, 3, 20_000])
@pytest.mark.parametrize(("n", "r"), [(1, 1), (7, 7), (900, 1), (5000, 60), (3000, 2900)])
def test_the_harmonic_mean_rank_is_the_sum_over_all_places(behind: int, n: int, r: int) -> None:
    """The j-th of r stands at place p in C(p - 1, j - 1) C(n - p, r - j) of C(n, r) orders."""
    for j in {1, (r + 1) // 2, r}:
        orders = {p: math.comb(p - 1, j - 1) * math.comb(n - p, r - j) for p in range(j, n - r + j + 1)}
        total = math.comb(n, r)
        assert sum(orders.values()) == total
        wanted = math.fsum(Fraction(count, total) / (behind + p) for p, count in orders.items())
        assert 1 / harmonic_mean_rank(behind, n, r, j) == pytest.approx(wanted, rel=1e-13, abs=0)


def test_the_harmonic_mean_rank_in_a_level_of_a_whole_database() -> None:
    """One relevant item among ten million stands at any place alike."""
    n = 10_000_000
    assert 1 / harmonic_mean_rank(0, n, 1, 1) == pytest.approx(harmonic_difference(0, n) / n, rel=1e-12)
