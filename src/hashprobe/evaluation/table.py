"""The table of one model on one data set: every row under every protocol, measured once, into a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hashprobe.attacks import ATTACKS, Attack
from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.evaluation.evaluator import Evaluator
from hashprobe.evaluation.gallery import choose_queries, gallery_entries
from hashprobe.evaluation.scores import TargetScore
from hashprobe.files import read_json, write_json, write_json_lines
from hashprobe.hashing import HashModel
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.results import ResultRow
from hashprobe.targets import Codes, TargetCode

CODE_TITLES = {"p2p": "P2P code", "anchor": "Anchor code", "prototype": "Prototype code"}

Measured = tuple[ResultRow, TargetScore, list[dict[str, Any]]]


class AttackCell(BaseModel):
    """One attack of the table, under every protocol.

    Attributes:
        attack: A name of ``ATTACKS``, or of an attack that was trained (``ProS-GAN``).
        code: Target code; the one that the attack is published with if not given.
        settings: The attack's numbers, by name; its defaults otherwise.
        gallery: Whether its pictures are kept for the gallery.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attack: str
    code: str | None = None
    settings: dict[str, float | int | None] = Field(default_factory=dict)
    gallery: bool = False

    def build(self, trained: Mapping[str, Attack]) -> Attack:
        """Return the attack with this cell's numbers.

        Args:
            trained: Attacks that were trained, by name.

        Raises:
            HashprobeError: an unknown attack, or a setting that it does not have.
        """
        kind = type(trained[self.attack]) if self.attack in trained else _attack_named(self.attack, trained)
        known = [field.name for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING]
        for name in self.settings:
            if name not in known:
                raise unknown_name(f"setting of {self.attack}", name, known)
        if self.attack in trained:
            return dataclasses.replace(trained[self.attack], **self.settings)
        return kind(**self.settings)

    def row_name(self, attack: Attack) -> str:
        """Name this cell after what tells it from others: attack, code, budget and settings that are given."""
        parts = [self.attack.lower()]
        if self.code is not None and self.code != attack.code:
            parts.append(self.code)
        parts.append("unbounded" if attack.epsilon is None else f"{attack.epsilon * 255:.3g}of255")
        numbers = {name: value for name, value in self.settings.items() if name != "epsilon"}
        parts += [f"{name}{value:g}" for name, value in numbers.items() if value is not None]
        return "-".join(parts)


def check_cells(cells: Sequence[AttackCell], trained: Mapping[str, Attack]) -> None:
    """Say what is wrong with a table's attacks before anything is computed.

    Raises:
        HashprobeError: an unknown attack or setting, or the same attack twice.
    """
    names: set[str] = set()
    for cell in cells:
        name = cell.row_name(cell.build(trained))
        if name in names:
            raise HashprobeError(f"the attack {name} is given twice; give it once.")
        names.add(name)


def _attack_named(name: str, trained: Mapping[str, Attack]) -> type[Attack]:
    if name == "ProS-GAN":
        raise HashprobeError("ProS-GAN has to be trained first; give the folder that train-attack wrote.")
    if name not in ATTACKS:
        raise unknown_name("attack", name, [*ATTACKS, *trained])
    return ATTACKS[name]


