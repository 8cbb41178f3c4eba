"""What a loss is, and the registry of all of them.

To add one: write a frozen dataclass with ``__call__(relaxed, bank, similarity, progress)`` and register it. One that trains
with a tanh sharper than ``tanh(z)`` also has ``tanh_scale(step)``; see :class:`ScaledHashLoss`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch

from hashprobe.registry import Registry


class HashLoss(Protocol):
    """A loss over a batch of B relaxed codes and a bank of N."""

    def __call__(
        self, relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Return the loss, a scalar.

        Args:
            relaxed: Relaxed codes of the batch, ``(B, K)`` in (−1, 1), with gradient.
            bank: The newest relaxed code of every training image, ``(N, K)``, without gradient.
            similarity: ``(B, N)``, 1 where two images share a label, else 0.
            progress: Share of the training that is done, 0 to 1.
        """
        ...


@runtime_checkable
class ScaledHashLoss(HashLoss, Protocol):
    """A loss whose relaxed codes are ``tanh(scale · z)`` with a scale that it sets."""

    def tanh_scale(self, step: int) -> float:
        """Return the scale of the tanh at a training step, counted from 0."""
        ...


HASH_LOSSES: Registry[type[HashLoss]] = Registry("hash loss")


def scale_at(loss: HashLoss, step: int) -> float:
    """Return the scale s of the relaxed codes ``tanh(s · z)`` that a loss trains at a step; 1 unless the loss sets it."""
    return loss.tanh_scale(step) if isinstance(loss, ScaledHashLoss) else 1.0
