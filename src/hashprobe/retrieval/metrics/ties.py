"""What a Hamming level is worth under each way of ordering its items: closed forms, no loop over items."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.retrieval.arrays import Float64Array, Int64Array
from hashprobe.retrieval.kernel.compiled import compiled
from hashprobe.retrieval.levels import LevelCounts

# Steps smaller than this, relative to the value, end a continued fraction.
CLOSE = 1e-15

Ties = Literal["expected", "optimistic", "pessimistic", "order"]

# Up to here the harmonic numbers are summed; beyond, the terms of their expansion reach the last bit.
_SUMMED = 64
_HARMONIC = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, _SUMMED + 1))])


def check_ties(ties: str) -> None:
    """Refuse an unknown tie policy, with the nearest known one."""
    if ties not in get_args(Ties):
        raise unknown_name("tie policy", ties, get_args(Ties))


def refuse_order(ties: str, instead: str) -> None:
    """Say that counts do not know the database's order, and what does."""
    check_ties(ties)
    if ties == "order":
        raise HashprobeError(
            f"ties='order' cannot be had from these counts, which do not know the database's order; use {instead}."
        )


@compiled
def harmonic_difference(start, count):  # type: ignore[no-untyped-def]
    """Return ``1/(start + 1) + ... + 1/(start + count)`` to nearly full precision.

    A difference of tabled harmonic numbers would lose digits behind many items, and the table would be as
    long as the database; the expansion H(n) = ln n + 1/2n - 1/12n^2 + 1/120n^4 - 1/252n^6 (plus a constant)
    needs neither.
    """
    end = start + count
    middle = min(max(_SUMMED, start), end)  # the table serves up to here, the expansion from here on
    result = 0.0
    if start < middle:
        result += _HARMONIC[middle] - _HARMONIC[start]
    if middle < end:
        result += np.log1p((end - middle) / middle) + _beyond_logarithm(end) - _beyond_logarithm(middle)
    return result


@compiled
def _beyond_logarithm(n):  # type: ignore[no-untyped-def]
    """Return H(n) less ln n and Euler's constant, for n beyond the table."""
    inverse = 1.0 / n
    square = inverse * inverse
    return inverse / 2 - square * (1 / 12 - square * (1 / 120 - square / 252))


def precision_gained(counts: LevelCounts, ties: Ties, limit: int | None = None) -> Float64Array:
    """Return, for each query and level, the sum of precision@rank over the level's relevant items.

    With n items, r of them relevant, behind N items and R relevant ones, a random order puts a relevant item
    at position j with probability r / n and then (j - 1)(r - 1) / (n - 1) relevant ones before it, so that the
    expectation is the sum over j of (r / n) (R + 1 + (j - 1)(r - 1) / (n - 1)) / (N + j).

    Args:
        counts: Items by level.
        ties: ``expected``, ``optimistic`` or ``pessimistic``.
        limit: Only ranks up to it count; it may cut a level.

    Returns:
        float64 ``(n_queries, K + 1)``.
    """
    most = np.iinfo(np.int64).max if limit is None else limit
    gained: Float64Array = _gained(
        counts.items, counts.relevant, ties == "expected", ties == "optimistic", most
    )
    return gained


@compiled
def _gained(items, relevant, expected, optimistic, limit):  # type: ignore[no-untyped-def]
    gained = np.zeros(items.shape)
    for q in range(len(items)):
        behind = found = 0
        for level in range(items.shape[1]):
            n, r = items[q, level], relevant[q, level]
            if r > 0 and behind < limit:
                ranks = min(n, limit - behind)
                if expected:
                    slope = (r - 1) / max(n - 1, 1)
                    first = found + 1 - slope * (behind + 1)
                    gained[q, level] = r / n * (slope * ranks + first * harmonic_difference(behind, ranks))
                else:
                    before = 0 if optimistic else n - r
                    hits = min(max(ranks - before, 0), r)
                    offset = behind + before
                    # r relevant items in a row behind `offset` items: the j-th adds (found + j) / (offset + j).
                    gained[q, level] = hits + (found - offset) * harmonic_difference(offset, hits)
            behind += n
            found += r
    return gained


