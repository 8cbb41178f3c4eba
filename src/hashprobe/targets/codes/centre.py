"""The centre code of CgAT: the mainstay code's idea with other weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashprobe.targets.codes.base import CODES
from hashprobe.targets.codes.training import Floats, Shared, TrainingCode


@CODES.register("centre")
@dataclass(frozen=True, kw_only=True)
class CentreCode(TrainingCode):
    """The centre code: ``sign(n · Σ w·b − m · Σ b')``, with w the Jaccard index of the two labels.

    The first sum is over the m relevant training codes b, the second over the n others b'. Each is multiplied by the number of
    the *other* side's images. Unlike the mainstay code's, the weights of the relevant ones are not brought to a sum of 1: where
    their labels have little in common with the label, the others count more.
    Where one side has no images, the other stands alone.

    Source: CgAT, "CgAT: Center-Guided Adversarial Training for Deep Hashing-Based Retrieval" (Wang et al., WWW 2023).
    """

    name = "centre"
    heading = "Centre code"

    def values(self, shared: Shared) -> Floats:
        """Return both sums divided by m · n, which leaves the signs; see :class:`TrainingCode`."""
        jaccard = shared.common / np.maximum(shared.asked + shared.found - shared.common, 1)
        relevant = shared.relevant
        near = (jaccard / np.maximum(relevant @ shared.images, 1)[:, None]) @ shared.sums
        return near - shared.mean(1 - relevant)
