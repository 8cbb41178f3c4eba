"""A place in training for what a defence does to a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.hashing.models import HashModel
from hashprobe.processes import Processes, Share


@dataclass(frozen=True)
class Batch:
    """A batch of B of the N training images, at one step.

    Several processes share the images, and each sees the whole batch of everything else; a process alone has all of them.

    Attributes:
        model: The model that is trained, in training mode; an inner attack puts it in :func:`hashprobe.hashing.frozen`.
        images: This process's images, augmented, float ``(b, 3, h, w)`` in [0, 1].
        share: Which of the B rows they are: ``labels[share.rows]`` are their labels.
        rows: Which training images the batch holds, ``(B,)``.
        labels: Multi-hot labels as float, ``(B, C)``.
        similarity: ``(B, N)``, 1 where two images share a label, else 0.
        bank: The newest relaxed code of every training image, ``(N, K)``, from before this step; not to be changed.
        progress: Share of the training that is done, 0 to 1.
        step: Of the training, from 0.
        generator: Of what the hook draws, on the CPU. What is drawn is drawn for all B rows, then cut to ``share.rows``.
        processes: The processes that share the batch.
    """

    model: HashModel
    images: torch.Tensor
    share: Share
    rows: npt.NDArray[np.int64]
    labels: torch.Tensor
    similarity: torch.Tensor
    bank: torch.Tensor
    progress: float
    step: int
    generator: torch.Generator
    processes: Processes

    def relaxed(self, images: torch.Tensor) -> torch.Tensor:
        """Return the relaxed codes of the whole batch, ``(B, K)``, for images in the place of this process's own.

        They carry the gradient that trains the model. A loss that is made of them, as of one process's, is right for several.
        """
        return self.processes.gather_with_grad(self.model(images), self.share, len(self.rows))


class BatchHook(Protocol):
    """What is done at every step in the place of a plain forward pass.

    It may change the images (an inner attack) and add to the loss. Its ``repr`` (or a function's name) belongs to the identity
    of the training, so it says all settings; it keeps nothing from step to step, so that a training goes on after a kill.
    """

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the relaxed codes ``(B, K)`` that the hash loss and the bank get, and a loss to add or ``None``.

        Doing nothing is ``return batch.relaxed(batch.images), None``.
        """
        ...
