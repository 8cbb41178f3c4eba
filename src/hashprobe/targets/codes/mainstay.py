"""The mainstay code of SAAT: near to relevant training codes, by how alike the labels are, and far from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashprobe.targets.codes.base import CODES
from hashprobe.targets.codes.training import Floats, Shared, TrainingCode


@CODES.register("mainstay")
@dataclass(frozen=True, kw_only=True)
class MainstayCode(TrainingCode):
    """The mainstay code: ``sign(Σ w·b / Σ w − Σ b' / n)``, with w the cosine of the two label vectors.

    The first sum is over the relevant training codes b, the second over the n others b'.

    Source: SAAT, "Semantic-Aware Adversarial Training for Reliable Deep Hashing Retrieval" (Yuan et al., TIFS 2023).
    """

    name = "mainstay"
    heading = "Mainstay code"

    def values(self, shared: Shared) -> Floats:
        """Return the difference of the two means; see :class:`TrainingCode`."""
        cosine = shared.common / np.sqrt(np.maximum(shared.asked * shared.found, 1))
        return shared.mean(cosine) - shared.mean(1 - shared.relevant)
