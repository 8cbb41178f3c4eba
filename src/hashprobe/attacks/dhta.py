"""DHTA: steps along the normalised gradient, with a tanh that sharpens as they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.attacks.loop import descend
from hashprobe.hashing import HashModel


def sharpening(done: float) -> float:
    """Return α after a share ``done`` of the steps: 0.1 for the first half, then 0.2, 0.3, 0.5, 0.7, 1 for a tenth each.

    For 2000 steps this is the published schedule; for another number it keeps its proportions.
    """
    later = (0.2, 0.3, 0.5, 0.7, 1.0)
    return 0.1 if done < 0.5 else later[min(int((done - 0.5) * 10 + 1e-9), 4)]


@ATTACKS.register("DHTA")
@dataclass(frozen=True, kw_only=True)
class DHTA(Attack):
    """Deep hashing targeted attack (Bai et al., ECCV 2020) towards the anchor code.

    Attributes:
        steps: Gradient steps; the authors' number is 2000.
        step_size: L2 length of a step, an image; the authors' is 1 (for 224×224 images).
    """

    steps: int = 2000
    step_size: float = 1.0

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
            direction="normalised",
            alpha=sharpening,
        )


@ATTACKS.register("P2P")
@dataclass(frozen=True, kw_only=True)
class P2P(DHTA):
    """The point-to-point attack (Bai et al., ECCV 2020): DHTA's steps towards the code of one image of the target."""

    code: ClassVar[str] = "p2p"
