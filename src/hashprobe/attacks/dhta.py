"""DHTA and P2P: steps along the normalised gradient, with a tanh that sharpens as they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS, Norm
from hashprobe.attacks.loop import Direction, IterativeAttack
from hashprobe.identity import optional


@ATTACKS.register("DHTA")
@dataclass(frozen=True, kw_only=True)
class DHTA(IterativeAttack):
    """Deep hashing targeted attack (Bai et al., ECCV 2020) towards the anchor code.

    Attributes:
        steps: Gradient steps; the authors' number is 2000.
        step_size: L2 length of a step, an image; the authors' is 1 (for 224×224 images).
        objective: The authors' own, whose α follows the steps.
    """

    direction: ClassVar[Direction] = "normalised"
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")

    steps: int = 2000
    step_size: float = 1.0
    objective: str = optional("sharpening")


@ATTACKS.register("P2P")
@dataclass(frozen=True, kw_only=True)
class P2P(DHTA):
    """The point-to-point attack (Bai et al., ECCV 2020): DHTA's steps towards the code of one image of the target."""

    code: ClassVar[str | None] = "p2p"
