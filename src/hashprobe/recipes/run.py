"""The whole way walked: data, hash model, PrototypeNet, ProS-GAN, attacks, rows, gallery. Each part is done once.

The folder holds everything: a part that is there is not made again, a training goes on from its checkpoint, and a row
that has been measured is read back. A killed run therefore continues with the same command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from hashprobe.attacks import Attack
from hashprobe.data import RetrievalData, load
from hashprobe.devices import resolve_device, versions
from hashprobe.evaluation import ResultRow, Table
from hashprobe.files import sha256_of
from hashprobe.folders import claim, describe
from hashprobe.hashing import HashModel
from hashprobe.recipes import parts
from hashprobe.recipes.experiment import Experiment
from hashprobe.targets import PrototypeCode

Say = Callable[[str], None]


class Run:
    """One experiment in one folder.

    Args:
        experiment: What is done.
        directory: Where; empty, new, or holding the same experiment with the same seed.
        seed: Of everything random.
        device: Where it is computed; see :func:`hashprobe.devices.resolve_device`.
        command: The command that repeats it, kept for the report.
        progress: Whether progress bars are shown.
        say: Called with a line of text at the start and the end of each part.

    Raises:
        HashprobeError: the folder holds something else.
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
        self.experiment, self.directory, self.seed = experiment, Path(directory), seed
        self.device, self.command, self.progress, self.say = resolve_device(device), command, progress, say
        self.identity = sha256_of(
            experiment.model_dump(mode="json", exclude={"expected_minutes", "title"}), str(seed)
        )
        self.seconds: dict[str, float] = claim(self.directory, self.identity).get("seconds", {})

    def __call__(self) -> list[ResultRow]:
        """Walk the whole way and return the rows, which are in ``results.jsonl`` as well."""
        experiment, directory = self.experiment, self.directory
        how: dict[str, Any] = {
            "seed": self.seed,
            "logs": directory / "training",
            "progress": self.progress,
        }
        with self._timed("data"):
            options = {"image_size": experiment.image_size, "seed": self.seed, **experiment.data_options}
            data = load(experiment.data, progress=self.progress, **options)
        self._describe(data, None)
        with self._timed("hash model"):
            model = parts.hash_model(
                directory / "hash-model", experiment.model, data, device=self.device, **how
            )
        with self._timed("codes"):
            database_codes = model.codes(data.database.images, progress=self.progress, together=True)
            train_codes = model.codes(data.train.images, progress=self.progress, together=True)
        self._describe(data, model)
        with self._timed("PrototypeNet"):
            prototypes = parts.prototype_net(
                directory / "prototype",
                experiment.prototype,
                data,
                train_codes,
                bits=model.bits,
                device=self.device,
                **how,
            )
        trained: dict[str, Attack] = {}
        if experiment.prosgan is not None:
            with self._timed("ProS-GAN"):
                trained["ProS-GAN"] = parts.prosgan(
                    directory / "prosgan", experiment.prosgan, model, data, prototypes, **how
                )
        with self._timed("attacks"):
            table = Table(
                directory,
                model,
                data,
                seed=self.seed,
                database_codes=database_codes,
                codes={"prototype": PrototypeCode(prototypes)},
                trained=trained,
                gallery=experiment.gallery,
                progress=self.progress,
                say=self.say,
            )
            rows = table(experiment.attacks, experiment.protocols)
        self._describe(data, model)
        return rows

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        self.say(f"{part} …")
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        # Of a part that was there already, the time that it took to make stays.
        self.seconds[part] = round(max(took, self.seconds.get(part, 0.0)), 1)
        self.say(f"{part}: {took:.0f} s")

    def _describe(self, data: RetrievalData, model: HashModel | None) -> None:
        """Write ``experiment.json``: what this folder holds and how it is made."""
        settings = self.experiment.model_dump(mode="json")
        attacked = {"bits": settings["model"]["bits"], "backbone": settings["model"]["backbone"]}
        description = {
            "recipe": self.experiment.name,
            "title": self.experiment.title,
            "command": self.command,
            "settings": settings,
            "model": attacked | ({"sha256": model.sha256()} if model else {}),
            "data": data.summary(),
            "seconds": self.seconds,
            **how_made(self.seed, self.device),
        }
        describe(self.directory, self.identity, description)


def how_made(seed: int, device: torch.device) -> dict[str, Any]:
    """Return what every description of an experiment says of where and from which seed it was computed."""
    return {
        "seed": seed,
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "device": str(device),
    }
