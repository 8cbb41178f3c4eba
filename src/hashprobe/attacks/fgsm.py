"""FGSM: one sign step of the size of the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.attacks.gradients import Gradients, GradientSettings
from hashprobe.attacks.loop import descend
from hashprobe.attacks.objectives import OBJECTIVES, towards
from hashprobe.errors import HashprobeError
from hashprobe.identity import optional
from hashprobe.targets import Goal


@ATTACKS.register("FGSM")
@dataclass(frozen=True, kw_only=True)
class FGSM(Attack):
    """One step of ``epsilon`` along the sign of the gradient (Goodfellow, Shlens and Szegedy, ICLR 2015).

    With the anchor code it is "DHTA + FGSM" of the paper's Table 2, whose objective is ``tanh``.

    Attributes:
        objective: What is descended, a name of ``OBJECTIVES``.
    """

    VERSION: ClassVar[int] = 2

    objective: str = optional("scaled")

    def __post_init__(self) -> None:
        super().__post_init__()
        OBJECTIVES[self.objective]
        if self.epsilon is None:
            raise HashprobeError(
                "FGSM steps by epsilon, so it has no unbounded form; give epsilon a number, as 8/255."
            )

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images one step on; see :meth:`Attack.perturb`."""
        assert self.epsilon is not None
        gradients = Gradients(
            victim,
            towards(self.objective, goal.direction(victim.bits, images)),
            GradientSettings(),
            reach=0.0,
            generator=generator,
        )
        return descend(images, gradients, step_sizes=[self.epsilon], epsilon=self.epsilon, direction="sign")
