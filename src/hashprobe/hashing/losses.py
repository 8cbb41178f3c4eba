"""Losses that train a hash model: each compares a batch's relaxed codes with the memory bank of all training images.

To add one: write a frozen dataclass with ``__call__(relaxed, bank, similarity, progress)`` and register it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional

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


HASH_LOSSES: Registry[type[HashLoss]] = Registry("hash loss")


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
