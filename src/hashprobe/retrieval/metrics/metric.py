"""MAP inside a training loop: the function of this package behind ``update``, ``compute``, ``reset``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.retrieval.arrays import Float64Array
from hashprobe.retrieval.codes import as_array, check_codes, check_spare_bits, pack
from hashprobe.retrieval.kernel.blocks import usable_threads
from hashprobe.retrieval.labels import PackedLabels, pack_labels
from hashprobe.retrieval.metrics.average_precision import Empty, Mode, average_precision, check_policies
from hashprobe.retrieval.metrics.collected import Collected, Split
from hashprobe.retrieval.metrics.ties import Ties

if TYPE_CHECKING:
    State = Collected
else:
    try:
        from hashprobe.retrieval.metrics.torchmetrics_state import TorchmetricsState as State
    except ImportError:
        State = Collected

# From so many database items on, codes that are all ones are taken for outputs that are no signs. A batch does not
# tell: one that holds a single class may have that code, the first row of a Hadamard matrix for one.
ITEMS_TO_JUDGE = 32


class HammingMeanAveragePrecision(State):
    """Mean average precision of hash codes, collected batch by batch.

    It keeps packed codes and labels, K / 8 + C / 8 bytes an image, and no scores. Where torchmetrics is installed
    (extra ``metrics``) it is a ``torchmetrics.Metric``, which a ``MetricCollection`` takes.

    Args:
        ties: As for :func:`average_precision`.
        empty: As for :func:`average_precision`.
        top_k: As for :func:`average_precision`.
        mode: As for :func:`average_precision`.
        threads: How many threads; ``None`` is all.

    Raises:
        HashprobeError: a setting that :func:`average_precision` would not take.

    Example:
        >>> metric = HammingMeanAveragePrecision()
        >>> metric.update([[0.9, -0.2], [-0.8, 0.1]], [[1, 0], [0, 1]], split="database")
        >>> metric.update([[0.7, -0.9]], [[1, 0]], split="query")
        >>> metric.compute()
        1.0
    """

    def __init__(
        self,
        *,
        ties: Ties | None = None,
        empty: Empty = "count_as_zero",
        top_k: int | None = None,
        mode: Mode = "exact",
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.ties, self.top_k = check_policies(ties, empty, top_k, mode)
        self.empty: Empty = empty
        self.mode: Mode = mode
        usable_threads(threads)
        self.threads = threads

    def update(self, outputs: Any, labels: Any, *, split: Split, bits: int | None = None) -> None:
        """Add a batch.

        Args:
            outputs: Relaxed outputs or signs ``(n, K)``, a tensor on any device or an array; the sign is what
                counts. Bits as booleans. Or, with ``bits``, packed codes, uint8 ``(n, ceil(K / 8))``.
            labels: Multi-hot ``(n, C)``.
            split: Whether these are ``query`` or ``database`` images.
            bits: K, where the outputs are packed codes.

        Raises:
            HashprobeError: outputs that :func:`pack` would not take, or outputs and labels that fit neither each
                other nor the batches before.
        """
        if split not in get_args(Split):
            raise unknown_name("split", split, get_args(Split))
        if bits is None:
            signs = as_array(outputs, "outputs")
            codes = pack(signs, "outputs")
            bits = signs.shape[1]
        else:
            codes = np.array(check_codes("outputs", outputs, bits))
            check_spare_bits("outputs", codes, bits)
        packed = pack_labels(labels)
        if len(codes) != len(packed):
            raise HashprobeError(f"a batch has {len(codes)} outputs but {len(packed)} rows of labels.")
        seen_bits, seen_classes = self._widths
        if seen_bits and bits != seen_bits:
            raise HashprobeError(
                f"a batch has {bits} bits but those before had {seen_bits}; reset() between models."
            )
        if seen_classes and packed.classes != seen_classes:
            raise HashprobeError(
                f"a batch has {packed.classes} classes but those before had {seen_classes}; "
                "reset() between data sets."
            )
        self._keep(split, codes, packed, int(bits))

    def merge_state(self, other: HammingMeanAveragePrecision | Sequence[HammingMeanAveragePrecision]) -> None:
        """Add what other metrics have collected, behind one's own and in their order; they stay as they are.

        For a training in several processes: each updates a metric with its own share of the images, and the metrics,
        which pickle, are gathered and merged::

            gathered = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(gathered, metric)
            gathered[0].merge_state(gathered[1:])
            value = gathered[0].compute()

        An image that a sampler gave to two processes, to make their shares equal, counts twice. Under ``ties="order"``
        the order of the database is the one in which it was merged.

        Args:
            other: Another metric or several, of equal settings (``threads`` aside).

        Raises:
            HashprobeError: settings, code length or classes differ; nothing is added then.
        """
        others = list(other) if isinstance(other, Sequence) else [other]
        bits, classes = self._widths
        for one in others:
            if not isinstance(one, HammingMeanAveragePrecision):
                raise HashprobeError(f"only metrics of this kind can be merged; found {type(one).__name__}.")
            for name in ("ties", "empty", "top_k", "mode"):
                own, its = getattr(self, name), getattr(one, name)
                if own != its:
                    raise HashprobeError(
                        f"metrics of different settings cannot be merged: {name} is {own!r} here and {its!r} there."
                    )
            its_bits, its_classes = one._widths
            for what, own, its in (("bits", bits, its_bits), ("classes", classes, its_classes)):
                if own and its and own != its:
                    raise HashprobeError(f"metrics cannot be merged that have seen {own} and {its} {what}.")
            bits, classes = bits or its_bits, classes or its_classes
        for one in others:
            for split in get_args(Split):
                for codes, labels in zip(*one._kept(split), strict=True):
                    self._keep(split, codes, labels, bits)

    def per_query(self) -> Float64Array:
        """Return the average precision of each query, ``(n,)``.

        Raises:
            HashprobeError: no query or no database image was added, or no output of a database of 32 images or more
                was negative, so that all its codes are equal.
        """
        kept = {split: self._kept(split) for split in get_args(Split)}
        for split, (batches, _) in kept.items():
            if not any(map(len, batches)):
                raise HashprobeError(
                    f"no image of the {split} split was added; call update(..., split={split!r})."
                )
        bits, classes = self._widths
        queries, database = (np.concatenate(codes) for codes, _ in kept.values())
        ones = pack(np.ones((1, bits)))
        if len(database) >= ITEMS_TO_JUDGE and (database == ones).all():
            raise HashprobeError(
                f"not one output of the {len(database)} database images was negative, so that all their codes are "
                "equal; give signs or relaxed codes in [-1, 1], bits 0 and 1 as booleans, and of sigmoid outputs take 0.5 "
                "away."
            )
        labels = [
            PackedLabels(np.concatenate([batch.packed for batch in batches]), classes)
            for _, batches in kept.values()
        ]
        return average_precision(
            queries,
            database,
            labels[0],
            labels[1],
            bits=bits,
            ties=self.ties,
            empty=self.empty,
            top_k=self.top_k,
            mode=self.mode,
            threads=self.threads,
        )

    def compute(self) -> float:
        """Return the MAP of what was collected; the state stays.

        Raises:
            HashprobeError: as for :meth:`per_query`, or ``empty="skip"`` leaves no query.
        """
        values = self.per_query()
        if not len(values):
            raise HashprobeError("no query has a relevant item in the database; there is no mean to take.")
        return float(values.mean())
