"""DPH: cosines of relaxed codes against ±1."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hashprobe.hashing.losses.base import HASH_LOSSES


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
