"""Few steps, large at first: nearly what a hundred steps reach, for the price of some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.loop import Direction, IterativeAttack


@ATTACKS.register("FewStep")
@dataclass(frozen=True, kw_only=True)
class FewStep(IterativeAttack):
    """Sign steps whose size falls evenly from 4/255 to 1/255, within 8/255; our own schedule, measured in the docs.

    Attributes:
        steps: Gradient steps; one alone is of ``step_size``.
        step_size: Size of the first step, L∞ in [0, 1] units.
        last_step_size: Size of the last.
    """

    direction: ClassVar[Direction] = "sign"

    steps: int = 5
    step_size: float = 4 / 255
    last_step_size: float | None = 1 / 255
