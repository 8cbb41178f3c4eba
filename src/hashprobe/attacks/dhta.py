"""DHTA and P2P: steps along the normalised gradient, with a tanh that sharpens as they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.loop import Direction, IterativeAttack


def sharpening(done: float) -> float:
    """Return α after a share ``done`` of the steps: 0.1 for the first half, then 0.2, 0.3, 0.5, 0.7, 1 for a tenth each.

    For 2000 steps this is the published schedule; for another number it keeps its proportions.
    """
    later = (0.2, 0.3, 0.5, 0.7, 1.0)
    return 0.1 if done < 0.5 else later[min(int((done - 0.5) * 10 + 1e-9), 4)]


@ATTACKS.register("DHTA")
@dataclass(frozen=True, kw_only=True)
class DHTA(IterativeAttack):
    """Deep hashing targeted attack (Bai et al., ECCV 2020) towards the anchor code.

    Attributes:
        steps: Gradient steps; the authors' number is 2000.
        step_size: L2 length of a step, an image; the authors' is 1 (for 224×224 images).
    """

    direction: ClassVar[Direction] = "normalised"

    steps: int = 2000
    step_size: float = 1.0

    def alpha(self, done: float) -> float:
        """Return :func:`sharpening`."""
        return sharpening(done)


@ATTACKS.register("P2P")
@dataclass(frozen=True, kw_only=True)
class P2P(DHTA):
    """The point-to-point attack (Bai et al., ECCV 2020): DHTA's steps towards the code of one image of the target."""

    code: ClassVar[str | None] = "p2p"
