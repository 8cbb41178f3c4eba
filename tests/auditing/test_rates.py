"""Operating points beside what counting one by one finds, and what must hold of any of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.auditing.rates import curve, hardest, largest_allowed, pair_curve, wilson
from hashprobe.errors import HashprobeError

BITS = 9
DISTANCES = st.lists(st.integers(0, BITS), min_size=1, max_size=12)


def test_wilson_is_as_published() -> None:
    low, high = wilson([0, 5, 10], 10)
    np.testing.assert_allclose(low, [0, 0.2366, 0.7225], atol=5e-5)
    np.testing.assert_allclose(high, [0.2775, 0.7634, 1], atol=5e-5)


@given(DISTANCES)
def test_a_curve_counts_those_beyond_or_within_each_threshold(distances: list[int]) -> None:
    found = {measure: curve(measure, distances, BITS) for measure in ("evasion", "collision")}  # type: ignore[arg-type]
    for threshold in range(BITS + 1):
        beyond = sum(distance > threshold for distance in distances)
        assert found["evasion"].counts[threshold] == beyond
        assert found["collision"].counts[threshold] == len(distances) - beyond
    for measure, sign in (("evasion", -1), ("collision", 1)):
        own = found[measure]
        for ends in (own.rates, own.low, own.high):
            assert (sign * np.diff(ends) >= -1e-12).all(), f"{measure} is monotone in the threshold"
        assert (own.low <= own.rates).all()
        assert (own.rates <= own.high).all()
    lines = found["evasion"].lines()
    assert [line["threshold"] for line in lines] == list(range(BITS + 1))
    assert lines[0]["count"] == sum(distance > 0 for distance in distances)


@given(st.integers(0, 2**32 - 1))
def test_pairs_are_counted_as_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    far = rng.integers(0, BITS + 1, (4, 6))
    levels = np.stack([np.bincount(row, minlength=BITS + 1) for row in far])
    found = pair_curve(levels, seed=0)
    assert found.of == far.size
    assert found.counts.tolist() == [(far <= threshold).sum() for threshold in range(BITS + 1)]
    assert (np.diff(found.rates) >= 0).all()
    assert (found.low <= found.rates).all()
    assert (found.rates <= found.high).all()


def test_no_pair_that_matches_has_an_upper_end_of_as_many_as_share_no_picture() -> None:
    levels = np.zeros((20, BITS + 1), dtype=np.int64)
    levels[:, 5] = 19
    found = pair_curve(levels, seed=0)
    assert found.high[0] == pytest.approx(wilson(0, 10)[1])
    levels[:, 5], levels[0, 5], levels[0, 2] = 19, 18, 1
    assert pair_curve(levels, seed=0).high[1] < 0.02, "what bounds a larger threshold bounds a smaller one"
    levels[0, 5], levels[0, 2] = 19, 0
    assert (found.low[5], found.high[5]) == (1, 1)
    with pytest.raises(HashprobeError, match="no two pictures are unrelated"):
        pair_curve(np.zeros((2, BITS + 1), dtype=np.int64), seed=0)


@given(DISTANCES, DISTANCES, DISTANCES, st.floats(0, 1))
def test_the_hardest_threshold_is_found_by_trying_all(
    own: list[int], others: list[int], strangers: list[int], limit: float
) -> None:
    evasion, collision = curve("evasion", own, BITS).rates, curve("collision", others, BITS).rates
    false = curve("collision", strangers, BITS).rates
    tried = [
        (max(evasion[threshold], collision[threshold]), -threshold)
        for threshold in range(BITS + 1)
        if false[threshold] <= limit
    ]
    found = hardest(false, [evasion, collision], limit)
    if not tried:
        assert found is None
        assert largest_allowed(false, limit) is None
        return
    assert found == (-min(tried)[1], min(tried)[0])
    assert largest_allowed(false, limit) == len(tried) - 1


def test_nothing_has_no_rate() -> None:
    with pytest.raises(HashprobeError, match="no rate of evasion"):
        curve("evasion", [], BITS)
    with pytest.raises(HashprobeError, match="lie in 0 to 9; found 11"):
        curve("evasion", [11], BITS)
    assert curve("evasion", [10, 3], BITS).counts.tolist() == [2] * 3 + [1] * 7, "found at no threshold"
    assert hardest(np.zeros(3), [], 0.5) is None
