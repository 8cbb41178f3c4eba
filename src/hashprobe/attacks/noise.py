"""Noise: uniform noise of the budget's size; what an attack must beat to be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.targets import Goal


@ATTACKS.register("Noise")
@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Add ``U(−epsilon, epsilon)`` to every value; the target code is not looked at (paper, Table 1).

    Attributes:
        epsilon: Half the width of the noise, in [0, 1] units; ``None`` means 1.
    """

    code: ClassVar[str | None] = "none"
    access: ClassVar[Access] = Access.NOTHING
    stochastic: ClassVar[bool] = True

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return noisy images; see :meth:`Attack.perturb`."""
        noise = torch.rand(images.shape, generator=generator).to(images)
        return images + (2 * noise - 1) * (1.0 if self.epsilon is None else self.epsilon)
