"""What a gradient step descends: losses of the network's real outputs, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

from hashprobe.attacks.gradients import Loss
from hashprobe.registry import Registry

Objective: TypeAlias = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""Logits z ``(n, K)``, wanted signs ``(n, K)`` and the share of the steps that is done, 0 to 1 -> loss ``(n,)``."""

OBJECTIVES: Registry[Objective] = Registry("objective")
"""An image's loss depends on that image alone, so that it is attacked alike in a batch of any size."""


def towards(objective: str, wanted: torch.Tensor) -> Loss:
    """Return the loss of an objective for the signs ``(n, K)`` that the codes of n images are to take."""
    own = OBJECTIVES[objective]
    return lambda logits, rows, done: own(logits, wanted[rows], done)


def mean_size(logits: torch.Tensor) -> torch.Tensor:
    """Return s, the mean of ``abs(z)`` over each image's own bits, ``(n, 1)``: above 0, and no part of a gradient."""
    size = logits.detach().abs().mean(dim=1, keepdim=True)
    return size.clamp_min(torch.finfo(logits.dtype).tiny)


def sharpening(done: float) -> float:
    """Return α after a share ``done`` of the steps: 0.1 for the first half, then 0.2, 0.3, 0.5, 0.7, 1 for a tenth each.

    For 2000 steps this is the schedule of DHTA (Bai et al., ECCV 2020); for another number it keeps its proportions.
    """
    later = (0.2, 0.3, 0.5, 0.7, 1.0)
    return 0.1 if done < 0.5 else later[min(int((done - 0.5) * 10 + 1e-9), 4)]


@OBJECTIVES.register("scaled")
def scaled(logits: torch.Tensor, wanted: torch.Tensor, done: float) -> torch.Tensor:
    """``−mean_k(h · tanh(α z / s))``, s the mean of ``abs(z)`` over the image's own bits: the same for a network k times as loud.

    α rises evenly from 0.1, nearly without a tanh, as is best where steps are few, to 1.5, where bits that are reached no longer
    count. s is held constant in the gradient and taken anew in every step. Published objectives are written for outputs of size
    1; where a network's are larger their tanh is flat, and sign steps go nowhere. Ours, no paper's.
    """
    return -(wanted * torch.tanh((0.1 + 1.4 * done) * logits / mean_size(logits))).mean(dim=1)


@OBJECTIVES.register("logits")
def plain(logits: torch.Tensor, wanted: torch.Tensor, done: float) -> torch.Tensor:
    """``−mean_k(h · z)``: no tanh, so bits that are reached go on being pushed; strong where steps are few."""
    return -(wanted * logits).mean(dim=1)


@OBJECTIVES.register("tanh")
def relaxed(logits: torch.Tensor, wanted: torch.Tensor, done: float) -> torch.Tensor:
    """``−mean_k(h · tanh z)``: the relaxed code of the hash model itself, as the paper's FGSM and I-FGSM rows descend it."""
    return -(wanted * torch.tanh(logits)).mean(dim=1)


@OBJECTIVES.register("sharpening")
def sharpened(logits: torch.Tensor, wanted: torch.Tensor, done: float) -> torch.Tensor:
    """``−mean_k(h · tanh(α z))`` with DHTA's α, from 0.1 to 1 as the steps go on; see :func:`sharpening`."""
    return -(wanted * torch.tanh(sharpening(done) * logits)).mean(dim=1)
