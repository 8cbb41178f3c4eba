"""THA: sign steps towards the code of a PrototypeNet that a circle loss trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.ifgsm import IFGSM
from hashprobe.identity import optional
from hashprobe.targets import Objective


@ATTACKS.register("THA")
@dataclass(frozen=True, kw_only=True)
class THA(IFGSM):
    """The THA attack (2022): towards a prototype code that a circle loss trained.

    100 sign steps of 1/255 within 8/255 towards the code ``circle`` of the target label, with DHTA's α.

    Attributes:
        objective: The authors' own, whose α follows the steps.
    """

    objectives: ClassVar[tuple[Objective, ...]] = ("targeted",)
    code: ClassVar[str | None] = "circle"

    objective: str = optional("sharpening")
