"""What a target code is: an object from labels to packed codes, found by name and made from a context."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.registry import Registry
from hashprobe.targets.context import Codes, Context, Labels


class TargetCode(ABC):
    """What stands for a label: call it with labels, get packed codes. A subclass is registered in ``CODES`` under its name.

    Attributes:
        name: What rows and draws call it.
        heading: What a table calls a row in which these codes themselves are the queries.
    """

    name: ClassVar[str]
    heading: ClassVar[str]

    @classmethod
    @abstractmethod
    def of(cls, context: Context) -> TargetCode:
        """Make the code from what is known around the queries."""

    @abstractmethod
    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return packed codes ``(n, ceil(K / 8))`` for multi-hot labels ``(n, C)``."""


CODES: Registry[type[TargetCode]] = Registry("target code")


def check_labels(labels: npt.NDArray[Any], classes: int, whose: str) -> Labels:
    """Return labels as uint8, or say that they are not multi-hot over so many classes."""
    wanted = np.asarray(labels)
    if wanted.ndim != 2 or wanted.shape[1] != classes:
        raise HashprobeError(
            f"target labels must have shape (n, {classes}), as {whose}; found {wanted.shape}."
        )
    return wanted.astype(np.uint8)
