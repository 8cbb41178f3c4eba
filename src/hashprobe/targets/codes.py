"""Target codes: which code stands for a target label. Each is a small object ``(labels) -> packed codes``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import pack, unpack
from hashprobe.seeds import numpy_generator
from hashprobe.targets.protocols import Labels

Codes = npt.NDArray[np.uint8]


class TargetCode(Protocol):
    """What stands for a target label: call it with labels, get packed codes."""

    name: ClassVar[str]

    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return packed codes ``(n, ceil(K / 8))`` for multi-hot target labels ``(n, C)``."""
        ...


@dataclass(frozen=True, kw_only=True)
class SampledCode:
    """Codes from ``images`` random database images that carry the target label.

    An image carries the target label when its label vector equals it; where no image's does (a single class may never
    occur alone), when it has all of the target's classes. With fewer than ``images`` such images all of them are used,
    as in 62 % of FLICKR-25K's unique label vectors, which belong to one image each.

    Attributes:
        codes: Packed database codes ``(N, ceil(K / 8))``.
        labels: Multi-hot database labels ``(N, C)``.
        bits: Code length K.
        seed: Of the choice of images.
        images: How many images are drawn for a target label.
    """

    name: ClassVar[str]

    codes: Codes
    labels: Labels
    bits: int
    seed: int
    images: int

    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return one code a target label; see the class. Row i's images depend on the seed and on i alone."""
        wanted = np.asarray(labels).astype(np.uint8)
        if wanted.ndim != 2 or wanted.shape[1] != self.labels.shape[1]:
            raise HashprobeError(
                f"target labels must have shape (n, {self.labels.shape[1]}) as the database's; found {wanted.shape}."
            )
        carriers: dict[bytes, npt.NDArray[np.intp]] = {}
        sums = np.empty((len(wanted), self.bits))
        for row, label in enumerate(wanted):
            found = carriers.setdefault(label.tobytes(), _carriers(self.labels, label))
            drawn = numpy_generator(self.seed, self.name, row).permutation(found)[: self.images]
            sums[row] = unpack(self.codes[drawn], self.bits).sum(axis=0)
        return pack(sums >= 0)


def _carriers(database_labels: Labels, label: Labels) -> npt.NDArray[np.intp]:
    exact = np.flatnonzero((database_labels == label).all(axis=1))
    found = exact if len(exact) else np.flatnonzero((database_labels >= label).all(axis=1))
    if len(found) == 0 or not label.any():
        raise HashprobeError(
            f"no database image has all classes of the target label {np.flatnonzero(label).tolist()}."
        )
    return found


@dataclass(frozen=True, kw_only=True)
class P2PCode(SampledCode):
    """Point-to-point: the code of one random database image that carries the target label (Bai et al., ECCV 2020)."""

    name: ClassVar[str] = "p2p"

    images: int = 1


@dataclass(frozen=True, kw_only=True)
class AnchorCode(SampledCode):
    """DHTA's anchor code: the sign of the sum of the codes of n_t = 9 such images (Bai et al., ECCV 2020)."""

    name: ClassVar[str] = "anchor"

    images: int = 9
