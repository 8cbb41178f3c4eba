"""HAG: the first attack on Hamming space search; away from the query's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, Attack, project
from hashprobe.attacks.objectives import sharpening
from hashprobe.errors import HashprobeError, shortened
from hashprobe.targets import Goal, Objective


@ATTACKS.register("HAG")
@dataclass(frozen=True, kw_only=True)
class HAG(Attack):
    """Hash adversary generation (Yang et al., "Adversarial Examples for Hamming Space Search", IEEE Trans. Cybernetics 2020).

    Gradient descent with momentum on the image. With h = tanh(α z(x)) and the query's code h0 the loss of an image is
    ``(Σ h·h0 / m + 1)² + (mean_k h)²``; the sum is over the m bits with ``abs(h − h0) <= 1.5``, so that a bit that is
    surely turned is let go, and the second term keeps the code balanced.

    Published without a budget (``epsilon=None``); within one, the image is brought back after every step. The loss is summed
    over images, not averaged, so that an image is attacked alike in a batch of any size; the momentum is each image's own.

    Attributes:
        steps: Gradient steps; α follows DHTA's schedule over them.
        rate: Learning rate, for images in [0, 1].
        momentum: Share of the last move that is kept, 0 to below 1.
    """

    objective: ClassVar[str] = "sharpening"
    goal: ClassVar[str] = "untargeted"
    objectives: ClassVar[tuple[Objective, ...]] = ("untargeted",)
    code: ClassVar[str | None] = "own"

    steps: int = 2000
    rate: float = 100.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1 or not 0 < self.rate < float("inf") or not 0 <= self.momentum < 1:
            raise HashprobeError(
                "steps must be at least 1, rate positive and momentum in [0, 1); "
                f"found {shortened(self.steps)}, {shortened(self.rate)} and {shortened(self.momentum)}."
            )

    @torch.enable_grad()
    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        own = -goal.direction(victim.bits, images)
        adversarial, move = images.clone(), torch.zeros_like(images)
        for step in range(self.steps):
            adversarial.requires_grad_(True)
            relaxed = victim.relaxed(adversarial, sharpening(step / self.steps))
            (gradient,) = torch.autograd.grad(_loss(relaxed, own).sum(), adversarial)
            move = self.momentum * move + gradient
            adversarial = project(adversarial.detach() - self.rate * move, images, self.epsilon)
        return adversarial


def _loss(relaxed: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return the loss of each image, ``(n,)``, for relaxed codes and own codes ``(n, K)``."""
    open_bits = ((relaxed - own).abs() <= 1.5).to(relaxed.dtype)
    agreement = (open_bits * relaxed * own).sum(dim=1) / open_bits.sum(dim=1).clamp_min(1)
    return (agreement + 1).square() + relaxed.mean(dim=1).square()
