"""A cell of a grid: one attack on one model under one protocol, measured; tables and figures are made of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SerializeAsAny

from hashprobe.evaluation import CellSpec, CellStore, Evaluator, Measured, ResultRow, measure
from hashprobe.experiments.engine import Task
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.tasks import GridTask, file_name
from hashprobe.experiments.training_tasks import HashModelTask, TrainedTask, trained_tasks
from hashprobe.identity import NOT_IDENTITY, settings_identity, version_of
from hashprobe.targets import PROTOCOLS, Codes


class Cell(GridTask):
    """One attack on one model under one protocol, measured on that model and, for transfer, on others.

    Attributes:
        model: The attacked model.
        spec: What is measured.
        protocol: Under which protocol; none for an untargeted cell.
        trained: How the trained attacks and codes that it needs are trained, with what they require, by name.
        others: Further models that the adversarial images are scored on.
        pictures: How many queries' pictures are kept, where the cell has a gallery.
        variant: What tells it from cells of the same method, for people.
    """

    model: AttackedModel
    spec: CellSpec
    protocol: str | None
    trained: dict[str, SerializeAsAny[BaseModel]] = Field(default_factory=dict)
    others: tuple[AttackedModel, ...] = ()
    pictures: int = Field(0, ge=0)
    variant: str = Field("", json_schema_extra=NOT_IDENTITY)

    def identity(self) -> dict[str, Any]:
        """Return its settings, and the version of the protocol."""
        draws = version_of(PROTOCOLS[self.protocol]) if self.protocol else None
        return {**settings_identity(self), "draws": draws}

    @property
    def method(self) -> str:
        """What tables call it: the attack, ``Original``, or the target code."""
        return self.spec.title

    @property
    def title(self) -> str:
        """Method, with its variant, model and protocol."""
        return self._title(f"{self.method} ({self.variant})" if self.variant else self.method)

    @property
    def stem(self) -> str:
        """Method, model and protocol: what two tables name differently is one cell, in one file."""
        return file_name(self._title(self.method))

    def _title(self, method: str) -> str:
        return f"{method} on {self.model.title}, {self.protocol or 'untargeted'}"

    @property
    def part(self) -> str:
        """The attacks."""
        return "attacks"

    @property
    def attacked(self) -> HashModelTask:
        """The task that trains the hash model."""
        return HashModelTask(grid=self.grid, model=self.model)

    @property
    def trainings(self) -> list[TrainedTask]:
        """The tasks that train what it needs; the training seed is the attack's, and not that of a code beside it."""
        seeds = {self.spec.trained_name: self.spec.training_seed}
        return [
            task
            for name in self.spec.needs
            for task in trained_tasks(self.grid, self.model, self.trained, [name], seeds.get(name))
        ]

    def needs(self) -> Sequence[Task]:
        """Need the models, and the trained attacks and codes."""
        others = [HashModelTask(grid=self.grid, model=model) for model in self.others]
        return (self.attacked, *others, *self.trainings)

    @property
    def store(self) -> CellStore:
        """Where measured cells are kept."""
        return CellStore(self.grid.folder)

    @property
    def row_name(self) -> str:
        """Its row's name: as the spec says where there is one model; else with the model's, and the key."""
        if not self.grid.one_model:
            return self.slug
        made = {task.name: task.load() for task in self.trainings}
        return self.spec.row_name(self.spec.build(made) if self.spec.attack else None, self.protocol)

    @property
    def done(self) -> Path:
        """The measured cell."""
        return self.store.path(self.stem, self.key)

    def make(self) -> None:
        """Attack all queries and keep what was measured."""
        started = time.perf_counter()
        names = [model.title.replace(" ", "-") for model in (self.model, *self.others)]
        evaluators = [self._evaluator(model) for model in (self.model, *self.others)]
        measured = measure(
            self.spec,
            self.protocol,
            evaluators[0],
            others=dict(zip(names[1:], evaluators[1:], strict=True)),
            name=names[0],
            folder=self.grid.folder,
            pictures=self.pictures,
            row_name=self.row_name,
        )
        self.store.keep(self.stem, self.key, measured, **self.made(started))

    def measured(self) -> Measured:
        """Return what was measured."""
        found = self.store.find(self.stem, self.key)
        assert found is not None
        return found

    def rows(self) -> list[ResultRow]:
        """Return the rows: on the attacked model, then on the others in their order."""
        return self.measured().rows

    def query_codes(self) -> Codes:
        """Return the packed codes that were ranked, under the attacked model."""
        return self.measured().codes

    def _evaluator(self, model: AttackedModel) -> Evaluator:
        task = HashModelTask(grid=self.grid, model=model)
        codes = task.codes()
        own = self.trainings if model == self.model else []
        return Evaluator(
            task.load(),
            self.grid.load(),
            seed=self.grid.seed,
            trained=[training.load() for training in own],
            database_codes=codes["database"],
            query_codes=codes["query"],
            train_codes=codes["train"],
            progress=self.grid.progress,
        )
