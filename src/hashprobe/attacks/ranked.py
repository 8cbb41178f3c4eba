"""The score of an attack that sees ranked lists: how early the items that it wants stand in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.asking import Rows, Score, Scores
from hashprobe.targets import Goal


def ranking_score(victim: Victim, goal: Goal, length: int) -> Score:
    """Return what scores pictures by the first ``length`` items that they retrieve; the first call must be about the images.

    It is the sum over hits of the precision at the hit's rank, divided by the number of items: 1 where all are hits. One item
    that moves by one rank changes it, which a share of hits would not show. Targeted, hits are items that share a label
    with the goal's; untargeted they are to be left, and the score is 1 minus it: items that share a label with the query,
    or, where its label is not known, those that the image itself retrieved. -1 is no hit.
    """
    first: list[npt.NDArray[np.int64]] = []

    def score(pictures: torch.Tensor, rows: Rows) -> Scores:
        ids = victim.ranked(pictures, length, rows)
        if not first:
            first.append(ids)
        if goal.labels is None and goal.objective == "untargeted":
            hits = _in_first(ids, first[0][rows])
        else:
            hits = goal[rows].wanted(victim.labels_of(ids))
        precision = np.cumsum(hits, axis=1) / np.arange(1, ids.shape[1] + 1)
        # Summed row by row, so that equal lists have equal scores in a batch of any size.
        near: Scores = (hits * precision).sum(axis=1) / ids.shape[1]
        return near if goal.objective == "targeted" else 1 - near

    return score


def _in_first(ids: npt.NDArray[np.int64], first: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which items of lists ``(m, k)`` are in the first lists ``(m, k)``, row by row."""
    there = [np.isin(own, known) for own, known in zip(ids, first, strict=True)]
    return np.array(there, dtype=bool).reshape(ids.shape) & (ids >= 0)
