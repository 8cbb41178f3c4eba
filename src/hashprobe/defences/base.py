"""The base of every defence, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hashprobe.hashing import Batch
from hashprobe.registry import Registry

DEFENCES: Registry[type[Defence]] = Registry("defence")


@dataclass(frozen=True, kw_only=True)
class Defence(ABC):
    """A defence that has its place in training: the ``hook`` of :func:`hashprobe.hashing.train_hash_model`.

    A subclass is a frozen dataclass of numbers with one call; its ``repr`` tells trainings apart, so every setting is a field.
    It attacks the batch's own images (:mod:`hashprobe.attacks` lies below this room) inside ``hashing.frozen``, lets the model
    see them by ``batch.relaxed``, and says what the hash loss gets and what is added to it. What it draws comes from
    ``batch.generator``. A defence that changes the input of a finished model is a transform instead;
    see :meth:`hashprobe.hashing.HashModel.with_transform`.
    """

    @abstractmethod
    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the relaxed codes ``(B, K)`` for the hash loss and the bank, and a loss to add or ``None``.

        Args:
            batch: What is trained on at this step; see :class:`hashprobe.hashing.Batch`.
        """


def make_defence(name: str, settings: Mapping[str, Any]) -> Defence:
    """Return the defence that is registered as ``name``, with its settings.

    Raises:
        HashprobeError: no such defence, a setting that it does not have, or one that it needs.
    """
    return DEFENCES.make(name, settings)
