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

import numpy as np
import torch

from hashprobe.attacks import ATTACKS, Attack, ProSGAN
from hashprobe.attacks.prosgan import train_generator
from hashprobe.data import RetrievalData, load
from hashprobe.devices import resolve_device, versions
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import Evaluator, ResultRow, TargetScore, choose_queries, gallery_entries
from hashprobe.files import read_json, sha256_of, write_json, write_json_lines
from hashprobe.hashing import HashModel, train_hash_model
from hashprobe.recipes.experiment import AttackCell, Experiment
from hashprobe.targets import Codes, PrototypeCode, PrototypeNet, TargetCode, train_prototype_net

EXPERIMENT_FILE = "experiment.json"
CODE_TITLES = {"p2p": "P2P code", "anchor": "Anchor code", "prototype": "Prototype code"}

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
        self.seconds: dict[str, float] = self._claim_directory()

    def _claim_directory(self) -> dict[str, float]:
        """Refuse a folder that holds another experiment; return the times of parts done before."""
        described = self.directory / EXPERIMENT_FILE
        if described.exists():
            found = read_json(described)
            if not isinstance(found, dict) or found.get("identity") != self.identity:
                raise HashprobeError(
                    f"{self.directory} holds another experiment (other settings or seed); give another --out or delete it."
                )
            seconds: dict[str, float] = found["seconds"]
            return seconds
        if self.directory.exists() and any(self.directory.iterdir()):
            raise HashprobeError(
                f"{self.directory} is not empty and holds no hashprobe experiment; give another --out."
            )
        return {}

    def __call__(self) -> list[ResultRow]:
        """Walk the whole way and return the rows, which are in ``results.jsonl`` as well."""
        experiment = self.experiment
        with self._timed("data"):
            options: dict[str, Any] = {
                "image_size": experiment.image_size,
                "seed": self.seed,
                "progress": self.progress,
            }
            data = load(experiment.data, **options, **experiment.data_options)
        self._describe(data, None)
        with self._timed("hash model"):
            model = self._hash_model(data)
        with self._timed("codes"):
            database_codes = model.codes(data.database.images, progress=self.progress)
            train_codes = model.codes(data.train.images, progress=self.progress)
        self._describe(data, model)
        with self._timed("PrototypeNet"):
            prototypes = self._prototype_net(data, train_codes)
        prosgan = None
        if experiment.prosgan is not None:
            with self._timed("ProS-GAN"):
                prosgan = self._prosgan(model, data, prototypes)
        with self._timed("attacks"):
            rows = self._attacks(model, data, database_codes, prototypes, prosgan)
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
            "identity": self.identity,
            "recipe": self.experiment.name,
            "title": self.experiment.title,
            "command": self.command,
            "settings": settings,
            "seed": self.seed,
            "versions": versions(),
            "threads": torch.get_num_threads(),
            "device": str(self.device),
            "data": {
                "name": data.name,
                "split_sha256": data.split_sha256,
                "queries": len(data.query),
                "database": len(data.database),
                "train": len(data.train),
                "classes": data.classes,
                "class_names": list(data.class_names),
            },
            "model": attacked | ({"sha256": model.sha256()} if model else {}),
            "seconds": self.seconds,
        }
        write_json(self.directory / EXPERIMENT_FILE, description)

    def _hash_model(self, data: RetrievalData) -> HashModel:
        settings, folder = self.experiment.model, self.directory / "hash-model"
        if (folder / "model.json").exists():
            return HashModel.load(folder, bits=settings.bits).to(self.device)
        model = HashModel.build(
            settings.backbone, bits=settings.bits, weights=settings.weights, seed=self.seed
        ).to(self.device)
        checkpoint = folder / "checkpoint.safetensors"
        train_hash_model(
            model, data, settings.training, seed=self.seed, **self._files("hash-model", checkpoint)
        )
        model.save(folder)
        checkpoint.unlink(missing_ok=True)
        return model

    def _files(self, part: str, checkpoint: Path) -> dict[str, Any]:
        log = self.directory / "training" / f"{part}.jsonl"
        return {"checkpoint": checkpoint, "log": log, "progress": self.progress}

    def _prototype_net(self, data: RetrievalData, train_codes: Codes) -> PrototypeNet:
        # A finished training's checkpoint is its result; it goes on from it with no step left to do.
        network, _ = train_prototype_net(
            train_codes,
            data.train.labels,
            data.database.labels,
            self.experiment.prototype,
            bits=self.experiment.model.bits,
            seed=self.seed,
            device=self.device,
            **self._files("prototype", self.directory / "prototype" / "checkpoint.safetensors"),
        )
        return network

    def _prosgan(self, model: HashModel, data: RetrievalData, prototypes: PrototypeNet) -> ProSGAN:
        settings, folder = self.experiment.prosgan, self.directory / "prosgan"
        assert settings is not None
        if (folder / "prosgan.json").exists():
            return ProSGAN.load(folder, bits=model.bits, classes=data.classes)
        checkpoint = folder / "checkpoint.safetensors"
        generator, _ = train_generator(
            model, data, prototypes, settings, seed=self.seed, **self._files("prosgan", checkpoint)
        )
        attack = ProSGAN(
            generator=generator, prototypes=prototypes, settings=settings, image_size=data.image_size
        )
        attack.save(folder, attacked=model.sha256())
        checkpoint.unlink(missing_ok=True)
        return attack

    def _attacks(
        self,
        model: HashModel,
        data: RetrievalData,
        database_codes: Codes,
        prototypes: PrototypeNet,
        prosgan: ProSGAN | None,
    ) -> list[ResultRow]:
        """Measure every row under every protocol; results are written after each, so that a killed run loses one."""
        cells: list[dict[str, Any]] = []
        query_codes = None
        for protocol in self.experiment.protocols:
            evaluator = Evaluator(
                model,
                data,
                protocol=protocol,
                seed=self.seed,
                database_codes=database_codes,
                progress=self.progress,
            )
            if query_codes is not None:
                evaluator.query_codes = query_codes
            query_codes = evaluator.query_codes
            codes: dict[str, TargetCode] = {name: evaluator.target_code(name) for name in ("p2p", "anchor")}
            codes["prototype"] = PrototypeCode(prototypes)
            for measure in self._measurements(evaluator, codes, prosgan):
                cells.append(measure())
                self._write_results(cells)
        return [ResultRow(**cell["result"]) for cell in cells]

    def _measurements(
        self, evaluator: Evaluator, codes: dict[str, TargetCode], prosgan: ProSGAN | None
    ) -> Iterator[Callable[[], dict[str, Any]]]:
        """Yield what has to be measured under one protocol, in the order of the table."""
        protocol = evaluator.protocol
        goals = {name: code(evaluator.target_labels) for name, code in codes.items()}

        def plain(
            name: str, queries: Any, attack: str, code: str, own_labels: bool
        ) -> Callable[[], dict[str, Any]]:
            row = f"{name}-{protocol}"
            return lambda: self._cell(
                row,
                lambda: (*evaluator.row(row, queries, attack=attack, code=code, own_labels=own_labels), []),
            )

        yield plain("original", evaluator.query_codes, "Original", "none", True)
        for name, goal in goals.items():
            yield plain(f"{name}-code", goal, CODE_TITLES[name], name, False)
        for cell in self.experiment.attacks:
            yield lambda cell=cell: self._attack_cell(evaluator, cell, goals, prosgan)  # type: ignore[misc]

    def _attack_cell(
        self, evaluator: Evaluator, cell: AttackCell, goals: dict[str, Any], prosgan: ProSGAN | None
    ) -> dict[str, Any]:
        attack = _attack_of(cell, prosgan)
        code = cell.code or attack.code
        budget = "unbounded" if attack.epsilon is None else f"{attack.epsilon * 255:.3g}of255"
        suffix = "" if cell.code is None or cell.code == attack.code else f"-{cell.code}"
        row = f"{cell.attack.lower()}{suffix}-{budget}-{evaluator.protocol}"

        def measure() -> tuple[ResultRow, TargetScore, list[dict[str, Any]]]:
            shown = (
                choose_queries(evaluator, self.experiment.gallery)
                if cell.gallery
                else np.empty(0, dtype=np.intp)
            )
            # A target code of "none" is not looked at; any code will do.
            attacked = evaluator.attack(attack, goals.get(code, goals["anchor"]), keep=shown, title=row)
            result, score = evaluator.row(
                row,
                attacked.codes,
                attack=cell.attack,
                code=code,
                settings=repr(attack),
                epsilon=attack.epsilon,
                attacked=attacked,
                passes=(attack.forward_passes, attack.backward_passes),
            )
            gallery = self.directory / "gallery"
            return (
                result,
                score,
                gallery_entries(evaluator, result, attacked, shown, gallery) if len(shown) else [],
            )

        return self._cell(row, measure)

    def _cell(
        self, row: str, measure: Callable[[], tuple[ResultRow, TargetScore, list[dict[str, Any]]]]
    ) -> dict[str, Any]:
        """Return a measured row from its file, or measure it and write the file."""
        path = self.directory / "cells" / f"{row}.json"
        if path.exists():
            cell: dict[str, Any] = read_json(path)
            return cell
        result, score, entries = measure()
        cell = {
            "result": result.model_dump(mode="json"),
            "curve": {"row": row, **score.curve},
            "gallery": entries,
        }
        write_json(path, cell)
        self.say(f"{row}: t-MAP {result.t_map:.3f} (chance {result.chance:.3f})")
        return cell

    def _write_results(self, cells: list[dict[str, Any]]) -> None:
        write_json_lines(self.directory / "results.jsonl", [cell["result"] for cell in cells])
        write_json_lines(self.directory / "curves.jsonl", [cell["curve"] for cell in cells])
        entries = [entry for cell in cells for entry in cell["gallery"]]
        write_json(
            self.directory / "gallery" / "gallery.json",
            {"image_size": self.experiment.image_size, "entries": entries},
        )


def _attack_of(cell: AttackCell, prosgan: ProSGAN | None) -> Attack:
    if cell.attack != "ProS-GAN":
        return ATTACKS[cell.attack](**cell.settings)
    if prosgan is None:
        raise HashprobeError("the experiment asks for ProS-GAN rows but trains no ProS-GAN; set prosgan.")
    parts = {"generator": prosgan.generator, "prototypes": prosgan.prototypes, "settings": prosgan.settings}
    return ProSGAN(**parts, image_size=prosgan.image_size, **cell.settings)  # type: ignore[arg-type]
