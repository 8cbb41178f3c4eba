"""The one gradient loop that all gradient attacks share, and the base of those that take many steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import Attack, Norm, lengths, project
from hashprobe.attacks.gradients import REACH, Gradients, GradientSettings, Loss
from hashprobe.attacks.objectives import OBJECTIVES, towards
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.identity import optional
from hashprobe.targets import Goal

Direction = Literal["sign", "normalised"]


def descend(
    images: torch.Tensor,
    gradients: Gradients,
    *,
    step_sizes: Sequence[float],
    epsilon: float | None,
    direction: Direction,
    norm: Norm = "linf",
    momentum: float = 0.0,
    start: torch.Tensor | None = None,
    stop_at: torch.Tensor | None = None,
) -> torch.Tensor:
    """Descend from ``images``, within the budget after every step.

    The loss of an image depends on that image alone and is summed over the batch, so that a step is the same in a batch of
    any size; published programs average it, which weakens a step that is not normalised as the batch grows.

    Args:
        images: Float ``(n, 3, h, w)`` in [0, 1].
        gradients: What is descended.
        step_sizes: Of each step: L∞ in [0, 1] units for ``sign``, L2 of an image for ``normalised``.
        epsilon: Budget, or ``None``.
        direction: ``sign`` of the gradient, or the gradient divided by its L2 norm, per image.
        norm: Of the budget.
        momentum: Share of the last direction that is kept; gradients are divided by the mean of their absolute values before
            they are added (MI-FGSM, Dong et al., CVPR 2018).
        start: Where to begin, within the budget; at ``images`` if not given.
        stop_at: Signs ``(n, K)`` at which an image is left as it is, and asks no more.
    """
    adversarial = (images if start is None else start).clone()
    rows, moved = np.arange(len(images)), torch.zeros_like(images)
    for step, size in enumerate(step_sizes):
        gradient, logits = gradients(adversarial[rows], rows, step / len(step_sizes))
        if stop_at is not None:
            still = ((logits >= 0) != (stop_at[rows] > 0)).any(dim=1)
            rows, gradient = rows[still.cpu().numpy()], gradient[still]
            if len(rows) == 0:
                break
        if momentum:
            mean = gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-20)
            moved[rows] = gradient = momentum * moved[rows] + gradient / mean
        move = gradient.sign() if direction == "sign" else gradient / lengths(gradient).clamp_min(1e-20)
        adversarial[rows] = project(adversarial[rows] - size * move, images[rows], epsilon, norm)
    return adversarial


@dataclass(frozen=True, kw_only=True)
class IterativeAttack(Attack):
    """An attack that takes ``steps`` steps of :func:`descend`; a subclass says in which direction.

    The steps begin at the image itself, at a random place, or at what another attack makes of it: the image of a generator and
    a few steps from there are stronger than as many steps alone, and the cost is that of both.

    Attributes:
        steps: Gradient steps.
        step_size: Length of a step; see :func:`descend`.
        last_step_size: Length of the last step, towards which they change evenly; the same as ``step_size`` if not given.
        objective: What is descended, a name of ``OBJECTIVES``.
        momentum: Share of the last step's direction that is kept.
        diversity: Probability of a smaller picture, for each step; this and what follows is for transfer, see
            :class:`hashprobe.attacks.gradients.GradientSettings`.
        translation: Side of the kernel that smooths the gradient.
        scales: Copies of the picture, each half as bright as the last.
        variance: Neighbours of variance tuning.
        random_start: Whether it begins at a random place within the budget.
        restarts: How often it begins; of several results an image keeps the one with the fewest bits off the goal, and of
            those the one with the lowest objective. All but the first begin at random.
        early_stop: Whether an image that has reached its code is left as it is.
        start: An attack, white box or one that sees nothing, whose image the first of the starts is, within the budget.
    """

    direction: ClassVar[Direction]

    steps: int
    step_size: float
    last_step_size: float | None = optional(None)
    objective: str = optional("scaled")
    momentum: float = optional(0.0)
    diversity: float = optional(0.0)
    translation: int = optional(0)
    scales: int = optional(1)
    variance: int = optional(0)
    random_start: bool = optional(False)
    restarts: int = optional(1)
    early_stop: bool = optional(False)
    start: Attack | None = optional(None)

    def __post_init__(self) -> None:
        super().__post_init__()
        OBJECTIVES[self.objective]
        for name, least in {"steps": 1, "scales": 1, "restarts": 1, "variance": 0, "translation": 0}.items():
            check_whole_number(name, getattr(self, name), least=least)
        for name in ("step_size", "last_step_size"):
            size = getattr(self, name)
            if size is not None and not 0 < size < float("inf"):
                raise HashprobeError(f"{name} must be positive; found {shortened(size)}.")
        for name in ("momentum", "diversity"):
            if not 0 <= getattr(self, name) <= 1:
                raise HashprobeError(f"{name} must be in [0, 1]; found {shortened(getattr(self, name))}.")
        if self.translation and self.translation % 2 == 0:
            raise HashprobeError(f"translation must be an odd number of pixels; found {self.translation}.")
        if self.epsilon is None and (self.random_start or self.restarts > 1 or self.variance):
            raise HashprobeError(
                "random starts and variance tuning draw from the budget, so they have no unbounded form; give epsilon a number."
            )
        if self.start is not None:
            if not isinstance(self.start, Attack):
                raise HashprobeError(f"start must be an attack, as Noise(); found {shortened(self.start)}.")
            check_start(self, type(self.start))
            if self.start.norm != self.norm:
                raise HashprobeError(
                    f"start keeps to a budget in {self.start.norm} and the steps to one in {self.norm}; give both the same norm."
                )

    @property
    def stages(self) -> tuple[Attack, ...]:
        """What it starts from, and itself."""
        return (*(self.start.stages if self.start else ()), self)

    @property
    def step_sizes(self) -> list[float]:
        """Lengths of the steps."""
        last = self.step_size if self.last_step_size is None else self.last_step_size
        return [float(size) for size in np.linspace(self.step_size, last, self.steps)]

    def loss(self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator) -> Loss:
        """Return what is descended: the objective towards the goal's codes; a subclass may have another."""
        return towards(self.objective, goal.direction(victim.bits, images))

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        given = None
        if self.start is not None and len(images):
            drawn = self.start.perturb(victim, images, goal, generator).detach()
            given = project(drawn, images, self.epsilon, self.norm)
            victim.winners, victim.restart_bits = (), None  # which are those of the start alone
        loss = self.loss(victim, images, goal, generator)
        wanted = None if goal.codes is None else goal.direction(victim.bits, images)
        found = []
        for restart in range(self.restarts):
            start = self._start(images, generator) if self.random_start or restart else given
            found.append(self._once(victim, images, loss, wanted, generator, start))
        return found[0] if len(found) == 1 else _best(victim, found, loss, wanted)

    def _once(
        self,
        victim: Victim,
        images: torch.Tensor,
        loss: Loss,
        wanted: torch.Tensor | None,
        generator: torch.Generator,
        start: torch.Tensor | None,
    ) -> torch.Tensor:
        averaged = GradientSettings(
            diversity=self.diversity,
            translation=self.translation,
            scales=self.scales,
            variance=self.variance,
        )
        return descend(
            images,
            Gradients(victim, loss, averaged, reach=self._reach(images), generator=generator),
            step_sizes=self.step_sizes,
            epsilon=self.epsilon,
            direction=self.direction,
            norm=self.norm,
            momentum=self.momentum,
            start=start,
            stop_at=wanted if self.early_stop else None,
        )

    def _reach(self, images: torch.Tensor) -> float:
        """Return half the width of the box that variance tuning draws from: of an L2 budget, as long as it."""
        if self.epsilon is None:
            return 0.0
        return REACH * (
            self.epsilon if self.norm == "linf" else self.epsilon / images.shape[1:].numel() ** 0.5
        )

    def _start(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return a random place within the budget: uniform in its box, or in a random direction at a uniform length."""
        assert self.epsilon is not None
        if self.norm == "linf":
            change = self.epsilon * (2 * torch.rand(images.shape, generator=generator) - 1)
        else:
            change = torch.randn(images.shape, generator=generator)
            length = torch.rand((len(images), 1, 1, 1), generator=generator)
            change = self.epsilon * length * change / lengths(change)
        return project(images + change.to(images), images, self.epsilon, self.norm)


def check_start(steps: IterativeAttack, start: type[Attack]) -> None:
    """Refuse a start that asks questions or has another norm, and two starts at once.

    Args:
        steps: What begins there.
        start: The class of the attack that it begins with.

    Raises:
        HashprobeError: it is refused.
    """
    if start.access not in (Access.NOTHING, Access.GRADIENTS):
        raise HashprobeError(
            f"{start.__name__} asks the attacked model questions, so no gradient steps begin at its image; give another start."
        )
    if steps.random_start:
        raise HashprobeError(
            "steps begin at a random place or at another attack's image; give random_start or start, not both."
        )
    if steps.norm not in start.norms:
        raise HashprobeError(
            f"{start.__name__} keeps to a budget in the norm {' or '.join(start.norms)}, and the steps from it to one in "
            f"{steps.norm}; give them another norm or start."
        )


def _best(
    victim: Victim, found: Sequence[torch.Tensor], loss: Loss, wanted: torch.Tensor | None
) -> torch.Tensor:
    """Return of each image the result with the fewest bits that are not as wanted, and of those the one with the least loss."""
    rows, ranks = np.arange(len(found[0])), []
    for adversarial in found:
        with torch.no_grad():
            logits = victim.logits(adversarial)
            losses = loss(logits, rows, 1.0)
        off = torch.zeros_like(losses) if wanted is None else ((logits >= 0) != (wanted > 0)).sum(dim=1)
        ranks.append(torch.stack([off.double(), losses.double()]).cpu().numpy())
    off, losses = np.stack(ranks, axis=1)  # (restarts, n) each
    if wanted is not None:
        victim.restart_bits = np.ptp(off, axis=0)
    best = np.lexsort((losses, off), axis=0)[0]
    return torch.stack(list(found))[torch.from_numpy(best), torch.from_numpy(rows)]
