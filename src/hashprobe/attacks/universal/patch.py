"""An adversarial patch for each target label: a small picture that is put into a corner of any image, trained once."""

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

REACHED = 0.3
"""How near to its target a bit no longer counts in the loss (AdvHash)."""


class PatchSettings(PerLabelSettings):
    """How patches are trained.

    Attributes:
        area: Share of the image that the patch covers.
        step_sizes: Larger than those of a perturbation, since a patch may take any value.
    """

    area: float = Field(0.1, gt=0, le=1)
    step_sizes: tuple[float, ...] = Field((16 / 255, 8 / 255, 4 / 255), min_length=1)


@TRAINED.register("Patch")
@ATTACKS.register("Patch")
@dataclass(frozen=True, kw_only=True)
class Patch(PerLabelAttack):
    """Targeted patches with AdvHash's loss (2021): one patch for all images and one target label.

    The loss of an image is ``−Σ_k w_k h_k c_k / K`` with h = tanh z and the code c of the target label; w is 0 for bits that are
    within 0.3 of c already, else 1. The patch lies in the lower right corner, starts grey, and may take any value in [0, 1];
    where it lies, its size (a tenth of the area) and its optimiser (sign steps of falling size) are our choices. It has no
    L∞ budget: its rows are unbounded, unlike those of other attacks.

    Attributes:
        epsilon: None by its nature; a number clips the patch towards the picture below it.
    """

    name: ClassVar[str] = "Patch"
    what: ClassVar[str] = "patch"
    Settings = PatchSettings
    presets: ClassVar[Mapping[str, BaseModel]] = {"cpu": PatchSettings(steps=24, batch_size=4)}

    epsilon: float | None = None
    settings: PatchSettings

    @classmethod
    def begin(cls, settings: Any, labels: int, codes: int, data: RetrievalData, bits: int) -> Perturbations:
        """Return grey patches."""
        side = max(1, round(data.image_size * settings.area**0.5))
        grey = Perturbations(labels, codes, data.classes, bits, data.image_size, side)
        grey.values.fill_(0.5)
        return grey

    @classmethod
    def applied(cls, images: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return images whose lower right corner is the patch."""
        side = values.shape[-1]
        covered = images.clone()
        covered[..., -side:, -side:] = values
        return covered

    @classmethod
    def loss(cls, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return ``−Σ_k w_k h_k c_k / K``."""
        relaxed = torch.tanh(logits)
        open_bits = ((relaxed - wanted).abs() > REACHED).detach()
        return -(open_bits * wanted * relaxed).mean(dim=-1)

    @classmethod
    def bounded(cls, settings: Any, values: torch.Tensor) -> torch.Tensor:
        """Return values in [0, 1]."""
        return values.clamp(0, 1)

    @classmethod
    def budget(cls, settings: Any) -> float | None:
        """Return None: a patch is bounded by its area."""
        return None
