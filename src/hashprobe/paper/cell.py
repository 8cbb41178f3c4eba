"""A cell: one attack on one model under one protocol, measured; the tables and figures are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from safetensors.numpy import load_file, save_file

from hashprobe.attacks import Attack
from hashprobe.attacks.prosgan import ProSGANSettings
from hashprobe.evaluation import (
    CODE_TITLES,
    AttackCell,
    Evaluator,
    ResultRow,
    choose_queries,
    gallery_entries,
)
from hashprobe.files import replacing
from hashprobe.grids import Task
from hashprobe.paper.trained import CODES_FILE, GeneratorTask, HashModelTask, OnModel, PrototypeTask
from hashprobe.recipes import AttackedModel
from hashprobe.targets import Codes, PrototypeSettings


class Cell(OnModel):
    """One attack on one model under one protocol, measured on that model and, for transfer, on others.

    Attributes:
        attack: The attack; without one, codes are ranked that no attack made.
        code: Which, without an attack: the unchanged queries' own if not given, or the target codes of a name.
        protocol: Target label protocol.
        prototype: How PrototypeNet is trained, where the attack or the code needs it.
        prosgan: How the generator is trained, where the attack is ProS-GAN.
        also: Further models that the adversarial images are measured on.
        gallery: How many queries' pictures are kept.
    """

    room: ClassVar[str] = "cells"

    attack: AttackCell | None = None
    code: str | None = None
    protocol: str
    prototype: PrototypeSettings | None = None
    prosgan: ProSGANSettings | None = None
    also: tuple[AttackedModel, ...] = ()
    gallery: int = Field(0, ge=0)

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
        for place, scored in enumerate(evaluators):
            there = made.under(place - 1) if place else made
            row, score = scored.row(
                self._row_name(place),
                there.codes,
                attack=self.method,
                code=code,
                by=attack,
                attacked=there,
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
