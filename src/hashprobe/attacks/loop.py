"""The one gradient loop that all iterative attacks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from hashprobe.attacks.base import project
from hashprobe.hashing import HashModel

Direction = Literal["sign", "normalised"]


@torch.enable_grad()
def descend(
    model: HashModel,
    images: torch.Tensor,
    goal: torch.Tensor,
    *,
    steps: int,
    step_size: float,
    epsilon: float | None,
    direction: Direction,
    alpha: Callable[[float], float] = lambda done: 1.0,
) -> torch.Tensor:
    """Descend ``−mean_k(h_t · tanh(α z(x)))`` from ``images``, within the budget after every step.

    The loss of an image depends on that image alone and is summed over the batch, so that a step is the same in a batch of
    any size; published programs average it, which weakens a step that is not normalised as the batch grows.

    Args:
        model: In eval mode, parameters frozen.
        images: Float ``(n, 3, h, w)`` in [0, 1].
        goal: Target codes as ±1, ``(n, K)``.
        steps: Gradient steps.
        step_size: Length of a step: L∞ in [0, 1] units for ``sign``, L2 of an image for ``normalised``.
        epsilon: L∞ budget, or ``None``.
        direction: ``sign`` of the gradient, or the gradient divided by its L2 norm, per image.
        alpha: Scale α of the tanh, given the share of steps that is done, 0 to 1.
    """
    adversarial = images.clone()
    for step in range(steps):
        adversarial.requires_grad_(True)
        loss = -(goal * model.relaxed(adversarial, alpha(step / steps))).mean(dim=1).sum()
        (gradient,) = torch.autograd.grad(loss, adversarial)
        if direction == "sign":
            move = gradient.sign()
        else:
            move = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-20).view(-1, 1, 1, 1)
        adversarial = project(adversarial.detach() - step_size * move, images, epsilon)
    return adversarial
