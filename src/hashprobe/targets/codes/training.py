"""What codes in closed form share: they are weighted sums of the codes of training images."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hashprobe.retrieval import pack, unpack
from hashprobe.targets.codes.base import TargetCode, check_labels
from hashprobe.targets.context import Codes, Context, Labels

Floats = npt.NDArray[np.float64]

ENTRIES_AT_ONCE = 1 << 21
"""Labels times label vectors that are looked at together, which bounds the memory."""
ROUNDING = 1e-9
"""Mean bits nearer to 0 than this are ties, +1 as everywhere, whatever the order in which they were summed."""


@dataclass(frozen=True)
class Shared:
    """What labels share with the n images of each of U label vectors; weights hang on nothing else.

    Attributes:
        common: How many classes both have, ``(m, U)``.
        asked: Classes of each label, ``(m, 1)``.
        found: Classes of each label vector, ``(U,)``.
        images: How many images have each label vector, ``(U,)``.
        sums: Sum of their codes, ``(U, K)``.
    """

    common: Floats
    asked: Floats
    found: Floats
    images: Floats
    sums: Floats

    @property
    def relevant(self) -> Floats:
        """1 where a class is shared, else 0, ``(m, U)``."""
        return (self.common > 0).astype(np.float64)

    def mean(self, weights: Floats) -> Floats:
        """Return the weighted mean of the codes, ``(m, K)``; over no images it is 0.

        Args:
            weights: Of an image, by label and label vector, ``(m, U)``, none negative.
        """
        total = weights @ self.images
        means: Floats = (weights / np.where(total > 0, total, 1.0)[:, None]) @ self.sums
        return means


@dataclass(frozen=True, kw_only=True)
class TrainingCode(TargetCode):
    """A code in closed form from the codes of *training* images, the relevant ones (they share a class) and the others.

    A mean over no images is 0. A label of which no training image has a class has no relevant ones: its code is the opposite
    of the mean of all training codes, whichever the formula. Bits that come out 0 are +1.

    Attributes:
        codes: Packed codes of the training images ``(N, ceil(K / 8))``.
        labels: Their multi-hot labels ``(N, C)``.
        bits: Code length K.
    """

    codes: Codes
    labels: Labels
    bits: int

    @classmethod
    def of(cls, context: Context) -> Self:
        """Make it over the training images.

        Raises:
            HashprobeError: their codes are not known.
        """
        codes, labels = context.training_set()
        return cls(codes=codes, labels=labels.astype(np.uint8), bits=context.bits)

    @abstractmethod
    def values(self, shared: Shared) -> Floats:
        """Return what has the signs of the codes, ``(m, K)``, for labels that share classes with some training images."""

    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return one code a label; see the class."""
        wanted = check_labels(labels, self.labels.shape[1], "the training images'").astype(np.float64)
        vectors, images = np.unique(self.labels, axis=0, return_inverse=True)
        # Sums of signs are whole numbers: exact, in whatever order.
        sums = np.zeros((len(vectors), self.bits))
        np.add.at(sums, images.reshape(-1), unpack(self.codes, self.bits))
        counts = np.bincount(images.reshape(-1), minlength=len(vectors)).astype(np.float64)
        found = vectors.astype(np.float64)
        values = np.empty((len(wanted), self.bits))
        step = max(1, ENTRIES_AT_ONCE // len(vectors))
        for start in range(0, len(wanted), step):
            rows = slice(start, start + step)
            asked = wanted[rows].sum(axis=1, keepdims=True)
            shared = Shared(wanted[rows] @ found.T, asked, found.sum(axis=1), counts, sums)
            some = shared.relevant.any(axis=1, keepdims=True)
            values[rows] = np.where(some, self.values(shared), -shared.mean(np.ones_like(shared.common)))
        return pack(values >= -ROUNDING)
