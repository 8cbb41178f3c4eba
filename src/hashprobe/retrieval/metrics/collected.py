"""What a streaming metric has collected, as plain lists. :mod:`torchmetrics_state` keeps the same as torchmetrics does."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.labels import PackedLabels

Split = Literal["query", "database"]

STATES = tuple(f"{split}_{what}" for split in get_args(Split) for what in ("codes", "labels"))
"""The names of the lists: packed codes and packed labels of each split, a batch an item."""


class Collected:
    """Packed codes and labels of both splits, and how many bits and classes they have (0 before the first batch)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything collected."""
        self._seen = (0, 0)
        for name in STATES:
            setattr(self, name, [])

    @property
    def _widths(self) -> tuple[int, int]:
        """Bits of the codes and number of classes."""
        return self._seen

    def _keep(self, split: str, codes: PackedCodes, labels: PackedLabels, bits: int) -> None:
        getattr(self, f"{split}_codes").append(codes)
        getattr(self, f"{split}_labels").append(labels.packed)
        self._seen = (bits, labels.classes)

    def _kept(self, split: str) -> tuple[list[PackedCodes], list[PackedLabels]]:
        """Return the batches of a split: codes, and labels."""
        codes, labels = (self._arrays(f"{split}_{what}") for what in ("codes", "labels"))
        return codes, [PackedLabels(packed, self._widths[1]) for packed in labels]

    def _arrays(self, name: str) -> list[np.ndarray]:
        return list(getattr(self, name))
