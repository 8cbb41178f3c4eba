"""MAP inside a training loop: the function of this package behind ``update``, ``compute``, ``reset``."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.retrieval.average_precision import Empty, average_precision
from hashprobe.retrieval.codes import PackedCodes, pack
from hashprobe.retrieval.labels import PackedLabels, pack_labels
from hashprobe.retrieval.ties import Float64Array, Ties

Split = Literal["query", "database"]


class HammingMeanAveragePrecision:
    """Mean average precision of hash codes, collected batch by batch.

    It keeps packed codes and labels, K / 8 + C / 8 bytes an image, and no scores.

    Args:
        ties: As for :func:`average_precision`.
        empty: As for :func:`average_precision`.
        top_k: As for :func:`average_precision`.

    Example:
        >>> metric = HammingMeanAveragePrecision()
        >>> metric.update([[0.9, -0.2], [-0.8, 0.1]], [[1, 0], [0, 1]], split="database")
        >>> metric.update([[0.7, -0.9]], [[1, 0]], split="query")
        >>> metric.compute()
        1.0
    """

    def __init__(
        self, *, ties: Ties = "expected", empty: Empty = "count_as_zero", top_k: int | None = None
    ) -> None:
        self.ties: Ties = ties
        self.empty: Empty = empty
        self.top_k = top_k
        self.reset()

    def reset(self) -> None:
        """Forget everything collected."""
        self._bits = 0
        self._codes: dict[str, list[PackedCodes]] = {split: [] for split in get_args(Split)}
        self._labels: dict[str, list[PackedLabels]] = {split: [] for split in get_args(Split)}

    def update(self, outputs: Any, labels: Any, *, split: Split) -> None:
        """Add a batch.

        Args:
            outputs: Relaxed outputs or signs ``(n, K)``, a tensor on any device or an array; the sign is what
                counts.
            labels: Multi-hot ``(n, C)``.
            split: Whether these are ``query`` or ``database`` images.

        Raises:
            HashprobeError: outputs and labels that fit neither each other nor the batches before.
        """
        if split not in self._codes:
            raise unknown_name("split", split, self._codes)
        codes, packed = pack(outputs), pack_labels(labels)
        bits = int(np.shape(outputs)[1])
        if len(codes) != len(packed):
            raise HashprobeError(f"a batch has {len(codes)} outputs but {len(packed)} rows of labels.")
        if self._bits and bits != self._bits:
            raise HashprobeError(
                f"a batch has {bits} bits but those before had {self._bits}; reset() between models."
            )
        for before in self._labels["query"][:1] + self._labels["database"][:1]:
            if before.classes != packed.classes:
                raise HashprobeError(
                    f"a batch has {packed.classes} classes but those before had {before.classes}; "
                    "reset() between data sets."
                )
        self._bits = bits
        self._codes[split].append(codes)
        self._labels[split].append(packed)

    def per_query(self) -> Float64Array:
        """Return the average precision of each query, ``(n,)``.

        Raises:
            HashprobeError: no query or no database batch was added.
        """
        for split, batches in self._codes.items():
            if not batches:
                raise HashprobeError(
                    f"no batch of the {split} split was added; call update(..., split={split!r})."
                )
        codes = [np.concatenate(self._codes[split]) for split in get_args(Split)]
        labels = [
            PackedLabels(np.concatenate([batch.packed for batch in batches]), batches[0].classes)
            for batches in (self._labels[split] for split in get_args(Split))
        ]
        return average_precision(
            codes[0],
            codes[1],
            labels[0],
            labels[1],
            bits=self._bits,
            ties=self.ties,
            empty=self.empty,
            top_k=self.top_k,
        )

    def compute(self) -> float:
        """Return the MAP of what was collected; the state stays.

        Raises:
            HashprobeError: a split is missing, or ``empty="skip"`` leaves no query.
        """
        values = self.per_query()
        if not len(values):
            raise HashprobeError("no query has a relevant item in the database; there is no mean to take.")
        return float(values.mean())
