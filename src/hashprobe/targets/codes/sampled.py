"""Codes of database images that carry the label: P2P's of one image, DHTA's anchor code of nine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import pack, unpack
from hashprobe.seeds import numpy_generator
from hashprobe.targets.codes.base import CODES, TargetCode, check_labels
from hashprobe.targets.context import Codes, Context, Labels


@dataclass(frozen=True, kw_only=True)
class SampledCode(TargetCode):
    """Codes from ``images`` random database images that carry the target label.

    An image carries the label when its label vector equals it. Where no image's does (a single class may never occur alone),
    those carry it that share the most classes with it: all of its classes, if any image has them. With fewer than ``images``
    such images all of them are used, as for 62 % of FLICKR-25K's unique label vectors, which belong to one image each.

    Attributes:
        codes: Packed database codes ``(N, ceil(K / 8))``.
        labels: Multi-hot database labels ``(N, C)``.
        bits: Code length K.
        seed: Of the choice of images.
        images: How many images are drawn for a target label.
    """

    codes: Codes
    labels: Labels
    bits: int
    seed: int
    images: int

    @classmethod
    def of(cls, context: Context) -> SampledCode:
        """Make it over the database."""
        parts: dict[str, Any] = {"codes": context.database_codes, "labels": context.database_labels}
        return cls(**parts, bits=context.bits, seed=context.seed)

    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return one code a target label; see the class. Row i's images depend on the seed and on i alone."""
        wanted = check_labels(labels, self.labels.shape[1], "the database's")
        carriers: dict[bytes, npt.NDArray[np.intp]] = {}
        sums = np.empty((len(wanted), self.bits))
        for row, label in enumerate(wanted):
            if (key := label.tobytes()) not in carriers:
                carriers[key] = _carriers(self.labels, label)
            drawn = numpy_generator(self.seed, self.name, row).permutation(carriers[key])[: self.images]
            sums[row] = unpack(self.codes[drawn], self.bits).sum(axis=0)
        return pack(sums >= 0)


def _carriers(database_labels: Labels, label: Labels) -> npt.NDArray[np.intp]:
    shared = (database_labels & label).sum(axis=1)
    if not shared.any():
        raise HashprobeError(
            f"no database image shares a class with the label {np.flatnonzero(label).tolist()}."
        )
    exact = np.flatnonzero((database_labels == label).all(axis=1))
    return exact if len(exact) else np.flatnonzero(shared == shared.max())


@CODES.register("p2p")
@dataclass(frozen=True, kw_only=True)
class P2PCode(SampledCode):
    """Point-to-point: the code of one random database image that carries the target label (Bai et al., ECCV 2020)."""

    name = "p2p"
    heading = "P2P code"

    images: int = 1


@CODES.register("anchor")
@dataclass(frozen=True, kw_only=True)
class AnchorCode(SampledCode):
    """DHTA's anchor code: the sign of the sum of the codes of n_t = 9 such images (Bai et al., ECCV 2020)."""

    name = "anchor"
    heading = "Anchor code"

    images: int = 9
