"""What the tables and figures are made of: trained parts, which are shared, and cells, each one attack on one model."""

from __future__ import annotations

import dataclasses
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save_file

from hashprobe.attacks import Attack, ProSGAN
from hashprobe.attacks.prosgan import ProSGANSettings
from hashprobe.evaluation import AttackCell, Evaluator, ResultRow, choose_queries, gallery_entries
from hashprobe.evaluation.table import CODE_TITLES
from hashprobe.files import read_json, replacing, sha256_of, write_json
from hashprobe.grids import Task
from hashprobe.hashing import HashModel
from hashprobe.paper.place import Place
from hashprobe.recipes import AttackedModel, how_made, parts
from hashprobe.targets import Codes, PrototypeNet, PrototypeSettings

CODES_FILE = "codes.safetensors"
DONE_FILE = "done.json"


class PaperTask(BaseModel, ABC):
    """A task of the paper's grid, known by its settings; the place is the grid's and does not enter.

    Attributes:
        place: Where it is done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: Place

    @cached_property
    def key(self) -> str:
        """Fingerprint of kind and settings."""
        return sha256_of(type(self).__name__, self.model_dump(mode="json", exclude={"place"}))[:12]

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, in a few words."""

    @abstractmethod
    def needs(self) -> Sequence[Task]:
        """Return the tasks whose results this one reads."""

    @abstractmethod
    def work(self) -> dict[str, Any]:
        """Do the work, leave the result, and return what there is to say of it."""

    def make(self) -> None:
        """Do the work; what says that it is done is written last, with its settings and time."""
        started = time.perf_counter()
        facts = self.work()
        made = {
            "title": self.title,
            "settings": self.model_dump(mode="json", exclude={"place"}),
            "seconds": round(time.perf_counter() - started, 1),
            **how_made(self.place.seed, self.device),
        }
        write_json(self.path / DONE_FILE, made | facts)

    @cached_property
    def path(self) -> Path:
        """Where its result is left: a name for people, and the key."""
        name = re.sub(r"[^a-z0-9.]+", "-", self.title.lower()).strip("-")
        return self.place.folder / _ROOMS[type(self).__name__] / f"{name[:80]}-{self.key}"

    def finished(self) -> bool:
        """Say whether the result is there: the file that is written last."""
        return (self.path / DONE_FILE).exists()

    def facts(self) -> dict[str, Any]:
        """Return what was said of the result, with the settings."""
        found: dict[str, Any] = read_json(self.path / DONE_FILE)
        return found

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return torch.device(self.place.device)


class HashModelTask(PaperTask):
    """Trains a hash model and computes the codes of the three splits.

    Attributes:
        model: The hash model.
    """

    model: AttackedModel

    @property
    def title(self) -> str:
        """Loss, backbone and bits."""
        return f"{self.model.training.loss} {self.model.backbone} {self.model.bits} bits"

    def needs(self) -> Sequence[Task]:
        """Need nothing."""
        return ()

    def work(self) -> dict[str, Any]:
        """Train it, and keep the codes of queries, database and training images."""
        data = self.place.load()
        model = parts.hash_model(
            self.path,
            self.model,
            data,
            seed=self.place.seed,
            device=self.device,
            logs=self.path / "training",
            progress=self.place.progress,
        )
        codes = {
            split: model.codes(getattr(data, split).images, progress=self.place.progress)
            for split in ("query", "database", "train")
        }
        with replacing(self.path / CODES_FILE) as temporary:
            save_file(codes, temporary)
        evaluator = Evaluator(
            model, data, protocol="paper", seed=self.place.seed, database_codes=codes["database"]
        )
        evaluator.query_codes = codes["query"]
        return {"map": evaluator.map_benign, "map_chance": evaluator.map_chance, "sha256": model.sha256()}

    def load(self) -> HashModel:
        """Return the trained model."""
        return HashModel.load(self.path, bits=self.model.bits).to(self.device)

    def codes(self) -> dict[str, Codes]:
        """Return the packed codes of ``query``, ``database`` and ``train``."""
        return load_file(self.path / CODES_FILE)


