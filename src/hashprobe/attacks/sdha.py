"""SDHA: away from all relevant codes at once, or towards them, each weighted by its distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, Attack, Norm, project
from hashprobe.attacks.objectives import sharpening
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.targets import NO_CODE, Goal

WEIGHT = 25.0
"""Of the codes against the change of the picture, for the mean over bits."""


@ATTACKS.register("SDHA")
@dataclass(frozen=True, kw_only=True)
class SDHA(Attack):
    """The SDHA attack (2020), in both forms.

    With h = tanh(α z(x)) the loss of an image is ``mean((x̂ − x)²) ∓ 25 · mean_b(w_b · d(h, b)) / K`` over the codes b of the
    training images that are relevant: that share a label with the query (untargeted, −) or with the target label (targeted, +).
    Untargeted, ``d = ½ Σ abs(h − b) σ(5hb) + Σ (1 − σ(5hb))`` and ``w = D^(−½)``; targeted, ``d = ½ Σ abs(h − b) σ(−10hb)`` and
    ``w = D^0.3``, where D is the Hamming distance of sign h and b.

    Where we differ or chose: all relevant training images count, not a sample; D is at least 1; the squared change is its mean
    over the values of the image; and the image is brought back into the budget after every step (published without one).

    Attributes:
        steps: Steps of Adam; α follows DHTA's schedule over them.
        rate: Learning rate, for images in [0, 1].
    """

    objective: ClassVar[str] = "sharpening"
    goal: ClassVar[str] = "untargeted"
    code: ClassVar[str | None] = NO_CODE
    needs_labels: ClassVar[bool] = True
    needs_training_codes: ClassVar[bool] = True
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")

    steps: int = 1500
    rate: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("steps", self.steps, least=1)
        if not 0 < self.rate < float("inf"):
            raise HashprobeError(f"rate must be positive; found {shortened(self.rate)}.")

    @torch.enable_grad()
    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        codes, relevant = goal.relevant_codes(victim.bits, images)
        share = relevant.to(images.dtype) / relevant.sum(dim=1, keepdim=True).clamp_min(1)
        targeted = goal.objective == "targeted"
        adversarial = images.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([adversarial], lr=self.rate)
        for step in range(self.steps):
            relaxed = victim.relaxed(adversarial, sharpening(step / self.steps))
            change = (adversarial - images).square().mean(dim=(1, 2, 3))
            apart = (
                WEIGHT
                / victim.bits
                * weighted_distance(relaxed, codes.to(relaxed), share.to(relaxed), targeted=targeted)
            )
            loss = change + apart if targeted else change - apart
            (adversarial.grad,) = torch.autograd.grad(loss.sum(), adversarial)
            optimizer.step()
            with torch.no_grad():
                adversarial.copy_(project(adversarial, images, self.epsilon, self.norm))
        return adversarial.detach()


def weighted_distance(
    relaxed: torch.Tensor, codes: torch.Tensor, share: torch.Tensor, *, targeted: bool
) -> torch.Tensor:
    """Return ``Σ_b share_b w_b d(h, b)`` of each image, ``(n,)``; see :class:`SDHA`.

    A bit's part of d is a function f of h·b, so f(h) or f(−h): the sum over all N codes needs no ``(n, N, K)`` numbers.

    Args:
        relaxed: h, ``(n, K)`` in (−1, 1).
        codes: b, ±1, ``(N, K)``.
        share: Of each code in an image's mean, ``(n, N)``.
        targeted: Which of the two forms.
    """
    bits = relaxed.shape[1]
    signs = torch.where(relaxed.detach() >= 0, 1.0, -1.0).to(relaxed)
    distance = ((bits - signs @ codes.T) / 2).clamp_min(1)
    weights = share * distance.pow(0.3 if targeted else -0.5)

    def of_bit(agreement: torch.Tensor) -> torch.Tensor:
        if targeted:
            return (1 - agreement) / 2 * torch.sigmoid(-10 * agreement)
        close = torch.sigmoid(5 * agreement)
        return (1 - agreement) / 2 * close + 1 - close

    total, towards_one = weights.sum(dim=1, keepdim=True), weights @ codes
    equal, other = (
        (total + towards_one) / 2,
        (total - towards_one) / 2,
    )  # weight of the codes with +1, with −1
    return (equal * of_bit(relaxed) + other * of_bit(-relaxed)).sum(dim=1)
