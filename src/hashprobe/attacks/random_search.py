"""Random search on the ranked list: black box; it sees what a query retrieves and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.ranked import ranking_score
from hashprobe.attacks.squares import SquareSearch
from hashprobe.errors import check_whole_number
from hashprobe.targets import NO_CODE, Goal


@ATTACKS.register("RandomSearch")
@dataclass(frozen=True, kw_only=True)
class RandomSearch(SquareSearch):
    """Change random squares to ±epsilon; keep a change after which the retrieved list is no worse.

    The proposals are those of Square Attack (Andriushchenko et al., ECCV 2020); what the search raises is
    :func:`hashprobe.attacks.ranked.ranking_score`. An image that has reached 1 asks no more.

    What an image draws depends on its place in the batch and on the generator, not on the other images.

    Attributes:
        questions: See :class:`SquareSearch`.
        length: How many retrieved items it looks at; more than there are means all of them.
        square: See :class:`SquareSearch`.
        epsilon: Size of the change, in [0, 1] units; ``None`` means 1.
    """

    VERSION: ClassVar[int] = 2
    code: ClassVar[str | None] = NO_CODE
    access: ClassVar[Access] = Access.RANKING

    length: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("length", self.length, least=1)

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the best images found; see :meth:`Attack.perturb`."""
        return self.search(images, ranking_score(victim, goal, self.length), generator)
