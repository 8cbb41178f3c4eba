"""An attacked query set: what is left of it once it has been measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hashprobe.attacks import Cost
from hashprobe.targets import Codes


@dataclass(frozen=True)
class Attacked:
    """An attacked query set: what is left of it once it has been measured.

    Attributes:
        codes: Packed codes of the adversarial images, as the attack returned them.
        codes_uint8: Packed codes after rounding to 8 bit, as a picture file holds them.
        transferred: Both under each of the other models that were asked for, in their order.
        kept: The adversarial images of ``keep``, rounded to 8 bit, uint8 ``(k, 3, h, w)``.
        linf: Largest change.
        l2: Largest L2 length of an image's change.
        rms: Root of the mean squared change.
        seconds: Time of the attack alone, all images; of several processes, the sum of their times.
        cost: Passes and questions, counted for each image.
        won: Of an attack that tries several: in which share of the queries each served best.
        restart_bits: Of an attack that starts several times: how many bits its results for an image lie apart, the mean.
    """

    codes: Codes
    codes_uint8: Codes
    transferred: tuple[tuple[Codes, Codes], ...]
    kept: npt.NDArray[np.uint8]
    linf: float
    l2: float
    rms: float
    seconds: float
    cost: Cost
    won: dict[str, float] | None = None
    restart_bits: float | None = None

    def under(self, other: int) -> Attacked:
        """Return the same with the codes of another model, by its number."""
        codes, codes_uint8 = self.transferred[other]
        return replace(self, codes=codes, codes_uint8=codes_uint8)
