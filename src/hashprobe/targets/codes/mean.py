"""SDHA's code: the mean of the relevant training codes."""

from __future__ import annotations

from dataclasses import dataclass

from hashprobe.targets.codes.base import CODES
from hashprobe.targets.codes.training import Floats, Shared, TrainingCode


@CODES.register("mean")
@dataclass(frozen=True, kw_only=True)
class MeanCode(TrainingCode):
    """The sign of the mean of the relevant training codes, all with one weight; the others are not looked at.

    Source: SDHA ("Smart Adversarial Attack on Deep Hashing Based Image Retrieval", Lu et al. 2021), which weighs these codes by
    distance within its loss; the sign of their mean is the code that they have in common.
    """

    name = "mean"
    heading = "Mean code"

    def values(self, shared: Shared) -> Floats:
        """Return the mean; see :class:`TrainingCode`."""
        return shared.mean(shared.relevant)
