"""The code that ranks best: a search over bit flips for the highest average precision on the training codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval
from hashprobe.retrieval.flips import count_flips
from hashprobe.seeds import numpy_generator
from hashprobe.targets.codes.base import CODES, TargetCode, check_labels
from hashprobe.targets.codes.centre import CentreCode
from hashprobe.targets.codes.mainstay import MainstayCode
from hashprobe.targets.codes.mean import MeanCode
from hashprobe.targets.codes.sampled import AnchorCode
from hashprobe.targets.context import Codes, Context, Labels

ENTRIES_AT_ONCE = 1 << 21
"""Searches times training codes, or times counts of their neighbours, that are held together."""
CANDIDATES = 32
"""Training codes that are ranked to find the best ones."""
GAIN = 1e-12
"""A smaller gain in average precision may be rounding."""


@CODES.register("ap-search")
@dataclass(frozen=True, kw_only=True)
class APSearchCode(TargetCode):
    """The code with the highest average precision on *training* codes that bit flips find, tied distances averaged exactly.

    Average precision is what t-MAP averages, so that on the training codes this is the ceiling itself, as far as it is found.
    Each search starts at a code and turns, as long as that helps, the bit that raises average precision most; from the level
    counts all K neighbours of a code cost one pass over the training codes. Of all searches of a label the best code is taken,
    which so is no worse than any of the starts: the mainstay, centre and mean code, the anchor code of all training images
    with the label, the ``singles`` training codes that rank best among those with the largest surplus of relevant images, and
    ``restarts`` random codes.

    A label of which no training image has a class has the mainstay code: there is nothing to raise. Untargeted, the opposite
    of this code is approached: near to the code with the lowest average precision, and not quite that.

    Attributes:
        codes: Packed codes of the training images ``(N, ceil(K / 8))``.
        labels: Their multi-hot labels ``(N, C)``.
        bits: Code length K.
        seed: Of the random starts.
        singles: Training codes among the starts.
        restarts: Random codes among the starts, the same ones for every label.
    """

    name = "ap-search"
    heading = "AP search code"

    codes: Codes
    labels: Labels
    bits: int
    seed: int
    singles: int = 2
    restarts: int = 4

    @classmethod
    def of(cls, context: Context) -> Self:
        """Search over the training images.

        Raises:
            HashprobeError: their codes are not known.
        """
        codes, labels = context.training_set()
        return cls(codes=codes, labels=labels.astype(np.uint8), bits=context.bits, seed=context.seed)

    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return one code a label; it hangs on the label and the seed alone."""
        wanted, rows = np.unique(self._checked(labels), axis=0, return_inverse=True)
        items = _Items.of(self.codes, self.labels, self.bits)
        found = np.empty((len(wanted), self.codes.shape[1]), dtype=np.uint8)
        step = max(1, ENTRIES_AT_ONCE // (len(self.codes) * 8))
        for start in range(0, len(wanted), step):
            block = slice(start, start + step)
            relevant = items.relevant(wanted[block])
            found[block] = _climb(items, relevant, self._starts(items, wanted[block], relevant))
        chosen: Codes = found[rows.reshape(-1)]
        return chosen

    def starts(self, labels: npt.NDArray[Any]) -> Codes:
        """Return the codes at which the searches of each label start, ``(s, n, ceil(K / 8))``."""
        items, wanted = _Items.of(self.codes, self.labels, self.bits), self._checked(labels)
        return self._starts(items, wanted, items.relevant(wanted))

    def _checked(self, labels: npt.NDArray[Any]) -> Labels:
        return check_labels(labels, self.labels.shape[1], "the training images'")

    def _starts(self, items: _Items, labels: Labels, relevant: npt.NDArray[np.int64]) -> Codes:
        given: dict[str, Any] = {"codes": self.codes, "labels": self.labels, "bits": self.bits}
        closed = [kind(**given)(labels) for kind in (MainstayCode, CentreCode, MeanCode)]
        anchor, some = closed[0].copy(), relevant.any(axis=1)
        if some.any():
            anchor[some] = AnchorCode(**given, seed=self.seed, images=len(self.codes))(labels[some])
        singles = self._best_singles(items, labels, relevant)
        drawn = numpy_generator(self.seed, self.name).random((self.restarts, 1, self.bits)) < 0.5
        random = np.repeat(np.packbits(drawn, axis=2), len(labels), axis=1)
        return np.concatenate([np.stack([*closed, anchor]), singles, random])

    def _best_singles(self, items: _Items, labels: Labels, relevant: npt.NDArray[np.int64]) -> Codes:
        """Return the training codes that rank best, ``(singles, n, ceil(K / 8))``, of those with the largest surplus."""
        others = items.number - relevant
        surplus = relevant / np.maximum(relevant.sum(axis=1, keepdims=True), 1) - others / np.maximum(
            others.sum(axis=1, keepdims=True), 1
        )
        likely = np.argsort(-surplus, axis=1, kind="stable")[:, : max(CANDIDATES, self.singles)]
        asked, owner = items.codes[likely.reshape(-1)], np.repeat(labels, likely.shape[1], axis=0)
        precision = retrieval.average_precision(asked, self.codes, owner, self.labels, bits=self.bits)
        best = np.argsort(-precision.reshape(likely.shape), axis=1, kind="stable")[:, : self.singles]
        chosen: Codes = items.codes[np.take_along_axis(likely, best, axis=1).T]
        return chosen


@dataclass(frozen=True)
class _Items:
    """The training codes, each different one once.

    Attributes:
        codes: Packed ``(U, ceil(K / 8))``.
        number: How many images have each, ``(U,)``.
        order: Rows of the images, those of one code together ``(N,)``.
        firsts: Where those of each code begin in ``order``, ``(U,)``.
        labels: Labels of all images ``(N, C)``.
        bits: K.
    """

    codes: Codes
    number: npt.NDArray[np.int64]
    order: npt.NDArray[np.intp]
    firsts: npt.NDArray[np.int64]
    labels: Labels
    bits: int

    @classmethod
    def of(cls, codes: Codes, labels: Labels, bits: int) -> _Items:
        different, images, number = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(images.reshape(-1), kind="stable")
        return cls(different, number, order, np.cumsum(number) - number, labels, bits)

    def relevant(self, labels: Labels) -> npt.NDArray[np.int64]:
        """Return how many images of each code share a class with each label, ``(n, U)``."""
        shared = labels.astype(np.float32) @ self.labels[self.order].T.astype(np.float32) > 0
        counts: npt.NDArray[np.int64] = np.add.reduceat(shared, self.firsts, axis=1, dtype=np.int64)
        return counts


def _climb(items: _Items, relevant: npt.NDArray[np.int64], starts: Codes) -> Codes:
    """Return the best code of each label, ``(n, ceil(K / 8))``, that searches from its starts ``(s, n, ceil(K / 8))`` end at."""
    count, (searches, width) = starts.shape[1], (starts.shape[0] * starts.shape[1], starts.shape[2])
    turns = np.packbits(np.eye(items.bits, dtype=np.bool_), axis=1)
    owner = np.tile(np.arange(count), len(starts))
    active = np.column_stack([owner, starts.reshape(searches, width)])
    best: npt.NDArray[np.float64] = np.zeros(count)
    found: Codes = starts[0].copy()
    step = max(1, ENTRIES_AT_ONCE // max((items.bits + 1) ** 2, len(items.codes)))
    while len(active):
        active = np.unique(active, axis=0)  # searches of a label that have met go on as one
        further = []
        for first in range(0, len(active), step):
            part = active[first : first + step]
            own, here = part[:, 0], part[:, 1:].astype(np.uint8)
            counts = count_flips(here, items.codes, items.number, relevant[own], bits=items.bits)
            precision = retrieval.average_precision_from_counts(counts).reshape(len(part), -1)
            bit = precision[:, 1:].argmax(axis=1)
            rising = precision[:, 1:].max(axis=1) > precision[:, 0] + GAIN
            for row in np.flatnonzero(~rising):
                if precision[row, 0] > best[own[row]] + GAIN:
                    best[own[row]], found[own[row]] = precision[row, 0], here[row]
            turned = here[rising] ^ turns[bit[rising]]
            further.append(np.column_stack([own[rising], turned]))
        active = np.concatenate(further)
    return found
