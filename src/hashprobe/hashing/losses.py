"""Losses that train a hash model: each compares a batch's relaxed codes with the memory bank of all training images.

To add one: write a frozen dataclass with ``__call__(relaxed, bank, similarity, progress)`` and register it. One that trains
with a tanh sharper than ``tanh(z)`` also has ``tanh_scale(step)``; see :class:`ScaledHashLoss`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch.nn import functional

from hashprobe.errors import HashprobeError
from hashprobe.registry import Registry


class HashLoss(Protocol):
    """A loss over a batch of B relaxed codes and a bank of N."""

    def __call__(
        self, relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Return the loss, a scalar.

        Args:
            relaxed: Relaxed codes of the batch, ``(B, K)`` in (−1, 1), with gradient.
            bank: The newest relaxed code of every training image, ``(N, K)``, without gradient.
            similarity: ``(B, N)``, 1 where two images share a label, else 0.
            progress: Share of the training that is done, 0 to 1.
        """
        ...


@runtime_checkable
class ScaledHashLoss(HashLoss, Protocol):
    """A loss whose relaxed codes are ``tanh(scale · z)`` with a scale that it sets."""

    def tanh_scale(self, step: int) -> float:
        """Return the scale of the tanh at a training step, counted from 0."""
        ...


HASH_LOSSES: Registry[type[HashLoss]] = Registry("hash loss")


def make_loss(name: str, settings: Mapping[str, float]) -> HashLoss:
    """Return the loss that is registered as ``name``, with its settings.

    Raises:
        HashprobeError: no such loss, or a setting that it does not have.
    """
    kind = HASH_LOSSES[name]
    known = list(inspect.signature(kind).parameters)
    if unknown := sorted(set(settings) - set(known)):
        raise HashprobeError(
            f"the hash loss {name!r} has no setting {unknown[0]!r}; it has {', '.join(known) or 'none'}."
        )
    return kind(**settings)


def scale_at(loss: HashLoss, step: int) -> float:
    """Return the scale s of the relaxed codes ``tanh(s · z)`` that a loss trains at a step; 1 unless the loss sets it."""
    return loss.tanh_scale(step) if isinstance(loss, ScaledHashLoss) else 1.0


@HASH_LOSSES.register("dpsh")
@dataclass(frozen=True)
class DPSH:
    """Deep pairwise-supervised hashing (Li, Wang and Kang, IJCAI 2016).

    Mean over pairs of ``softplus(θ) − S θ`` with ``θ = u·Uᵀ / 2``, plus ``η / N`` times the mean over the batch of
    ``Σ (sign(u) − u)²``.

    Attributes:
        eta: Weight η of the quantisation term; the field uses 50.
        growth: Share of the training over which η grows linearly from 0 to ``eta``; 0 is the published constant. A
            network trained for minutes learns nothing when the term pushes its outputs to ±1 before they mean anything.
    """

    eta: float = 50.0
    growth: float = 0.0

    def __call__(
        self, relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Return the loss; see :class:`HashLoss`."""
        theta = relaxed @ bank.T / 2
        likelihood = (functional.softplus(theta) - similarity * theta).mean()
        signs = torch.where(relaxed >= 0, 1.0, -1.0)
        quantisation = (signs - relaxed).square().sum() / (len(bank) * len(relaxed))
        eta = self.eta * min(1.0, progress / self.growth) if self.growth else self.eta
        return likelihood + eta * quantisation


@HASH_LOSSES.register("dph")
@dataclass(frozen=True)
class DPH:
    """Mean over pairs of ``(u·Uᵀ / K − (2 S − 1))²``: the model that ProS-GAN's Table 4 calls DPH, after HAG.

    It is that of Yang et al. (IEEE Transactions on Cybernetics, 2020; the adversarial examples "HAG"), not the "Deep Priority
    Hashing" of Cao et al. that shares the name. It has no quantisation term: inner products of ±K are codes already.
    """

    def __call__(
        self, relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Return the loss; see :class:`HashLoss`."""
        cosine = relaxed @ bank.T / relaxed.shape[1]
        return (cosine - (2 * similarity - 1)).square().mean()


@HASH_LOSSES.register("hashnet")
@dataclass(frozen=True)
class HashNet:
    """HashNet (Cao, Long, Wang and Yu, ICCV 2017): a weighted likelihood, and a tanh that sharpens as training goes on.

    Mean over pairs of ``w (softplus(θ) − S θ)`` with ``θ = slope · u·Uᵀ``; w is (all pairs / similar pairs) for similar ones
    and (all pairs / dissimilar pairs) for the others, counted in the batch against the bank, so that both kinds weigh the
    same. The relaxed codes are ``tanh(s · z)`` with ``s = sqrt(1 + growth · step)``: about 13 after 100 epochs of 10,500 images.

    Attributes:
        slope: Factor of the inner product.
        growth: Of the squared scale, a step. A short training needs more than the published 0.005: its scale ends near 1.
        refresh: Steps between two changes of the scale.
    """

    slope: float = 0.1
    growth: float = 0.005
    refresh: float = 200

    def __post_init__(self) -> None:
        if self.growth < 0 or self.refresh < 1:
            raise HashprobeError(
                f"growth must be at least 0 and refresh at least 1; found {self.growth} and {self.refresh}."
            )

    def tanh_scale(self, step: int) -> float:
        """Return the scale of the tanh at a step; see :class:`ScaledHashLoss`."""
        return math.sqrt(1 + self.growth * (step // self.refresh * self.refresh))

    def __call__(
        self, relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Return the loss; see :class:`HashLoss`."""
        theta = self.slope * relaxed @ bank.T
        likelihood = functional.softplus(theta) - similarity * theta
        similar = similarity.sum()
        # Where a batch has no pair of one kind, that kind's sum is 0 and must not be divided by 0.
        of_similar = (similarity * likelihood).sum() / similar.clamp_min(1)
        of_others = ((1 - similarity) * likelihood).sum() / (similarity.numel() - similar).clamp_min(1)
        return of_similar + of_others