class PrototypeTask(PaperTask):
    """Trains a PrototypeNet for a hash model.

    Attributes:
        model: The hash model.
        prototype: How PrototypeNet is trained.
    """

    model: AttackedModel
    prototype: PrototypeSettings

    @property
    def attacked(self) -> HashModelTask:
        """The task that trains the hash model."""
        return HashModelTask(place=self.place, model=self.model)

    @property
    def title(self) -> str:
        """The hash model's, and what this is."""
        return f"PrototypeNet of {self.attacked.title}"

    def needs(self) -> Sequence[Task]:
        """Need the hash model."""
        return (self.attacked,)

    def work(self) -> dict[str, Any]:
        """Train it; the finished training's checkpoint is the result."""
        self.load()
        return {}

    def load(self) -> PrototypeNet:
        """Return the trained PrototypeNet."""
        return parts.prototype_net(
            self.path,
            self.prototype,
            self.place.load(),
            self.attacked.codes()["train"],
            bits=self.model.bits,
            seed=self.place.seed,
            device=self.device,
            logs=self.path / "training",
            progress=self.place.progress,
        )


class GeneratorTask(PaperTask):
    """Trains ProS-GAN's generator against a hash model.

    Attributes:
        model: The hash model.
        prototype: How PrototypeNet is trained.
        prosgan: How the generator is trained.
    """

    model: AttackedModel
    prototype: PrototypeSettings
    prosgan: ProSGANSettings

    @property
    def attacked(self) -> HashModelTask:
        """The task that trains the hash model."""
        return HashModelTask(place=self.place, model=self.model)

    @property
    def prototypes(self) -> PrototypeTask:
        """The task that trains PrototypeNet."""
        return PrototypeTask(place=self.place, model=self.model, prototype=self.prototype)

    @property
    def title(self) -> str:
        """The hash model's, and what this is: the published terms and weights that are left out are said."""
        kind = "ProS-GAN" if self.prosgan.class_outputs else "ProS-GAN without classes"
        if not self.prosgan.hamming:
            kind = "GAN without Hamming term"
        return f"{kind}, beta {self.prosgan.reconstruction:g}, on {self.attacked.title}"

    def needs(self) -> Sequence[Task]:
        """Need the hash model and PrototypeNet."""
        return (self.attacked, self.prototypes)

    def work(self) -> dict[str, Any]:
        """Train it."""
        parts.prosgan(
            self.path,
            self.prosgan,
            self.attacked.load(),
            self.place.load(),
            self.prototypes.load(),
            seed=self.place.seed,
            logs=self.path / "training",
            progress=self.place.progress,
        )
        return {}

    def load(self) -> ProSGAN:
        """Return the trained attack."""
        return ProSGAN.load(self.path, bits=self.model.bits, classes=self.place.load().classes)


