"""A goal: what the codes of attacked images are to reach, or to get away from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import unpack
from hashprobe.targets.context import Codes, Labels

Objective = Literal["targeted", "untargeted"]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What an attack on n images is to reach.

    Attributes:
        objective: ``targeted``: towards the codes; ``untargeted``: away from them.
        codes: Packed codes ``(n, ceil(K / 8))``; ``None`` for an attack that looks at none, as noise.
        labels: Multi-hot ``(n, C)``: the target labels, or, untargeted, the queries' own where they are known. They say which
            items of a database are wanted, or to be avoided.
    """

    objective: Objective = "targeted"
    codes: Codes | None = None
    labels: Labels | None = None

    def __getitem__(self, rows: slice | npt.NDArray[np.intp]) -> Goal:
        """Return the goal of some of the images: a run of them, or those of which an attack asks."""
        return Goal(
            objective=self.objective,
            codes=None if self.codes is None else self.codes[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    def direction(self, bits: int, like: torch.Tensor) -> torch.Tensor:
        """Return the signs that the codes are to take, ``(n, K)``: the codes as ±1, or their opposite if untargeted.

        An attack that raises ``mean(direction · tanh z)`` so serves both objectives.

        Raises:
            HashprobeError: the goal has no codes.
        """
        if self.codes is None:
            raise HashprobeError(
                "this attack needs the code that it is to reach or to leave; its goal has none."
            )
        signs = torch.from_numpy(unpack(self.codes, bits).astype(np.float32)).to(like.device, like.dtype)
        return signs if self.objective == "targeted" else -signs

    def wanted(self, items: Labels) -> npt.NDArray[np.bool_]:
        """Say of each image's items, labels ``(n, k, C)``, whether it shares a label with the goal's, ``(n, k)``.

        Raises:
            HashprobeError: the goal has no labels.
        """
        if self.labels is None:
            raise HashprobeError("this attack needs the labels of its goal; they are not known here.")
        shared: npt.NDArray[np.bool_] = np.any(items & self.labels[:, None, :], axis=2)
        return shared
