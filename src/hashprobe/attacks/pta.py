"""PTA: steps along a smooth average precision, over codes of both kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.gradients import Loss
from hashprobe.attacks.ifgsm import IFGSM
from hashprobe.attacks.objectives import mean_size
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.targets import NO_CODE, Goal


@ATTACKS.register("PTA")
@dataclass(frozen=True, kw_only=True)
class PTA(IFGSM):
    """Precise target attack (2023): descend ``1 − SmoothAP`` of the picture over sampled codes of training images.

    SmoothAP (Brown et al., ECCV 2020) of scores ``s_i = h·b_i / K`` is the mean over positive codes i of
    ``(1 + Σ_{j positive} σ((s_j − s_i)/τ)) / (1 + Σ_j σ((s_j − s_i)/τ))``, j ≠ i. Positive codes carry a label of the goal, the
    others are negative; untargeted it is ascended. Each image draws its own. Chosen by us, for the paper leaves it open: 300
    negative codes, τ, steps of 1/255, and h = tanh(z / s) with s as in the objective ``scaled``.

    Attributes:
        steps: Sign steps.
        positives: Positive codes an image, or as many as there are.
        negatives: Likewise, of the others.
        temperature: τ.
    """

    code: ClassVar[str | None] = NO_CODE
    stochastic: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    needs_training_codes: ClassVar[bool] = True

    steps: int = 20
    positives: int = 75
    negatives: int = 300
    temperature: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("positives", self.positives, least=1)
        check_whole_number("negatives", self.negatives, least=1)
        if not 0 < self.temperature < float("inf"):
            raise HashprobeError(f"temperature must be positive; found {shortened(self.temperature)}.")

    def loss(self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator) -> Loss:
        """Return ``1 − SmoothAP`` over codes of training images that are drawn now; its negative if untargeted."""
        codes, relevant = goal.relevant_codes(victim.bits, images)
        seeds = torch.randint(2**62, (len(images),), generator=generator).tolist()
        most = self.positives + self.negatives
        drawn = np.zeros((len(images), most), dtype=np.intp)
        positive, there = (np.zeros((len(images), most), dtype=bool) for _ in range(2))
        for row, (own, seed) in enumerate(zip(relevant.cpu().numpy(), seeds, strict=True)):
            draw = np.random.default_rng(seed)
            chosen = draw.permutation(np.flatnonzero(own))[: self.positives]
            others = draw.permutation(np.flatnonzero(~own))[: self.negatives]
            drawn[row, : len(chosen) + len(others)] = np.concatenate([chosen, others])
            positive[row, : len(chosen)] = there[row, : len(chosen) + len(others)] = True
        sampled = codes[torch.from_numpy(drawn).to(codes.device)]
        is_positive, is_there = (torch.from_numpy(mask).to(codes.device) for mask in (positive, there))
        sign = 1 if goal.objective == "targeted" else -1

        def loss(logits: torch.Tensor, rows: np.ndarray, done: float) -> torch.Tensor:
            relaxed = torch.tanh(logits / mean_size(logits))
            scores = torch.einsum("nk,nmk->nm", relaxed, sampled[rows].to(logits)) / victim.bits
            own = smooth_average_precision(scores, is_positive[rows], is_there[rows], self.temperature)
            return sign * (1 - own)

        return loss


def smooth_average_precision(
    scores: torch.Tensor, positive: torch.Tensor, there: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return the SmoothAP of each image's scores ``(n, m)``, ``(n,)``; see :class:`PTA`.

    Args:
        scores: Higher is nearer.
        positive: Which are wanted, bool ``(n, m)``; an image without any has 0.
        there: Which count at all; the others fill rows up.
        temperature: τ; towards 0 it is the average precision itself.
    """
    # Positives lie first in every row, so that the matrix of comparisons is as small as it can be.
    most = max([1, *positive.sum(dim=1).tolist()])
    ahead = torch.sigmoid((scores[:, None, :] - scores[:, :most, None]) / temperature)  # (n, positive i, j)
    ahead = ahead * there[:, None, :]
    own = torch.eye(most, scores.shape[1], device=scores.device, dtype=torch.bool)
    ahead = ahead.masked_fill(own, 0)
    place = 1 + ahead.sum(dim=2)
    among = 1 + (ahead * positive[:, None, :]).sum(dim=2)
    counted = positive[:, :most].to(scores.dtype)
    return (counted * among / place).sum(dim=1) / counted.sum(dim=1).clamp_min(1)
