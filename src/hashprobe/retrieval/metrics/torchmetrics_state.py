"""What a streaming metric has collected, as states of torchmetrics, which moves, saves, gathers and clears them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from hashprobe.retrieval.codes import PackedCodes
from hashprobe.retrieval.labels import PackedLabels
from hashprobe.retrieval.metrics.collected import STATES, Collected


class TorchmetricsState(Metric, Collected):
    """The same lists as tensors on the metric's device.

    Several processes of ``torch.distributed`` are put together by ``compute``; each has to have added at least one
    batch of each split. Metrics of equal state share it within a ``MetricCollection``.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self) -> None:
        Metric.__init__(self)
        for name in STATES:
            self.add_state(name, default=[], dist_reduce_fx="cat")
        self.add_state("widths", default=torch.zeros(2, dtype=torch.int64), dist_reduce_fx="max")

    def reset(self) -> None:
        """Forget everything collected."""
        Metric.reset(self)

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch, as ``update`` does. A batch is of one split and has no MAP of its own: nothing is returned."""
        for name in STATES:  # another metric of a collection may hold the same list
            setattr(self, name, list(getattr(self, name)))
        self.update(*args, **kwargs)

    @property
    def _widths(self) -> tuple[int, int]:
        bits, classes = self.widths.tolist()
        return bits, classes

    def _keep(self, split: str, codes: PackedCodes, labels: PackedLabels, bits: int) -> None:
        for name, array in ((f"{split}_codes", codes), (f"{split}_labels", labels.packed)):
            getattr(self, name).append(torch.from_numpy(np.ascontiguousarray(array)).to(self.device))
        self.widths = torch.tensor([bits, labels.classes], device=self.device)
        # after a merge, which torchmetrics does not see
        self._computed = None
        self._update_count = max(self._update_count, 1)

    def _arrays(self, name: str) -> list[np.ndarray]:
        kept = getattr(self, name)
        return [dim_zero_cat(kept).cpu().numpy()] if len(kept) else []
