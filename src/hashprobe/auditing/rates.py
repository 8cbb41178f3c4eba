"""Operating points: rates at a distance threshold, over all thresholds at once, with their intervals. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import bootstrap_interval

Counts = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]

NORMAL_95 = 1.959963984540054
"""The normal distribution's quantile for an interval of 95 %."""
RESAMPLES = 500


def wilson(counts: npt.ArrayLike, of: int) -> tuple[Rates, Rates]:
    """Return the 95 % interval of a share, lower and upper ends (Wilson, JASA 1927), each of the shape of ``counts``.

    Args:
        counts: How often it happened.
        of: Out of how many, at least 1.
    """
    share, square = np.asarray(counts, dtype=np.float64) / of, NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = NORMAL_95 / (1 + square / of) * np.sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = (middle - half).clip(0, 1), (middle + half).clip(0, 1)
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)


def within(distances: npt.ArrayLike, bits: int) -> Counts:
    """Return how many distances are at most r, for r = 0 … K, int64 ``(K + 1,)``."""
    found = np.asarray(distances, dtype=np.int64)
    if found.size and not 0 <= int(found.min()) <= int(found.max()) <= bits:
        raise HashprobeError(f"Hamming distances of {bits} bits lie in 0 to {bits}; found {found.max()}.")
    return np.cumsum(np.bincount(found, minlength=bits + 1))


@dataclass(frozen=True)
class Curve:
    """How often something happens at each threshold r = 0 … K.

    Attributes:
        measure: ``evasion``: a picture's attacked copy is no longer found; ``collision``: an attacked picture is found as a
            chosen other one; ``false positive``: a pair of unrelated pictures matches; ``found unrelated``: a picture finds some
            unrelated one; ``miss``: an edited copy is no longer found.
        counts: How often, int64 ``(K + 1,)``.
        of: Out of how many.
        low: Lower ends of the 95 % intervals.
        high: Upper ends.
        about: What else tells it from others: attack, budget, questions, edit.
    """

    measure: str
    counts: Counts
    of: int
    low: Rates
    high: Rates
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def rates(self) -> Rates:
        """Shares, float64 ``(K + 1,)``."""
        return self.counts / self.of

    def lines(self) -> list[dict[str, Any]]:
        """Return a record a threshold, as ``operating_points.jsonl`` holds them."""
        return [
            {
                "measure": self.measure,
                **self.about,
                "threshold": threshold,
                "rate": round(float(self.rates[threshold]), 9),
                "low": round(float(self.low[threshold]), 9),
                "high": round(float(self.high[threshold]), 9),
                "count": int(self.counts[threshold]),
                "of": self.of,
            }
            for threshold in range(len(self.counts))
        ]


def curve(
    measure: Literal["evasion", "collision", "found unrelated", "miss"],
    distances: Sequence[int] | npt.NDArray[np.int64],
    bits: int,
    **about: Any,
) -> Curve:
    """Return a curve of pictures, each of which counts once; intervals are Wilson's.

    Args:
        measure: Of ``evasion`` and ``miss`` those beyond r count, of the others those within.
        distances: Of each picture: from its own stored code, from the chosen other's, or from the nearest unrelated one's.
            ``bits + 1`` is found at no threshold.
        bits: The largest threshold.
        about: What else is known of it.

    Raises:
        HashprobeError: there are none.
    """
    if not len(distances):
        raise HashprobeError(f"no picture was measured, so there is no rate of {measure}.")
    far, of = np.asarray(distances, dtype=np.int64), len(distances)
    counts = within(far[far != bits + 1], bits)
    if measure in ("evasion", "miss"):
        counts = of - counts
    return Curve(measure, counts, of, *wilson(counts, of), about)


def pair_curve(levels: Counts, *, seed: int) -> Curve:
    """Return how many pairs of unrelated pictures match, from how many lie at each distance of each picture asked about.

    Pairs that share a picture are not independent, so the interval is the bootstrap's over the pictures asked about. Where no
    pair matches it says nothing; the upper end then is Wilson's for as many pairs as have no picture in common.

    Args:
        levels: ``(n, K + 1)``: of each picture, how many unrelated ones lie at distance r.
        seed: Of the bootstrap.

    Raises:
        HashprobeError: there is no pair.
    """
    shown, totals = np.cumsum(levels, axis=1), levels.sum(axis=1)
    counts, of = shown.sum(axis=0), int(totals.sum())
    if of == 0:
        raise HashprobeError(
            "no two pictures are unrelated, so there are no false positives to count; give pictures of more than one class."
        )
    with np.errstate(invalid="ignore"):
        shares = np.nan_to_num(shown / totals[:, None])[totals > 0]
    low, high = np.zeros(len(counts)), np.zeros(len(counts))
    for threshold in range(len(counts)):
        if counts[threshold] == 0:
            high[threshold] = wilson(0, max(1, len(shares) // 2))[1]
        elif counts[threshold] == of:
            low[threshold], high[threshold] = 1.0, 1.0
        else:
            ends = bootstrap_interval(shares[:, threshold], seed=abs(seed), resamples=RESAMPLES)
            rate = counts[threshold] / of
            low[threshold], high[threshold] = min(ends[0], rate), max(ends[1], rate)
    # Rates rise with the threshold, so what bounds one from above bounds those before it, and from below those behind it.
    low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
    return Curve("false positive", counts, of, low, high)


def largest_allowed(false_positives: Rates, limit: float) -> int | None:
    """Return the largest threshold at which the share of false positives is at most ``limit``; ``None`` where none is."""
    allowed = np.flatnonzero(false_positives <= limit)
    return int(allowed[-1]) if len(allowed) else None


def hardest(false_positives: Rates, attacks: Sequence[Rates], limit: float) -> tuple[int, float] | None:
    """Return the threshold that costs the attacker most, and the share of pictures that the best attack there succeeds on.

    Of the thresholds at which the share of false positives is at most ``limit`` it is the one at which the largest of the
    attacks' rates is least: a larger threshold makes it harder to be missed, and easier to be taken for another. Of equals it is
    the largest, which benign edits miss least.

    Args:
        false_positives: At each threshold ``(K + 1,)``.
        attacks: Of each attack, the share that it succeeds on at each threshold.
        limit: In [0, 1].

    Returns:
        ``None`` where no threshold keeps to the limit, or there is no attack.
    """
    last = largest_allowed(false_positives, limit)
    if last is None or not len(attacks):
        return None
    worst = np.max(np.stack(list(attacks))[:, : last + 1], axis=0)
    best = int(np.flatnonzero(worst == worst.min())[-1])
    return best, float(worst[best])
