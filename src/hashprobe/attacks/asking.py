"""What attacks that ask about pictures share: a score of a picture, and randomness of each image's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.access import Victim
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal

REACHED = 1 - 1e-9
"""The score of a goal that is reached, but for rounding."""

Rows: TypeAlias = npt.NDArray[np.intp]
Scores: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = Callable[[torch.Tensor, Rows], Scores]
"""Pictures ``(m, 3, h, w)`` and the row of the image of each -> how near each is to its goal, at most 1; a question a picture."""


def draws_of(generator: torch.Generator, images: int) -> list[np.random.Generator]:
    """Return a source of randomness for each image, so that none draws otherwise because of what another does."""
    seeds = torch.randint(2**62, (images,), generator=generator).tolist()
    return [np.random.default_rng(seed) for seed in seeds]


def agreement_score(victim: Victim, goal: Goal, images: torch.Tensor) -> Score:
    """Return what scores pictures by ``1 − Hamming distance / K`` to the code that the goal asks for, or to its opposite."""
    wanted = goal.direction(victim.bits, images).cpu().numpy()

    def score(pictures: torch.Tensor, rows: Rows) -> Scores:
        agree: Scores = (unpack(victim.codes(pictures, rows), victim.bits) == wanted[rows]).mean(axis=1)
        return agree

    return score
