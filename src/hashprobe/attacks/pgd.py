"""PGD towards a code in closed form: what the attacks with mainstay and centre codes do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS, Norm
from hashprobe.attacks.loop import Direction, IterativeAttack


@ATTACKS.register("PGD")
@dataclass(frozen=True, kw_only=True)
class PGD(IterativeAttack):
    """Projected gradient descent, under either norm (Madry et al., ICLR 2018), towards the mainstay code or away from it.

    With ``code=mainstay`` these are the attacks of SAAT (TIFS 2023), with ``code=centre`` those of CgAT (arXiv 2204.10779): 100
    sign steps of 1/255 from the image itself. ``objective=sharpening`` is theirs; ours does not depend on how large the
    network's outputs are.

    Attributes:
        steps: Gradient steps.
        step_size: Size of a step, L∞ in [0, 1] units; under ``norm=l2`` its length.
    """

    code: ClassVar[str | None] = "mainstay"
    untargeted_code: ClassVar[str | None] = "mainstay"
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")

    steps: int = 100
    step_size: float = 1 / 255

    @property
    def direction(self) -> Direction:  # type: ignore[override]
        """The sign of the gradient for L∞, the gradient at length 1 for L2: the steepest way of each."""
        return "sign" if self.norm == "linf" else "normalised"
