"""Trained parts: hash models with the codes of their images, and attacks and codes trained against them, which cells share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, SerializeAsAny
from safetensors.numpy import load_file, save_file

from hashprobe.evaluation import Evaluator
from hashprobe.experiments.engine import Task
from hashprobe.experiments.grid import Grid
from hashprobe.experiments.models import AttackedModel, train_model_into
from hashprobe.experiments.tasks import FolderTask
from hashprobe.files import replacing
from hashprobe.hashing import HashModel
from hashprobe.identity import settings_identity, version_of
from hashprobe.main_process import is_main
from hashprobe.targets import Codes
from hashprobe.trained import TRAINED, Trained, TrainingRun, load_trained, seeded_name, train_into

CODES_FILE = "codes.safetensors"


class HashModelTask(FolderTask):
    """Trains a hash model and computes the codes of the three splits.

    Attributes:
        model: The hash model.
    """

    room: ClassVar[str] = "hash-models"

    model: AttackedModel

    @property
    def title(self) -> str:
        """The model's."""
        return self.model.title

    @property
    def part(self) -> str:
        """The hash model."""
        return "hash model"

    @property
    def plain_name(self) -> str:
        """The hash model's."""
        return "hash-model"

    def needs(self) -> Sequence[Task]:
        """Need nothing."""
        return ()

    def work(self) -> dict[str, Any]:
        """Train it, and keep the codes of queries, database and training images."""
        data = self.grid.load()
        model = train_model_into(
            self.path,
            self.model,
            data,
            seed=self.grid.seed,
            device=self.device,
            logs=self.logs,
            progress=self.grid.progress,
        )
        codes = {
            split: model.codes(getattr(data, split).images, progress=self.grid.progress, distributed=True)
            for split in ("query", "database", "train")
        }
        if is_main():
            with replacing(self.path / CODES_FILE) as temporary:
                save_file(codes, temporary)
        evaluator = Evaluator(
            model,
            data,
            seed=self.grid.seed,
            database_codes=codes["database"],
            query_codes=codes["query"],
        )
        return {"map": evaluator.map_benign, "map_chance": evaluator.map_chance, "sha256": model.sha256()}

    def load(self) -> HashModel:
        """Return the trained model; in one process it is read once."""
        return _load_model(self.path, self.facts()["sha256"], self.grid.device)

    def codes(self) -> dict[str, Codes]:
        """Return the packed codes of ``query``, ``database`` and ``train``."""
        return load_file(self.path / CODES_FILE)


# The fingerprint is among the arguments since a folder may be deleted and made anew.
@lru_cache(maxsize=4)
def _load_model(path: Path, sha256: str, device: str) -> HashModel:
    return HashModel.load(path).to(device)


@lru_cache(maxsize=8)
def _load_trained(path: Path, sha256: str, name: str) -> Trained:
    return load_trained(path, kind=name)


class TrainedTask(FolderTask):
    """Trains an attack or a target code against a hash model that another task trains.

    Attributes:
        name: A name of ``TRAINED``.
        model: The hash model.
        trained: How it, and what it requires, is trained, by name.
        seed: With which seed; the grid's if not given.
    """

    room: ClassVar[str] = "trained"

    name: str
    model: AttackedModel
    trained: dict[str, SerializeAsAny[BaseModel]]
    seed: int | None = None

    @property
    def title(self) -> str:
        """What it is, with its seed, and on which model."""
        return f"{seeded_name(self.name, self.seed)} on {self.model.title}"

    @property
    def part(self) -> str:
        """Its name."""
        return self.name

    @property
    def plain_name(self) -> str:
        """Its name with its seed, as a folder's."""
        return self.name.lower() if self.seed is None else f"{self.name.lower()}-seed{self.seed}"

    def identity(self) -> dict[str, Any]:
        """Return its settings, and the version of what is trained."""
        return {**settings_identity(self), "trains": version_of(TRAINED[self.name])}

    @property
    def attacked(self) -> HashModelTask:
        """The task that trains the hash model."""
        return HashModelTask(grid=self.grid, model=self.model)

    @property
    def required(self) -> list[TrainedTask]:
        """The tasks that train what it requires."""
        return trained_tasks(self.grid, self.model, self.trained, TRAINED[self.name].requires, self.seed)

    def needs(self) -> Sequence[Task]:
        """Need the hash model, and what is required."""
        return (self.attacked, *self.required)

    def work(self) -> dict[str, Any]:
        """Train it."""
        run = TrainingRun(
            model=self.attacked.load(),
            data=self.grid.load(),
            seed=self.grid.seed if self.seed is None else self.seed,
            logs=self.logs if self.seed is None else self.logs / f"seed{self.seed}",
            trained={task.name: task.load() for task in self.required},
            progress=self.grid.progress,
            known_train_codes=self.attacked.codes()["train"],
        )
        made = train_into(self.name, self.trained[self.name], run, self.path)
        return {"sha256": made.sha256()}

    def load(self) -> Trained:
        """Return the trained attack or code; in one process it is read once."""
        return _load_trained(self.path, self.facts()["sha256"], self.name)


def trained_tasks(
    grid: Grid,
    model: AttackedModel,
    trained: Mapping[str, BaseModel],
    names: Sequence[str],
    seed: int | None = None,
) -> list[TrainedTask]:
    """Return the tasks that train things by name, each with the settings of what it requires and no other's.

    A seed that is the grid's is left out, so that both are one task.
    """
    return [
        TrainedTask(
            grid=grid,
            model=model,
            name=name,
            trained={own: trained[own] for own in _with_required(name)},
            seed=None if seed == grid.seed else seed,
        )
        for name in names
    ]


def _with_required(name: str) -> list[str]:
    return [*(part for own in TRAINED[name].requires for part in _with_required(own)), name]
