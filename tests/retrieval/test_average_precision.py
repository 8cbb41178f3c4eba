"""Published numbers, chance, empty queries and the precision of the closed forms."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval.metrics.ties import harmonic_difference
from retrieval import plain


@pytest.mark.parametrize("k", [None, 1, 10, 100, 5000])
def test_as_published_equals_a_plain_implementation(k: int | None) -> None:
    case = plain.random_case(0, queries=30, items=700, bits=12, classes=6, density=0.1)
    assert (case["query_labels"].sum(axis=1) == 0).any(), "the case must have queries without a label"
    wanted = plain.published_map(**case, k=len(case["database"]) if k is None else k)
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    labels = case["query_labels"], case["database_labels"]
    got = retrieval.average_precision(*codes, *labels, bits=12, mode="as_published", top_k=k).mean()
    assert got == pytest.approx(wanted, abs=1e-12)


def test_without_a_cut_as_published_is_database_order() -> None:
    case = plain.random_case(1, queries=10, items=100, bits=6, classes=4)
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    labels = case["query_labels"], case["database_labels"]
    np.testing.assert_array_equal(
        retrieval.average_precision(*codes, *labels, bits=6, mode="as_published"),
        retrieval.average_precision(*codes, *labels, bits=6, ties="order"),
    )


@pytest.mark.parametrize(("items", "relevant"), [(1, 1), (1, 0), (2, 1), (5, 2), (6, 3), (6, 6)])
@pytest.mark.parametrize("k", [None, 1, 2, 5, 9])
def test_chance_is_the_mean_over_all_rankings(items: int, relevant: int, k: int | None) -> None:
    marks = [True] * relevant + [False] * (items - relevant)
    values = [plain.average_precision(list(order), k) for order in itertools.permutations(marks)]
    labels = np.array(marks, dtype=np.uint8)[:, None]
    assert retrieval.chance_level([[1]], labels, top_k=k)[0] == pytest.approx(np.mean(values), abs=1e-14)


def test_chance_is_the_formula() -> None:
    items, relevant, k = 1000, 40, 100
    slope = Fraction(relevant - 1, items - 1)
    harmonic = sum(Fraction(1, place) for place in range(1, k + 1))
    wanted = relevant * (slope * k + (1 - slope) * harmonic) / (items * min(relevant, k))
    labels = (np.arange(items) < relevant)[:, None]
    assert retrieval.chance_level([[1]], labels, top_k=k)[0] == pytest.approx(float(wanted), rel=1e-13)


def test_chance_leaves_out_the_queries_that_the_map_leaves_out() -> None:
    labels = [[1, 0], [1, 0], [0, 0]]
    assert retrieval.chance_level([[1, 0], [0, 1]], labels)[1] == 0
    assert len(retrieval.chance_level([[1, 0], [0, 1]], labels, empty="skip")) == 1
    with pytest.raises(HashprobeError, match="1 of 2 queries have no relevant item"):
        retrieval.chance_level([[1, 0], [0, 1]], labels, empty="error")


def test_chance_is_the_mean_over_random_rankings() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random((400, 3)) < [0.02, 0.2, 0.7]).astype(np.uint8)
    chance = retrieval.chance_level(np.eye(3, dtype=np.uint8), labels)
    for column in range(3):
        values = [
            plain.average_precision([bool(hit) for hit in generator.permutation(labels[:, column])])
            for _ in range(400)
        ]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - chance[column]) < 4 * error


def test_policies_for_queries_without_relevant_items() -> None:
    codes = retrieval.pack([[1, 1], [1, -1], [-1, -1]])
    labels, database_labels = np.array([[1, 0], [0, 0], [0, 1]]), np.array([[1, 0], [1, 0], [0, 1]])
    arguments = (codes, codes, labels, database_labels)
    zero = retrieval.average_precision(*arguments, bits=2)
    assert zero.tolist() == [1.0, 0.0, 1.0]
    assert retrieval.average_precision(*arguments, bits=2, empty="skip").tolist() == [1.0, 1.0]
    with pytest.raises(HashprobeError, match=r"1 of 3 queries have no relevant item .* query 1; use"):
        retrieval.average_precision(*arguments, bits=2, empty="error")
    counts = retrieval.count_levels(*arguments, bits=2)
    assert retrieval.recall_at(counts, [3]).ravel().tolist() == [1.0, 0.0, 1.0]
    assert retrieval.recall_at(counts, [3], empty="skip").ravel().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("start", [0, 1, 5, 63, 64, 65, 1000, 10**7, 10**9])
@pytest.mark.parametrize("count", [0, 1, 2, 60, 300])
def test_harmonic_differences_are_exact(start: int, count: int) -> None:
    wanted = float(sum(Fraction(1, start + place) for place in range(1, count + 1)))
    got = harmonic_difference(start, count)
    assert got == pytest.approx(wanted, rel=1e-13, abs=0)


def test_a_level_deep_in_a_large_database_keeps_its_digits() -> None:
    """Two relevant items at the end of ten million: exact fractions against the closed form."""
    behind, level = 10_000_000, 3
    counts = retrieval.LevelCounts(np.array([[behind, level]]), np.array([[0, 2]]))
    wanted = sum(
        Fraction(2, level) * (1 + Fraction(place - 1, level - 1)) / (behind + place)
        for place in range(1, level + 1)
    )
    got = retrieval.average_precision_from_counts(counts)[0]
    assert got == pytest.approx(float(wanted / 2), rel=1e-8)


def test_order_of_the_policies() -> None:
    case = plain.random_case(2, queries=20, items=300, bits=8, classes=4)
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    labels = case["query_labels"], case["database_labels"]
    worst, mean, given, best = (
        retrieval.average_precision(*codes, *labels, bits=8, ties=ties)  # type: ignore[arg-type]
        for ties in ("pessimistic", "expected", "order", "optimistic")
    )
    assert (worst <= mean).all()
    assert (mean <= best).all()
    assert (worst <= given).all()
    assert (given <= best).all()
    assert (worst < best).any()


def test_the_bootstrap_interval_is_seeded_and_covers_the_mean() -> None:
    values = np.random.default_rng(0).random(200)
    low, high = retrieval.bootstrap_interval(values, seed=3)
    assert (low, high) == retrieval.bootstrap_interval(values, seed=3)
    assert (low, high) != retrieval.bootstrap_interval(values, seed=4)
    assert low < values.mean() < high
    # The normal approximation of the same interval.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.1)
    narrow = retrieval.bootstrap_interval(values, seed=3, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert retrieval.bootstrap_interval([0.5], seed=0) == (0.5, 0.5)


def test_the_bootstrap_takes_a_tensor_with_gradient() -> None:
    values = torch.linspace(0, 1, 20, dtype=torch.float64, requires_grad=True)
    wanted = retrieval.bootstrap_interval(values.detach().numpy(), seed=0)
    assert retrieval.bootstrap_interval(values, seed=0) == wanted


def test_a_rank_may_be_any_kind_of_integer() -> None:
    case = plain.random_case(0, queries=4, items=30, bits=12, classes=5)
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    arguments = (*codes, case["query_labels"], case["database_labels"])
    wanted = retrieval.average_precision(*arguments, bits=12, top_k=7)
    for top_k in (np.uint8(7), np.uint64(7)):
        found = retrieval.average_precision(*arguments, bits=12, top_k=top_k)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, wanted)
