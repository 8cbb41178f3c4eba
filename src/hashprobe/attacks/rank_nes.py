"""NES on the ranked list: black box; it sees what a query retrieves and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.nes import EvolutionSearch
from hashprobe.attacks.ranked import ranking_score
from hashprobe.errors import check_whole_number
from hashprobe.targets import NO_CODE, Goal


@ATTACKS.register("RankNES")
@dataclass(frozen=True, kw_only=True)
class RankNES(EvolutionSearch):
    """Sign steps along an estimated gradient of how near the retrieved list is to the goal.

    Estimates are those of NES; what they raise is :func:`hashprobe.attacks.ranked.ranking_score`. Gradients of a list's
    relevance are estimated like that in QAIR (Li et al., CVPR 2021), whose formulas were not read.

    What an image draws depends on its place in the batch and on the generator, not on the other images.

    Attributes:
        length: How many retrieved items it looks at; more than there are means all of them.
    """

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
        return self.climb(victim, images, ranking_score(victim, goal, self.length), generator)
