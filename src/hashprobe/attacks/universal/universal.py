"""A universal perturbation for each target label: one that works on any image, trained once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, Field

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.universal.base import PerLabelAttack, PerLabelSettings, Perturbations
from hashprobe.data import RetrievalData
from hashprobe.trained import TRAINED


class UniversalSettings(PerLabelSettings):
    """How universal perturbations are trained.

    Attributes:
        epsilon: L∞ budget in [0, 1] units.
    """

    epsilon: float = Field(8 / 255, gt=0, le=1)


@TRAINED.register("Universal")
@ATTACKS.register("Universal")
@dataclass(frozen=True, kw_only=True)
class Universal(PerLabelAttack):
    """Targeted universal perturbations: adding one to any image is all there is to do.

    Trained as targeted universal attacks on hashing are (TUA 2021, UTAP 2024). Their formulas were not read: the objective is
    DHTA's, the mean over training images x of ``mean_k(h_t · tanh z(x + v))``, and the codes h_t are anchor codes over the
    training images.

    Attributes:
        epsilon: L∞ budget that they are clipped to; that of the training if not given.
    """

    name: ClassVar[str] = "Universal"
    what: ClassVar[str] = "universal perturbation"
    Settings = UniversalSettings
    presets: ClassVar[Mapping[str, BaseModel]] = {"cpu": UniversalSettings(steps=24, batch_size=4)}

    settings: UniversalSettings

    @classmethod
    def begin(cls, settings: Any, labels: int, codes: int, data: RetrievalData, bits: int) -> Perturbations:
        """Return no change at all."""
        return Perturbations(labels, codes, data.classes, bits, data.image_size)

    @classmethod
    def applied(cls, images: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return ``x + v``."""
        return (images + values).clamp(0, 1)

    @classmethod
    def loss(cls, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return ``−mean_k(h_t · tanh z)``."""
        return -(wanted * torch.tanh(logits)).mean(dim=-1)

    @classmethod
    def bounded(cls, settings: Any, values: torch.Tensor) -> torch.Tensor:
        """Return values within the budget."""
        return values.clamp(-settings.epsilon, settings.epsilon)

    @classmethod
    def budget(cls, settings: Any) -> float | None:
        """Return the budget of the training."""
        return float(settings.epsilon)