class Table:
    """Measures the rows of one model on one data set; a row that the folder holds is not measured again.

    Args:
        directory: Where ``results.jsonl``, ``curves.jsonl``, ``cells/`` and ``gallery/`` are written.
        model: The attacked model.
        data: Queries and database.
        seed: Of target labels, target codes and attacks.
        database_codes: Packed codes of the database.
        codes: Target codes beside P2P and anchor code, by name.
        trained: Attacks that were trained, by name.
        gallery: Queries in the gallery.
        progress: Whether progress bars are shown.
        say: Called with a line of text for each row that was measured.
    """

    def __init__(
        self,
        directory: Path,
        model: HashModel,
        data: RetrievalData,
        *,
        seed: int,
        database_codes: Codes,
        codes: Mapping[str, TargetCode],
        trained: Mapping[str, Attack],
        gallery: int = 12,
        progress: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.directory, self.model, self.data, self.seed = directory, model, data, seed
        self.database_codes, self.codes, self.trained = database_codes, dict(codes), dict(trained)
        self.gallery, self.progress, self.say = gallery, progress, say

    def __call__(self, attacks: Sequence[AttackCell], protocols: Sequence[str]) -> list[ResultRow]:
        """Return the rows of all attacks under all protocols; files are written after each, so that a kill loses one."""
        check_cells(attacks, self.trained)
        cells: list[dict[str, Any]] = []
        query_codes = None
        for protocol in protocols:
            evaluator = Evaluator(
                self.model,
                self.data,
                protocol=protocol,
                seed=self.seed,
                database_codes=self.database_codes,
                progress=self.progress,
            )
            if query_codes is not None:
                evaluator.query_codes = query_codes
            query_codes = evaluator.query_codes
            for measure in self._measurements(evaluator, attacks):
                cells.append(measure())
                self._write(cells)
        return [ResultRow(**cell["result"]) for cell in cells]

    def _measurements(
        self, evaluator: Evaluator, attacks: Sequence[AttackCell]
    ) -> Iterator[Callable[[], dict[str, Any]]]:
        """Yield what has to be measured under one protocol, in the order of the table."""
        codes = {name: evaluator.target_code(name) for name in ("p2p", "anchor")} | self.codes
        goals = {name: code(evaluator.target_labels) for name, code in codes.items()}
        yield lambda: self._plain(evaluator, "original", evaluator.query_codes, "Original", "none")
        for name, goal in goals.items():
            title = CODE_TITLES.get(name, f"{name} code")
            yield lambda name=name, goal=goal, title=title: self._plain(  # type: ignore[misc]
                evaluator, f"{name}-code", goal, title, name
            )
        for cell in attacks:
            yield lambda cell=cell: self._attack(evaluator, cell, goals)  # type: ignore[misc]

    def _plain(
        self, evaluator: Evaluator, name: str, queries: Codes, attack: str, code: str
    ) -> dict[str, Any]:
        """Measure codes that no attack made: the queries' own, or the target codes themselves."""
        row = f"{name}-{evaluator.protocol}"
        own = code == "none"
        return self._cell(
            row, lambda: (*evaluator.row(row, queries, attack=attack, code=code, own_labels=own), [])
        )

    def _attack(self, evaluator: Evaluator, cell: AttackCell, goals: Mapping[str, Codes]) -> dict[str, Any]:
        attack = cell.build(self.trained)
        code = cell.code or attack.code
        if code not in goals and code != "none":
            raise unknown_name(f"target code for {cell.attack} here", code, goals)
        row = f"{cell.row_name(attack)}-{evaluator.protocol}"

        def measure() -> Measured:
            keep = choose_queries(evaluator, self.gallery) if cell.gallery else np.empty(0, dtype=np.intp)
            # A target code of "none" is not looked at; any code will do.
            attacked = evaluator.attack(attack, goals.get(code, goals["anchor"]), keep=keep, title=row)
            result, score = evaluator.row(
                row,
                attacked.codes,
                attack=cell.attack,
                code=code,
                by=attack,
                attacked=attacked,
            )
            shown = gallery_entries(evaluator, result, attacked, keep, self.directory / "gallery")
            return result, score, shown

        return self._cell(row, measure)

    def _cell(self, row: str, measure: Callable[[], Measured]) -> dict[str, Any]:
        """Return a measured row from its file, or measure it and write the file."""
        path = self.directory / "cells" / f"{row}.json"
        together = processes(self.model.device)
        found: dict[str, Any] | None = together.from_main(lambda: read_json(path) if path.exists() else None)
        if found is not None:
            return found
        result, score, entries = measure()
        cell = {
            "result": result.model_dump(mode="json"),
            "curve": {"row": row, **score.curve},
            "gallery": entries,
        }
        if is_main():
            write_json(path, cell)
        self.say(f"{row}: {result.score_name} {result.score:.3f} (chance {result.score_chance:.3f})")
        return cell

    def _write(self, cells: list[dict[str, Any]]) -> None:
        if not is_main():
            return
        write_json_lines(self.directory / "results.jsonl", [cell["result"] for cell in cells])
        write_json_lines(self.directory / "curves.jsonl", [cell["curve"] for cell in cells])
        entries = [entry for cell in cells for entry in cell["gallery"]]
        write_json(
            self.directory / "gallery" / "gallery.json",
            {"image_size": self.data.image_size, "entries": entries},
        )
