"""Random search on the ranked list: black box; it sees what a query retrieves and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.errors import HashprobeError, shortened
from hashprobe.targets import NO_CODE, Goal

REACHED = 1 - 1e-9
"""The score of a goal that is reached, but for rounding."""


@ATTACKS.register("RandomSearch")
@dataclass(frozen=True, kw_only=True)
class RandomSearch(Attack):
    """Change random squares to ±epsilon; keep a change after which the retrieved list is no worse.

    The proposals are those of Square Attack (Andriushchenko et al., ECCV 2020): a square at a random place, each channel of
    which is set to the image's own plus or minus epsilon, smaller as the search goes on. It starts at the image itself, not at
    stripes. What it raises is the discounted share of the first ``length`` items that are wanted, ``Σ w_r / log2(1 + r)`` at rank
    r: targeted, items that carry a class of the target label; untargeted, those that share none with the query, or, where its
    label is not known, those that it did not retrieve at first. An image that has reached 1 asks no more.

    What an image draws depends on its place in the batch and on the generator, not on the other images.

    Attributes:
        questions: Images that it may ask about for each image; the first is the image itself.
        length: How many retrieved items it looks at.
        square: Share of the image's area that a square covers at first; it halves at 0.1, 0.5, 2, 10, 20, 40, 60 and 80 % of
            the questions, as published.
        epsilon: Size of the change, in [0, 1] units; ``None`` means 1.
    """

    code: ClassVar[str | None] = NO_CODE
    access: ClassVar[Access] = Access.RANKING
    stochastic: ClassVar[bool] = True

    questions: int = 500
    length: int = 100
    square: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.questions < 1 or self.length < 1 or not 0 < self.square <= 1:
            raise HashprobeError(
                "questions and length must be at least 1 and square in (0, 1]; "
                f"found {shortened(self.questions)}, {shortened(self.length)} and {shortened(self.square)}."
            )

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the best images found; see :meth:`Attack.perturb`."""
        count, (height, width) = len(images), images.shape[2:]
        seeds = torch.randint(2**62, (count,), generator=generator).tolist()
        draws = [np.random.default_rng(seed) for seed in seeds]
        epsilon = 1.0 if self.epsilon is None else self.epsilon
        best, first = images.clone(), victim.ranked(images, self.length)
        score = self._score(victim, goal, first, first, np.arange(count))
        for question in range(1, self.questions):
            rows = np.flatnonzero(score < REACHED)
            if len(rows) == 0:
                break
            side = _side(self.square, question / self.questions, height, width)
            tried = best[rows]
            for place, row in enumerate(rows):
                top, left = draws[row].integers((height - side[0] + 1, width - side[1] + 1))
                signs = torch.from_numpy(draws[row].choice((-1.0, 1.0), size=(3, 1, 1))).to(images)
                window = (slice(None), slice(top, top + side[0]), slice(left, left + side[1]))
                tried[(place, *window)] = (images[(row, *window)] + epsilon * signs).clamp(0, 1)
            found = self._score(victim, goal, victim.ranked(tried, self.length, rows), first, rows)
            kept = found >= score[rows]
            best[rows[kept]], score[rows[kept]] = tried[kept], found[kept]
        return best

    def _score(
        self,
        victim: Victim,
        goal: Goal,
        ids: npt.NDArray[np.int64],
        first: npt.NDArray[np.int64],
        rows: npt.NDArray[np.intp],
    ) -> npt.NDArray[np.float64]:
        """Return how near the lists of some images, ids ``(m, k)``, are to their goals, 0 to 1; -1 is no hit."""
        if goal.labels is None and goal.objective == "untargeted":
            hits = (ids[:, :, None] == first[rows][:, None, :]).any(axis=2) & (ids >= 0)
        else:
            hits = goal[rows].wanted(victim.labels_of(ids))
        weights = 1 / np.log2(np.arange(ids.shape[1]) + 2)
        # Summed row by row, so that equal lists have equal scores in a batch of any size.
        share: npt.NDArray[np.float64] = (hits * (weights / weights.sum())).sum(axis=1)
        return share if goal.objective == "targeted" else 1 - share


def _side(square: float, done: float, height: int, width: int) -> tuple[int, int]:
    """Return height and width of a square after a share ``done`` of the questions, at least one pixel and at most the image."""
    halved = sum(done > passed for passed in (0.001, 0.005, 0.02, 0.1, 0.2, 0.4, 0.6, 0.8))
    side = max(1, round((square / 2**halved * height * width) ** 0.5))
    return min(side, height), min(side, width)
