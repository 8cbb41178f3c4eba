"""DPSH: a pairwise likelihood and a quantisation term."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from hashprobe.hashing.losses.base import HASH_LOSSES


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
