"""Square Attack on the distance of codes: black box; it sees the code of a picture and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.asking import agreement_score
from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.squares import SquareSearch
from hashprobe.targets import Goal


@ATTACKS.register("Square")
@dataclass(frozen=True, kw_only=True)
class Square(SquareSearch):
    """Square Attack (Andriushchenko et al., ECCV 2020) in its L∞ form, on the share of bits that agree with the goal.

    The published loss is a margin of real outputs. Codes are whole numbers of bits, so most proposals change nothing: those are
    kept, as the published ties are, and the search so wanders over pictures of one code until a bit moves.

    What an image draws depends on its place in the batch and on the generator, not on the other images.

    Attributes:
        questions: See :class:`SquareSearch`.
        square: See :class:`SquareSearch`.
        epsilon: Size of the change, in [0, 1] units; ``None`` means 1.
    """

    access: ClassVar[Access] = Access.CODES

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the best images found; see :meth:`Attack.perturb`."""
        return self.search(images, agreement_score(victim, goal, images), generator)
