"""Whether two attacks differ: a paired bootstrap over the same queries, and Holm's correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, check_whole_number

RESAMPLES = 10_000
"""So many that, with Holm's correction, the smallest p-value of a table of 500 rows still is below 0.05."""
LEVEL = 0.05
_DRAWN_AT_ONCE = 2_000_000
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """By how much one score exceeds another over the same queries.

    Attributes:
        mean: Difference of the two means.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Two-sided p-value of there being no difference, in (0, 1].
    """

    mean: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    differences: npt.ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES
) -> list[Difference]:
    """Compare pairs of score lists, query by query: queries are drawn anew, with replacement, with both of their scores.

    The interval is the percentile interval of the mean difference. The p-value is the share of resampled means that are as far
    from the mean that was found as that mean is from 0: the distribution of the mean is moved to where there is no difference
    (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, section 16.4). One resample more than were drawn is counted
    for it, so that it is never 0. All pairs see the same draws, and the order of the queries does not matter.

    Args:
        differences: First score less the second, of each query: ``(n,)``, or ``(m, n)`` for m pairs over the same queries.
        seed: Of the draws, at least 0.
        resamples: How many times the queries are drawn.

    Returns:
        One difference a pair.

    Raises:
        HashprobeError: no queries, or a value that is no finite number.
    """
    given = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    if given.ndim != 2 or not given.shape[1] or not np.isfinite(given).all():
        raise HashprobeError(
            f"differences must be finite, one a query, of shape (n,) or (m, n); found {given.shape}."
        )
    check_whole_number("resamples", resamples, least=1)
    values = np.sort(given, axis=1)
    means = values.mean(axis=1)
    count, generator = values.shape[1], np.random.default_rng(check_whole_number("seed", seed, least=0))
    resampled = np.empty((resamples, len(values)))
    at_once = max(1, _DRAWN_AT_ONCE // count)
    for start in range(0, resamples, at_once):
        some = min(at_once, resamples - start)
        drawn = generator.integers(0, count, (some, count)) + count * np.arange(some)[:, None]
        times = np.bincount(drawn.ravel(), minlength=some * count).reshape(some, count)
        resampled[start : start + some] = times.astype(np.float64) @ values.T / count
    as_far = np.abs(resampled - means) >= np.abs(means) - _ROUNDING
    p = (1 + as_far.sum(axis=0)) / (1 + resamples)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    columns = (means, low, high, p)
    return [Difference(*map(float, own)) for own in zip(*columns, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in their order (Holm, Scand. J. Statistics 1979).

    The smallest is multiplied by their number m, the next by m − 1 and so on; none is smaller than one before it, nor above 1.

    Raises:
        HashprobeError: a value outside [0, 1].
    """
    given = np.asarray(p_values, dtype=np.float64)
    if not ((given >= 0) & (given <= 1)).all():
        raise HashprobeError("p-values must lie in [0, 1].")
    order = np.argsort(given, kind="stable")
    factors = len(given) - np.arange(len(given))
    corrected = np.empty(len(given))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * factors))
    return corrected.tolist()
