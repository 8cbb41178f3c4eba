"""RayS at a distance threshold: black box; an answer says whether a stored item is still found, yes or no."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.targets import Goal

Asking = Generator[torch.Tensor, bool, torch.Tensor]
"""Yields pictures ``(3, h, w)``, is sent whether each is at its goal, and returns the best one."""


@ATTACKS.register("RayS")
@dataclass(frozen=True, kw_only=True)
class RayS(Attack):
    """A ray ``x + r·d`` of signs d that reaches the goal at the smallest radius r (Chen and Gu, KDD 2020).

    The published search, from its formulas: d starts as all ones; its signs are turned in the first half, then the second, then
    in quarters, eighths and so on of the image's values in their order; a turned d is taken when it reaches the goal at the
    radius known so far, which a binary search then lowers. An image asks no more once its radius is within epsilon.

    Untargeted, the goal is that the stored item with the goal's code, usually the image itself, is not found within ``threshold``
    bits any more; targeted, that the item with the goal's code is, by default a random one that carries the target label. Until
    some ray reaches the goal at radius 1 every turned d is tried at that radius, and the image ends as it was.

    Attributes:
        questions: Pictures asked about for each image; the first is the image itself.
        threshold: An item is found at so many differing bits or fewer.
        tolerance: How exactly a radius is searched, in [0, 1] units.
        epsilon: L∞ budget in [0, 1] units; ``None`` to go on until no question is left.
    """

    goal: ClassVar[str] = "untargeted"
    access: ClassVar[Access] = Access.FOUND

    questions: int = 500
    threshold: int = 8
    tolerance: float = 1 / 255

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("questions", self.questions, least=1)
        check_whole_number("threshold", self.threshold, least=0)
        if not 0 < self.tolerance < 1:
            raise HashprobeError(f"tolerance must be in (0, 1); found {shortened(self.tolerance)}.")

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the pictures at the smallest radii found; see :meth:`Attack.perturb`."""
        goal.direction(victim.bits, images)  # says so if there is no code
        assert goal.codes is not None
        searches = [self._search(image) for image in images]
        asked = {row: next(search) for row, search in enumerate(searches)}
        best = images.clone()
        while asked:
            rows = np.array(list(asked), dtype=np.intp)
            found = victim.found(torch.stack(list(asked.values())), goal.codes[rows], self.threshold, rows)
            for row, reached in zip(rows, found == (goal.objective == "targeted"), strict=True):
                try:
                    asked[row] = searches[row].send(bool(reached))
                except StopIteration as done:
                    best[row] = done.value
                    del asked[row]
        return best

    def _search(self, image: torch.Tensor) -> Asking:
        """Search for one image; see the class."""
        if (yield image):
            return image
        left, values, near = self.questions - 1, image.numel(), self.epsilon or 0.0
        signs, radius, known = image.new_ones(values), 1.0, False
        for start, stop in _blocks(values):
            if left == 0 or radius <= near:
                break
            turned = signs.clone()
            turned[start:stop] *= -1
            left -= 1
            if not (yield _along(image, turned, radius)):
                continue
            signs, known, low = turned, True, 0.0
            while left > 0 and radius - low > self.tolerance and radius > near:
                middle = (low + radius) / 2
                left -= 1
                if (yield _along(image, signs, middle)):
                    radius = middle
                else:
                    low = middle
        return _along(image, signs, radius) if known else image


def _blocks(values: int) -> Generator[tuple[int, int]]:
    """Yield the runs of values that are turned, first and last + 1: none, the whole, halves, quarters, …, each value; again."""
    yield 0, 0
    for level in itertools.cycle(range(values.bit_length() + 1)):
        edges = np.linspace(0, values, min(2**level, values) + 1).round().astype(int).tolist()
        yield from itertools.pairwise(edges)


def _along(image: torch.Tensor, signs: torch.Tensor, radius: float) -> torch.Tensor:
    return (image + radius * signs.view_as(image)).clamp(0, 1)