def hits_within(counts: LevelCounts, cuts: Int64Array, ties: Ties) -> Float64Array:
    """Return how many relevant items the first ranks hold; under ``expected``, on average.

    Args:
        counts: Items by level.
        cuts: Ranks ``(m,)``.
        ties: ``expected``, ``optimistic`` or ``pessimistic``.

    Returns:
        float64 ``(n_queries, m)``.
    """
    edges, found = np.cumsum(counts.items, axis=1), np.cumsum(counts.relevant, axis=1)
    last = counts.items.shape[1] - 1
    hits = np.empty((len(counts), len(cuts)))
    for q in range(len(counts)):
        level = np.minimum(np.searchsorted(edges[q], cuts), last)
        n, r = counts.items[q, level], counts.relevant[q, level]
        inside = np.minimum(cuts - (edges[q, level] - n), n)
        if ties == "expected":
            part = inside * r / np.maximum(n, 1)
        elif ties == "optimistic":
            part = np.minimum(inside, r)
        else:
            part = np.maximum(inside - (n - r), 0)
        hits[q] = found[q, level] - r + part
    return hits


def precision_at_hits(counts: LevelCounts, wanted: Int64Array, ties: Ties) -> Float64Array:
    """Return the precision at the rank of each query's m-th relevant item; under ``expected``, on average.

    The j-th of r relevant items among n of a level stands at position j at best and at position n - r + j at worst. For the
    mean over the orders see :func:`harmonic_mean_rank`.

    Args:
        counts: Items by level.
        wanted: Which relevant item, counted from 1, ``(n_queries, m)``, ascending along a row.
        ties: ``expected``, ``optimistic`` or ``pessimistic``.

    Returns:
        float64 ``(n_queries, m)``; 0 where there are not as many.
    """
    precision: Float64Array = _precision_at_hits(
        counts.items, counts.relevant, wanted, ties == "expected", ties == "optimistic"
    )
    return precision


@compiled
def _precision_at_hits(items, relevant, wanted, expected, optimistic):  # type: ignore[no-untyped-def]
    precision = np.zeros(wanted.shape)
    for q in range(len(items)):
        level = behind = found = 0
        for column in range(wanted.shape[1]):
            hits = wanted[q, column]
            if column and hits == wanted[q, column - 1]:
                precision[q, column] = precision[q, column - 1]
                continue
            while level < items.shape[1] and found + relevant[q, level] < hits:
                behind += items[q, level]
                found += relevant[q, level]
                level += 1
            if level == items.shape[1]:
                break
            n, r, j = items[q, level], relevant[q, level], hits - found
            if expected:
                precision[q, column] = hits / harmonic_mean_rank(behind, n, r, j)
            else:
                precision[q, column] = hits / (behind + (j if optimistic else n - r + j))
    return precision


@compiled
def harmonic_mean_rank(behind, n, r, j):  # type: ignore[no-untyped-def]
    """Return the harmonic mean of the rank of the j-th of r relevant items among n of a level, over all their orders.

    The number X of other items before it follows the negative hypergeometric distribution, whose orthogonal polynomials
    are Hahn's. With their recurrence coefficients A and C, Stieltjes' continued fraction gives

        1 / E[1 / (c + X)] = c + A_0 / (1 + C_1 / (c + A_1 / (1 + C_2 / (c + ...))))    for c = behind + j,

    which ends at A_(n - r) = 0. All its terms are positive, so that each step brings the value closer and leaves it
    between the last two.

    Args:
        behind: How many items lie nearer.
        n: Items of the level.
        r: Relevant ones, 1 to n.
        j: Which of them, 1 to r.

    Source: Koekoek, Lesky and Swarttouw, *Hypergeometric Orthogonal Polynomials and Their q-Analogues* (2010), section 9.5,
    with alpha = j - 1, beta = r - j and N = n - r.
    """
    c, others = float(behind + j), n - r
    value = numerator = c
    denominator = 0.0
    for k in range(others):
        # Products of numbers up to the size of a database do not fit whole numbers.
        up = (k + r) / (2.0 * k + r) * ((k + j) / (2.0 * k + r + 1)) * (others - k)
        numerator, denominator = 1.0 + up / numerator, 1.0 / (1.0 + up * denominator)
        value *= numerator * denominator
        down = (k + 1) / (2.0 * k + r + 1) * ((k + 1 + r - j) / (2.0 * k + r + 2)) * (k + 1 + n)
        numerator, denominator = c + down / numerator, 1.0 / (c + down * denominator)
        step = numerator * denominator
        value *= step
        if abs(step - 1.0) < CLOSE:
            break
    return value
