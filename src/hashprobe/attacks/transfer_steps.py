"""Sign steps made to carry over to other models: published variants of I-FGSM, as settings of the one loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.ifgsm import IFGSM
from hashprobe.identity import optional


@ATTACKS.register("MI-FGSM")
@dataclass(frozen=True, kw_only=True)
class MIFGSM(IFGSM):
    """Momentum (Dong et al., CVPR 2018): the directions of all steps so far count."""

    momentum: float = optional(1.0)


@ATTACKS.register("DI-FGSM")
@dataclass(frozen=True, kw_only=True)
class DIFGSM(MIFGSM):
    """Input diversity (Xie et al., CVPR 2019), with momentum: half of the steps look at a smaller picture.

    Theirs is at most a tenth smaller, for 299 pixels; so is ours, for any size.
    """

    stochastic: ClassVar[bool] = True

    diversity: float = optional(0.5)


@ATTACKS.register("TI-FGSM")
@dataclass(frozen=True, kw_only=True)
class TIFGSM(MIFGSM):
    """Translation invariance (Dong et al., CVPR 2019), with momentum: the gradient is smoothed.

    Their kernel has 15 pixels, for images of 299; ours 5, for about 64 to 128.
    """

    translation: int = optional(5)


@ATTACKS.register("SI-FGSM")
@dataclass(frozen=True, kw_only=True)
class SIFGSM(MIFGSM):
    """Scale invariance (Lin et al., ICLR 2020), with momentum: the sum of the gradients at x, x/2, …, x/16."""

    scales: int = optional(5)


@ATTACKS.register("VMI-FGSM")
@dataclass(frozen=True, kw_only=True)
class VMIFGSM(MIFGSM):
    """Variance tuning (Wang and He, CVPR 2021), with momentum: each step is corrected by what neighbours of the last place had.

    20 neighbours are published; 5 are ours, for the time.
    """

    stochastic: ClassVar[bool] = True

    variance: int = optional(5)
