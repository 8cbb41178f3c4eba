"""The curves: whole hits, per-query values, policies for queries without relevant items."""

from __future__ import annotations

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.errors import HashprobeError


def levels(items: list[list[int]], relevant: list[list[int]]) -> retrieval.LevelCounts:
    return retrieval.LevelCounts(np.array(items, dtype=np.int64), np.array(relevant, dtype=np.int64))


def test_one_relevant_item_at_rank_two_has_precision_one_half_at_every_recall() -> None:
    recall, precision = retrieval.precision_recall_curve(levels([[1, 1, 3]], [[0, 1, 0]]))
    assert len(recall) == 101
    assert (precision == 0.5).all()


def test_rounding_demands_no_hit_more() -> None:
    """0.07 x 100 and 0.29 x 100 are not whole in floating point; every hundredth of 100 items is."""
    ranks = np.arange(1, 101)
    counts = levels([[1, 1] * 100], [[0, 1] * 100])  # the m-th relevant item at rank 2 m, no ties
    np.testing.assert_array_equal(retrieval.precision_recall_curve(counts)[1], 0.5)
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
