"""HashNet: a weighted pairwise likelihood, and a tanh that sharpens as training goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from hashprobe.errors import HashprobeError
from hashprobe.hashing.losses.base import HASH_LOSSES


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
