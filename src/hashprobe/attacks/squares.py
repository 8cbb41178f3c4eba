"""The search of Square Attack, for any answers: random squares at the edge of the budget, the better picture kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hashprobe.attacks.asking import REACHED, Score, draws_of
from hashprobe.attacks.base import Attack
from hashprobe.errors import HashprobeError, check_whole_number, shortened

HALVED = (0.001, 0.005, 0.02, 0.1, 0.2, 0.4, 0.6, 0.8)
"""After which shares of the questions the area of a square halves, as published for 10,000."""


@dataclass(frozen=True, kw_only=True)
class SquareSearch(Attack):
    """What attacks by random squares share: their numbers and :meth:`search`.

    Attributes:
        questions: Images that it may ask about for each image; the first is the image itself.
        square: Share of the image's area that a square covers at first; it halves at 0.1, 0.5, 2, 10, 20, 40, 60 and 80 % of
            the questions, as published.
        epsilon: Size of the change, in [0, 1] units; ``None`` means 1.
    """

    stochastic: ClassVar[bool] = True

    questions: int = 500
    square: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("questions", self.questions, least=1)
        if not 0 < self.square <= 1:
            raise HashprobeError(f"square must be in (0, 1]; found {shortened(self.square)}.")

    def search(self, images: torch.Tensor, score: Score, generator: torch.Generator) -> torch.Tensor:
        """Change random squares to ±epsilon, keep a change after which the score is no worse, and return the best pictures.

        The proposals are those of Square Attack (Andriushchenko et al., ECCV 2020, L∞): vertical stripes one pixel wide at first,
        then a square at a random place, each channel of which is set to the image's own plus or minus epsilon, smaller as the
        search goes on. Unlike there the image itself is asked about first, and the stripes are kept only where they are no worse:
        an image whose score is 1 asks no more, and none ends worse than it was.

        Args:
            images: Float ``(n, 3, h, w)`` in [0, 1].
            score: What is raised.
            generator: Source of randomness, on the CPU.
        """
        draws, epsilon = draws_of(generator, len(images)), 1.0 if self.epsilon is None else self.epsilon
        count, (height, width) = len(images), images.shape[2:]
        best, rows = images.clone(), np.arange(count)
        reached, tried = score(images, rows), images.clone()
        for question in range(1, self.questions):
            left = rows[reached[rows] < REACHED]
            if len(left) < len(rows):
                best[rows] = tried
                rows, tried = left, best[left]
            if len(rows) == 0:
                break
            # Windows are changed in place, and put back where they are not kept: a copy of all pictures a question costs more.
            before = list[tuple[tuple[int | slice, ...], torch.Tensor]]()
            for place, row in enumerate(rows):
                if question == 1:
                    window, shape = (slice(None),) * 3, (3, 1, width)
                else:
                    side = side_of(self.square, question / self.questions, height, width)
                    top, edge = draws[row].integers((height - side[0] + 1, width - side[1] + 1))
                    window = (slice(None), slice(top, top + side[0]), slice(edge, edge + side[1]))
                    shape = (3, 1, 1)
                signs = torch.from_numpy(draws[row].choice((-1.0, 1.0), size=shape)).to(images)
                changed: tuple[int | slice, ...] = (place, *window)
                before.append((changed, tried[changed].clone()))
                tried[changed] = (images[(row, *window)] + epsilon * signs).clamp(0, 1)
            found = score(tried, rows)
            kept = found >= reached[rows]
            for (changed, own), keep in zip(before, kept, strict=True):
                if not keep:
                    tried[changed] = own
            reached[rows[kept]] = found[kept]
        best[rows] = tried
        return best


def side_of(square: float, done: float, height: int, width: int) -> tuple[int, int]:
    """Return height and width of a square after a share ``done`` of the questions, at least one pixel and at most the image."""
    halved = sum(done > passed for passed in HALVED)
    side = max(1, round((square / 2**halved * height * width) ** 0.5))
    return min(side, height), min(side, width)
