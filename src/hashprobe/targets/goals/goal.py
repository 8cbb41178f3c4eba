"""A goal: what the codes of attacked images are to reach, or to get away from."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
        training: Packed codes and labels of training images ``(N, …)``, shared by all n images, for an attack that asks for them.
    """

    objective: Objective = "targeted"
    codes: Codes | None = None
    labels: Labels | None = None
    training: tuple[Codes, Labels] | None = None

    def __getitem__(self, rows: slice | npt.NDArray[np.intp]) -> Goal:
        """Return the goal of some of the images: a run of them, or those of which an attack asks."""
        return replace(
            self,
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

    def relevant_codes(self, bits: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the training codes as ±1, ``(N, K)``, and which of them share a label with each image's goal, bool ``(n, N)``.

        Raises:
            HashprobeError: the goal has no labels or no training codes.
        """
        if self.labels is None or self.training is None:
            raise HashprobeError(
                "this attack reads the codes and labels of training images, which its goal lacks: Goal(training=…, labels=…)."
            )
        codes, labels = self.training
        signs = torch.from_numpy(unpack(codes, bits).astype(np.float32)).to(like.device, like.dtype)
        shared = self.labels.astype(np.float32) @ labels.T.astype(np.float32) > 0
        return signs, torch.from_numpy(shared).to(like.device)

    def wanted(self, items: Labels) -> npt.NDArray[np.bool_]:
        """Say of each image's items, labels ``(n, k, C)``, whether it shares a label with the goal's, ``(n, k)``.

        Raises:
            HashprobeError: the goal has no labels.
        """
        if self.labels is None:
            raise HashprobeError("this attack needs the labels of its goal; they are not known here.")
        shared: npt.NDArray[np.bool_] = np.any(items & self.labels[:, None, :], axis=2)
        return shared
