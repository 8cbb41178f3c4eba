"""I-FGSM: many small sign steps within the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.loop import Direction, IterativeAttack


@ATTACKS.register("I-FGSM")
@dataclass(frozen=True, kw_only=True)
class IFGSM(IterativeAttack):
    """Steps along the sign of the gradient (Kurakin, Goodfellow and Bengio, ICLR 2017).

    With the anchor code it is "DHTA + I-FGSM" of the paper's Table 2: 100 steps of 1/255 within 8/255. The paper's objective is
    ``tanh``, which a model with large outputs defeats without being robust; ``objective=tanh`` is that.

    Attributes:
        steps: Gradient steps.
        step_size: Size of a step, L∞ in [0, 1] units.
    """

    VERSION: ClassVar[int] = 2
    direction: ClassVar[Direction] = "sign"

    steps: int = 100
    step_size: float = 1 / 255
