"""The one gradient loop that all gradient attacks share, and the base of those that take many steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import Attack, project
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.targets import Goal

Direction = Literal["sign", "normalised"]


@torch.enable_grad()
def descend(
    victim: Victim,
    images: torch.Tensor,
    goal: Goal,
    *,
    steps: int,
    step_size: float,
    epsilon: float | None,
    direction: Direction,
    alpha: Callable[[float], float] = lambda done: 1.0,
) -> torch.Tensor:
    """Descend ``−mean_k(h_t · tanh(α z(x)))`` from ``images``, within the budget after every step; h_t is the goal's direction.

    The loss of an image depends on that image alone and is summed over the batch, so that a step is the same in a batch of
    any size; published programs average it, which weakens a step that is not normalised as the batch grows.

    Args:
        victim: The attacked model, with gradients.
        images: Float ``(n, 3, h, w)`` in [0, 1].
        goal: The codes to reach or to leave.
        steps: Gradient steps.
        step_size: Length of a step: L∞ in [0, 1] units for ``sign``, L2 of an image for ``normalised``.
        epsilon: L∞ budget, or ``None``.
        direction: ``sign`` of the gradient, or the gradient divided by its L2 norm, per image.
        alpha: Scale α of the tanh, given the share of steps that is done, 0 to 1.
    """
    adversarial, wanted = images.clone(), goal.direction(victim.bits, images)
    for step in range(steps):
        adversarial.requires_grad_(True)
        relaxed = victim.relaxed(adversarial, alpha(step / steps))
        loss = -(wanted * relaxed).mean(dim=1).sum()
        (gradient,) = torch.autograd.grad(loss, adversarial)
        if direction == "sign":
            move = gradient.sign()
        else:
            move = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-20).view(-1, 1, 1, 1)
        adversarial = project(adversarial.detach() - step_size * move, images, epsilon)
    return adversarial


@dataclass(frozen=True, kw_only=True)
class IterativeAttack(Attack):
    """An attack that takes ``steps`` steps of :func:`descend`; a subclass says in which direction.

    Attributes:
        steps: Gradient steps.
        step_size: Length of a step; see :func:`descend`.
    """

    direction: ClassVar[Direction]

    steps: int
    step_size: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("steps", self.steps, least=1)
        if not 0 < self.step_size < float("inf"):
            raise HashprobeError(f"step_size must be positive; found {shortened(self.step_size)}.")

    def alpha(self, done: float) -> float:
        """Return the scale α of the tanh after a share ``done`` of the steps, 0 to 1."""
        return 1.0

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        return descend(
            victim,
            images,
            goal,
            steps=self.steps,
            step_size=self.step_size,
            epsilon=self.epsilon,
            direction=self.direction,
            alpha=self.alpha,
        )
