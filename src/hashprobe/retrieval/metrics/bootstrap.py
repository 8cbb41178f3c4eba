"""An interval for a mean over queries."""

from __future__ import annotations

from typing import Any

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.retrieval.codes import as_array
from hashprobe.typed_values import checked

_VALUES_AT_ONCE = 1 << 20
MOST_RESAMPLES = 1_000_000


@checked
def bootstrap_interval(
    values: Any, *, seed: int, confidence: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean: queries are drawn anew, with replacement.

    It says how far the mean would move with other queries of the same kind, not with another model or
    database.

    Args:
        values: One value a query, ``(n,)``: an array, a list or a tensor.
        seed: Of the draws, at least 0; the same seed gives the same interval.
        confidence: Share of the resampled means inside, between 0 and 1.
        resamples: How many times the queries are drawn, at most a million.

    Returns:
        Lower and upper end.

    Raises:
        HashprobeError: no values, a value that is no finite number, or a setting out of range.
    """
    array = as_array(values)
    if array.dtype.kind not in "biuf":
        raise HashprobeError(f"values must be real numbers; found {array.dtype}.")
    array = array.astype(np.float64)
    if array.ndim != 1 or not array.size:
        raise HashprobeError(f"values must have shape (n,) with at least one; found {array.shape}.")
    if not np.isfinite(array).all():
        raise HashprobeError(f"values must be finite; value {int(np.argmin(np.isfinite(array)))} is not.")
    if not isinstance(confidence, int | float | np.floating) or not 0 < confidence < 1:
        raise HashprobeError(f"confidence must be a number between 0 and 1; found {confidence!r}.")
    resamples = check_whole_number("resamples", resamples, least=1, most=MOST_RESAMPLES)
    seed = check_whole_number("seed", seed, least=0)
    generator = np.random.default_rng(seed)
    rows = max(1, _VALUES_AT_ONCE // array.size)
    means = np.empty(resamples)
    for start in range(0, resamples, rows):
        drawn = generator.integers(0, array.size, (min(rows, resamples - start), array.size))
        means[start : start + rows] = array[drawn].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
