"""A recipe, run: a small grid of one model. Each part is done once, so that a killed run continues with the same command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from hashprobe.data import RetrievalData
from hashprobe.devices import resolve_device
from hashprobe.evaluation import CellStore, ResultRow, cells_under, check_names, over_training_seeds
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.engine import Outcome, open_engine, run_tasks, with_needs
from hashprobe.experiments.grid import Grid
from hashprobe.experiments.recipes import Experiment
from hashprobe.experiments.scales import SCALES
from hashprobe.experiments.tasks import FolderTask, GridTask, how_made
from hashprobe.experiments.training_tasks import HashModelTask
from hashprobe.files import user_path
from hashprobe.folders import claimed, describe, seconds_of
from hashprobe.identity import fingerprint
from hashprobe.processes import processes
from hashprobe.trained import TRAINED

Say = Callable[[str], None]


class Run:
    """One experiment in one folder.

    Args:
        experiment: What is done.
        directory: Where; empty, new, or holding the same experiment with the same seed, its parts trained as they would be now.
        seed: Of everything random.
        device: Where it is computed; see :func:`hashprobe.devices.resolve_device`.
        command: The command that repeats it, kept for the report.
        progress: Whether progress bars are shown.
        say: Called with a line of text as parts end.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: Path | str,
        *,
        seed: int = 0,
        device: str = "auto",
        command: str = "",
        progress: bool = False,
        say: Say = lambda line: None,
    ) -> None:
        self.experiment, self.directory, self.seed = experiment, user_path(directory), seed
        self.command, self.say = command, say
        self.grid = Grid(
            folder=self.directory,
            data=experiment.data,
            data_options=experiment.data_options,
            image_size=experiment.image_size,
            seed=seed,
            device=str(resolve_device(device)),
            progress=progress,
            one_model=True,
        )

    @property
    def cells(self) -> list[Cell]:
        """The cells of its table, in order."""
        experiment = self.experiment
        seeds = experiment.training_seeds
        seeds = () if set(seeds) == {self.seed} else seeds  # the run's own alone is what there is without
        attacks = over_training_seeds(experiment.attacks, dict.fromkeys(TRAINED, seeds))
        named = SCALES[experiment.scale]
        scale = named.model_copy(update={"trained": {**named.trained, **experiment.trained}})
        return [
            Cell(
                grid=self.grid,
                model=experiment.model,
                spec=spec,
                protocol=protocol,
                trained=scale.settings_of(spec.needs),
                pictures=experiment.gallery if spec.gallery else 0,
                variant="" if spec.training_seed is None else f"seed {spec.training_seed}",
            )
            for spec, protocol in cells_under(attacks, experiment.protocols, experiment.codes)
        ]

    def __call__(self) -> list[ResultRow]:
        """Do what is not done yet, and return the rows, which are in ``results.jsonl`` as well.

        Raises:
            HashprobeError: something is wrong with a cell, the folder holds something else, or another command works in it.
        """
        cells, store = self.cells, CellStore(self.directory)
        check_names((cell.spec, cell.spec.planned_row_name(cell.trained, cell.protocol)) for cell in cells)
        start = time.perf_counter()
        data = processes().main_first(self.grid.load)
        took = time.perf_counter() - start
        tasks = [task for task in with_needs(cells).values() if isinstance(task, GridTask)]
        # The folders of trained parts have plain names, so that what these depend on is part of what this folder is.
        parts = [task.key for task in tasks if isinstance(task, FolderTask)]
        identity = fingerprint(self.experiment, data.sha256, self.seed, parts)
        with claimed(self.directory, identity) as found:
            seconds = {"data": round(max(took, seconds_of(found).get("data", 0.0)), 1)}

            def after(outcome: Outcome | None = None) -> None:
                finished = {task.key: task for task in tasks if task.finished()}
                measured = [cell.measured() for cell in cells if cell.key in finished]
                describe(self.directory, identity, self._description(data, finished.values(), seconds))
                store.write_results(measured, data.image_size)

            after()
            with open_engine("here") as engine:
                run_tasks(cells, engine, say=self.say, after=after, stop_at_failure=True)
            return [row for cell in cells for row in cell.rows()]

    def _description(
        self, data: RetrievalData, finished: Iterable[GridTask], seconds: dict[str, float]
    ) -> dict[str, Any]:
        """Return what ``experiment.json`` says: what this folder holds, how it is made, and how long that took."""
        model = self.experiment.model
        facts: dict[str, Any] = {"bits": model.bits, "backbone": model.named or model.backbone}
        parts = dict(seconds)
        for task in finished:
            known = task.facts()
            parts[task.part] = round(parts.get(task.part, 0.0) + known["seconds"], 1)
            if isinstance(task, HashModelTask):
                facts["sha256"] = known["sha256"]
        return {
            "recipe": self.experiment.name,
            "title": self.experiment.title,
            "command": self.command,
            "settings": self.experiment.model_dump(mode="json"),
            "model": facts,
            "data": data.summary(),
            "seconds": parts,
            **how_made(self.seed, torch.device(self.grid.device)),
        }
