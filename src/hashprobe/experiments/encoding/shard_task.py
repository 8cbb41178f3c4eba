"""A task of the engine that encodes a shard, and how a process that does such tasks opens the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hashprobe.auditing.shards import Shard, make_shard
from hashprobe.auditing.stored import SHARDS, shard_path
from hashprobe.devices import resolve_device
from hashprobe.experiments.encoding.sources import Source
from hashprobe.experiments.engine import Task
from hashprobe.hashing import HashModel, open_model, share_service


@dataclass(frozen=True)
class ModelOpening:
    """How each process opens the model, once.

    Attributes:
        model: As for :func:`hashprobe.hashing.open_model`.
        device: Where it computes.
        workers: How many processes ask it.
        asked: Questions that were asked of it before, where it is a service.
    """

    model: str | Path
    device: str
    workers: int
    asked: int

    def open(self) -> HashModel:
        """Return the model."""
        if self not in _OPEN:
            model = open_model(self.model).to(resolve_device(self.device))
            share_service(model, self.workers, self.asked)
            self.is_open(model)
        return _OPEN[self]

    def is_open(self, model: HashModel) -> None:
        """Say that this process has opened it."""
        _OPEN.clear()
        _OPEN[self] = model


_OPEN: dict[ModelOpening, HashModel] = {}


@dataclass(frozen=True)
class ShardTask:
    """A task that encodes a shard.

    Attributes:
        folder: Of the results.
        number: Of the shard.
        count: How many pictures it holds.
        source: The pictures.
        width: Bytes of a code.
        opening: The model.
    """

    folder: Path
    number: int
    count: int
    source: Source
    width: int
    opening: ModelOpening

    @property
    def key(self) -> str:
        """Its number."""
        return str(self.number)

    @property
    def title(self) -> str:
        """Its number, in words."""
        return f"shard {self.number}"

    @property
    def path(self) -> Path:
        """Its file."""
        return shard_path(self.folder / SHARDS, self.number)

    def needs(self) -> Sequence[Task]:
        """Need nothing."""
        return ()

    def finished(self) -> bool:
        """Say whether it is there, whole; a damaged one is an error."""
        return self.path.exists() and not self.read().missing

    def make(self) -> None:
        """Encode what is missing of it."""
        make_shard(self.path, self.source.opened(), self.opening.open())

    def read(self) -> Shard:
        """Return it."""
        return Shard.read(self.path, self.count, self.width)