class Cell(PaperTask):
    """One attack on one model under one protocol, measured on that model and, for transfer, on others.

    Attributes:
        model: The attacked model.
        attack: The attack; without one, codes are ranked that no attack made.
        code: Which, without an attack: the unchanged queries' own if not given, or the target codes of a name.
        protocol: Target label protocol.
        prototype: How PrototypeNet is trained, where the attack or the code needs it.
        prosgan: How the generator is trained, where the attack is ProS-GAN.
        also: Further models that the adversarial images are measured on.
        gallery: How many queries' pictures are kept.
    """

    model: AttackedModel
    attack: AttackCell | None = None
    code: str | None = None
    protocol: str
    prototype: PrototypeSettings | None = None
    prosgan: ProSGANSettings | None = None
    also: tuple[AttackedModel, ...] = ()
    gallery: int = Field(0, ge=0)

    @property
    def attacked(self) -> HashModelTask:
        """The task that trains the attacked model."""
        return HashModelTask(place=self.place, model=self.model)

    @property
    def method(self) -> str:
        """What tables call it: the attack, ``Original``, or the target code."""
        if self.attack is not None:
            return self.attack.attack
        return "Original" if self.code is None else CODE_TITLES.get(self.code, f"{self.code} code")

    @property
    def title(self) -> str:
        """Method, model and protocol."""
        return f"{self.method} on {self.attacked.title}, {self.protocol}"

    @property
    def _prototypes(self) -> PrototypeTask | None:
        if self.prototype is None:
            return None
        return PrototypeTask(place=self.place, model=self.model, prototype=self.prototype)

    @property
    def _generator(self) -> GeneratorTask | None:
        if self.prosgan is None or self.prototype is None:
            return None
        return GeneratorTask(
            place=self.place, model=self.model, prototype=self.prototype, prosgan=self.prosgan
        )

    def needs(self) -> Sequence[Task]:
        """Need the models, and PrototypeNet and generator where the attack does."""
        others = [HashModelTask(place=self.place, model=model) for model in self.also]
        trained = [task for task in (self._prototypes, self._generator) if task is not None]
        return (self.attacked, *others, *trained)

    def work(self) -> dict[str, Any]:
        """Attack all queries and leave rows, curves, codes and pictures."""
        evaluators = [self._evaluator(model) for model in (self.model, *self.also)]
        evaluator = evaluators[0]
        if self.attack is None:
            own = self.code is None
            queries = evaluator.query_codes if self.code is None else self._goal(evaluator, self.code)
            row, score = evaluator.row(
                self._row_name(), queries, attack=self.method, code=self.code or "none", own_labels=own
            )
            return self._leave([row], [score.curve], queries, [])
        trained: dict[str, Attack] = {"ProS-GAN": self._generator.load()} if self._generator else {}
        attack = self.attack.build(trained)
        code = self.attack.code or attack.code
        keep = choose_queries(evaluator, self.gallery) if self.gallery else np.empty(0, dtype=np.intp)
        made = evaluator.attack(
            attack,
            self._goal(evaluator, code),
            keep=keep,
            also=[other.model for other in evaluators[1:]],
            title=self.title,
        )
        rows, curves = [], []
        for place, (codes, codes_png) in enumerate(((made.codes, made.codes_png), *made.elsewhere)):
            row, score = evaluators[place].row(
                self._row_name(place),
                codes,
                attack=self.method,
                code=code,
                settings=repr(attack),
                epsilon=attack.epsilon,
                attacked=dataclasses.replace(made, codes=codes, codes_png=codes_png),
                passes=(attack.forward_passes, attack.backward_passes),
            )
            if place:
                row = row.model_copy(update={"attacked_model": evaluator.model_sha256})
            rows.append(row)
            curves.append(score.curve)
        pictures = gallery_entries(evaluator, rows[0], made, keep, self.path) if self.gallery else []
        return self._leave(rows, curves, made.codes, pictures)

    def rows(self) -> list[ResultRow]:
        """Return what was measured: on the attacked model, then on the others in their order."""
        return [ResultRow(**row) for row in self.facts()["rows"]]

    def query_codes(self) -> Codes:
        """Return the packed codes that were ranked, under the attacked model."""
        return load_file(self.path / CODES_FILE)["query"]

    def _row_name(self, place: int = 0) -> str:
        return f"{self.path.name}-{place}" if place else self.path.name

    def _evaluator(self, model: AttackedModel) -> Evaluator:
        task = HashModelTask(place=self.place, model=model)
        codes = task.codes()
        evaluator = Evaluator(
            task.load(),
            self.place.load(),
            protocol=self.protocol,
            seed=self.place.seed,
            database_codes=codes["database"],
            progress=self.place.progress,
        )
        evaluator.query_codes = codes["query"]
        return evaluator

    def _goal(self, evaluator: Evaluator, code: str) -> Codes:
        prototypes = self._prototypes.load() if self._prototypes else None
        return evaluator.target_code(code, prototypes)(evaluator.target_labels)

    def _leave(
        self,
        rows: list[ResultRow],
        curves: list[dict[str, list[float]]],
        queries: Codes,
        pictures: list[dict[str, Any]],
    ) -> dict[str, Any]:
        with replacing(self.path / CODES_FILE) as temporary:
            save_file({"query": queries}, temporary)
        return {
            "rows": [row.model_dump(mode="json") for row in rows],
            "curves": curves,
            "gallery": pictures,
        }


_ROOMS = {
    "HashModelTask": "hash-models",
    "PrototypeTask": "prototypes",
    "GeneratorTask": "generators",
    "Cell": "cells",
}
