"""I-FGSM: many small sign steps within the budget."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.attacks.loop import descend
from hashprobe.hashing import HashModel


@ATTACKS.register("I-FGSM")
@dataclass(frozen=True, kw_only=True)
class IFGSM(Attack):
    """Steps along the sign of the gradient (Kurakin, Goodfellow and Bengio, ICLR 2017).

    With the anchor code it is "DHTA + I-FGSM" of the paper's Table 2: 100 steps of 1/255 within 8/255.

    Attributes:
        steps: Gradient steps.
        step_size: Size of a step, L∞ in [0, 1] units.
    """

    steps: int = 100
    step_size: float = 1 / 255

    @property
    def forward_passes(self) -> int:  # type: ignore[override]
        """Forward passes an image."""
        return self.steps

    @property
    def backward_passes(self) -> int:  # type: ignore[override]
        """Backward passes an image."""
        return self.steps

    def perturb(
        self,
        model: HashModel,
        images: torch.Tensor,
        goal: torch.Tensor,
        generator: torch.Generator,
        labels: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        return descend(
            model,
            images,
            goal,
            steps=self.steps,
            step_size=self.step_size,
            epsilon=self.epsilon,
            direction="sign",
        )
