"""The paired bootstrap and Holm's correction: closed forms, properties, and a slow reading of both."""

from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashprobe.errors import HashprobeError
from hashprobe.results import holm, paired_bootstrap

P_VALUES = st.lists(st.floats(0, 1), max_size=12)
DIFFERENCES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30)


def test_equal_scores_differ_in_nothing_and_a_constant_difference_is_as_sure_as_can_be() -> None:
    (none,) = paired_bootstrap(np.zeros(20), resamples=500)
    assert (none.mean, none.low, none.high, none.p) == (0.0, 0.0, 0.0, 1.0)
    (sure,) = paired_bootstrap(np.full(20, 0.25), resamples=500)
    assert (sure.mean, sure.low, sure.high) == (0.25, 0.25, 0.25)
    assert sure.p == 1 / 501


def test_the_interval_is_that_of_the_normal_for_many_queries() -> None:
    values = np.random.default_rng(0).normal(0.03, 0.2, 2000)
    (found,) = paired_bootstrap(values)
    half = 1.96 * values.std() / 2000**0.5
    assert [found.low, found.high] == pytest.approx(
        [values.mean() - half, values.mean() + half], abs=0.05 * half
    )
    assert found.p < 0.001


def test_the_p_value_is_the_exact_share_over_all_draws() -> None:
    """Of four queries there are 256 draws; each is as likely as another."""
    values = np.array([0.5, 0.1, -0.2, 0.3])
    means = np.array([values[list(rows)].mean() for rows in product(range(4), repeat=4)])
    exact = (np.abs(means - values.mean()) >= abs(values.mean()) - 1e-12).mean()
    (found,) = paired_bootstrap(values, resamples=40_000)
    assert found.p == pytest.approx(exact, abs=0.01)
    assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.026)


def test_no_difference_is_called_one_in_about_its_share_of_tables() -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, (300, 100))
    p = np.array([found.p for found in paired_bootstrap(noise, resamples=500)])
    assert 0.02 < (p < 0.05).mean() < 0.09


@given(DIFFERENCES)
@settings(max_examples=60, deadline=None)
def test_p_is_a_probability_and_the_sign_does_not_matter(values: list[float]) -> None:
    forth, back = paired_bootstrap([values, [-value for value in values]], resamples=200)
    assert 0 < forth.p <= 1
    assert forth.low <= forth.high
    assert back.mean == pytest.approx(-forth.mean, abs=1e-12)
    alone = paired_bootstrap(values, resamples=200)[0]  # the same but for the order in which sums are rounded
    assert astuple(alone) == pytest.approx(astuple(forth), abs=1e-12)


@given(DIFFERENCES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_queries_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert paired_bootstrap(values, resamples=200) == paired_bootstrap(shuffled, resamples=200)


def test_pairs_do_not_know_of_one_another() -> None:
    values = np.random.default_rng(0).normal(0, 0.2, (5, 40))
    together = paired_bootstrap(values, resamples=300)
    alone = [paired_bootstrap(own, resamples=300)[0] for own in values]
    assert [one.p for one in together] == [one.p for one in alone]
    assert [one.low for one in together] == pytest.approx([one.low for one in alone])


@pytest.mark.parametrize("values", [[], [[]], [float("nan")], [[0.1, float("inf")]]])
def test_what_is_no_difference_is_refused(values: list[float]) -> None:
    with pytest.raises(HashprobeError, match="differences must be finite, one a query"):
        paired_bootstrap(values)


def test_holm_by_hand() -> None:
    assert holm([]) == []
    assert holm([0.04]) == [0.04]
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    with pytest.raises(HashprobeError, match=r"must lie in \[0, 1\]"):
        holm([0.5, 1.5])


def slow_holm(p_values: list[float]) -> list[float]:
    """Each by its definition: the largest of (how many are left) · p over all that are no larger, at most 1."""
    order = sorted(range(len(p_values)), key=lambda place: (p_values[place], place))
    corrected = []
    for place in range(len(p_values)):
        rank = order.index(place)
        steps = [(len(p_values) - step) * p_values[order[step]] for step in range(rank + 1)]
        corrected.append(min(1.0, max(steps)))
    return corrected


@given(P_VALUES)
def test_holm_is_its_definition(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(slow_holm(p_values))


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_keeps_the_order_never_lowers_and_goes_with_its_values(
    p_values: list[float], random: object
) -> None:
    corrected = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, corrected, strict=True))
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert all(a[1] <= b[1] for a, b in pairwise(pairs))
    order = list(range(len(p_values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert sorted(holm([p_values[place] for place in order])) == sorted(corrected)
