"""A run directory, read and checked: only ``results.jsonl`` must be there, all else is shown when present."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import read_json, read_json_lines, user_path
from hashprobe.report.gallery import Gallery, read_gallery
from hashprobe.report.rows import in_reading_order, numbers_apart
from hashprobe.results import (
    TARGETED,
    UNTARGETED,
    Finding,
    QueryScores,
    ResultRow,
    best_rows,
    lines_of,
    not_weaker,
    read_query_scores,
    run_checks,
)

LARGEST = 1e300
"""Above it lie what JSON calls Infinity and whole numbers that no float holds."""


@dataclass(frozen=True)
class Curve:
    """Precision of one row over recall, and over the number of pictures returned.

    It counts pictures with the target label, or with a label of the query where the row is untargeted.
    """

    recall: list[float]
    precision: list[float]
    at: list[int]
    precision_at: list[float]


@dataclass(frozen=True)
class RunRecord:
    """What a run recorded: its rows, and whatever else of it is there.

    Attributes:
        rows: The result rows, by protocol (headline first).
        curves: The curves by row id.
        training: The training logs by name (``"hash-model"``); one mapping a line.
        gallery: The example pictures, or ``None``.
        experiment: ``experiment.json``, or empty.
        audit: The findings of ``data check``, or ``None``.
        transfer: The rows of ``transfer.jsonl``.
        scores: What each query of a row scored, by row id.
        directory: Where it was read, or ``None`` if it was made from rows.
    """

    rows: list[ResultRow]
    curves: dict[str, Curve] = field(default_factory=dict)
    training: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gallery: Gallery | None = None
    experiment: dict[str, Any] = field(default_factory=dict)
    audit: Any = None
    transfer: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, QueryScores] = field(default_factory=dict)
    directory: Path | None = None

    @cached_property
    def lines(self) -> list[ResultRow]:
        """The rows as tables show them: those that differ only in the training seed of their attack are one, their mean."""
        return self._lines[0]

    @cached_property
    def best(self) -> set[str]:
        """The ids of the strongest of ``lines``."""
        return best_rows(self.lines)

    @cached_property
    def not_weaker(self) -> set[str]:
        """The ids of ``lines`` that are not significantly weaker than the strongest of their group, and are not among it."""
        return not_weaker(*self._lines) - self.best

    @cached_property
    def numbers(self) -> dict[str, str]:
        """What tells rows and lines of one name apart, by their ids; see :func:`numbers_apart`."""
        return numbers_apart({row.row: row for row in (*self.rows, *self.lines)}.values())

    @cached_property
    def findings(self) -> list[Finding]:
        """What checks find in the rows."""
        return run_checks(self.rows, self.scores)

    @cached_property
    def _lines(self) -> tuple[list[ResultRow], dict[str, QueryScores]]:
        return lines_of(self.rows, self.scores)

    @cached_property
    def palette(self) -> dict[str, int]:
        """The place of each attack in order of appearance: one attack has one colour in all charts of a run.

        A target code that was the query itself has the place of the first attack that aims at it. What is no attack, the
        unchanged queries and noise, has none.
        """
        attacks = [row for row in self.rows if row.is_attack and not row.is_noise]
        places = {name: place for place, name in enumerate(dict.fromkeys(row.attack for row in attacks))}
        aims: dict[str, int] = {}
        for row in attacks:
            aims.setdefault(row.code, places[row.attack])
        codes = {row.attack: aims[row.code] for row in self.rows if row.is_code and row.code in aims}
        return codes | places

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> RunRecord:
        """Make a run of result rows alone (for a notebook).

        Raises:
            HashprobeError: there is no row, or one is malformed (its number is named).
        """
        return cls(
            rows=_checked_rows(
                ((f"result row {i}", row) for i, row in enumerate(rows, start=1)), "the results"
            )
        )

    @classmethod
    def read(cls, directory: str | Path) -> RunRecord:
        """Read a run directory.

        Raises:
            HashprobeError: ``results.jsonl`` is missing or empty, or a file is malformed (both are named).
        """
        directory = user_path(directory)
        if not directory.is_dir():
            raise HashprobeError(f"{directory} is not a folder; a report is made from the folder of a run.")
        results = directory / "results.jsonl"
        if not results.is_file():
            raise HashprobeError(f"{results} does not exist; is {directory} the folder of a finished run?")
        lines = read_json_lines(results)
        if any("goal" not in line for line in lines):
            raise HashprobeError(
                f"{results} was written by an earlier version of hashprobe (its rows name no goal); measure it again."
            )
        rows = _checked_rows(
            ((f"{results}, row {i}", row) for i, row in enumerate(lines, start=1)), str(results)
        )
        experiment = _optional(directory / "experiment.json", {})
        if not isinstance(experiment, dict):
            raise HashprobeError(f"{directory / 'experiment.json'} must hold a JSON object.")
        return cls(
            rows=rows,
            curves=_read_curves(directory / "curves.jsonl"),
            training={
                path.stem: lines
                for path in sorted(directory.glob("training/*.jsonl"))
                if (lines := _read_training(path))
            },
            gallery=read_gallery(directory / "gallery", {row.row for row in rows}),
            experiment=experiment,
            audit=_optional(directory / "audit.json", None),
            transfer=_read_transfer(directory / "transfer.jsonl"),
            scores=read_query_scores(directory),
            directory=directory,
        )


def _optional(path: Path, default: Any) -> Any:
    return read_json(path) if path.is_file() else default


def _checked_rows(rows: Iterable[tuple[str, Mapping[str, Any]]], source: str) -> list[ResultRow]:
    checked: list[ResultRow] = []
    seen: dict[str, str] = {}
    for number, (where, values) in enumerate(rows, start=1):
        row = ResultRow.read(values, where, number)
        if row.row in seen:
            raise HashprobeError(
                f"{where} has the id {shortened(row.row)} of {seen[row.row]}; ids must be unique."
            )
        seen[row.row] = where
        checked.append(row)
    if not checked:
        raise HashprobeError(f"{source} hold no result row, so there is nothing to report.")
    return in_reading_order(checked)


def _is_number(value: Any, *, least: float = 0.0, most: float = LARGEST) -> bool:
    """Whether a value of JSON is a number in a range; rounding may carry a fraction a little out of it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and least - 1e-9 <= value <= most + 1e-9


def _read_curves(path: Path) -> dict[str, Curve]:
    if not path.is_file():
        return {}
    ranges = {"recall": (0, 1), "precision": (0, 1), "at": (1, LARGEST), "precision_at": (0, 1)}
    curves = {}
    for number, line in enumerate(read_json_lines(path), start=1):
        lists = {name: line.get(name, []) for name in ranges}
        for name, (least, most) in ranges.items():
            values = lists[name]
            if not isinstance(values, list) or not all(
                _is_number(value, least=least, most=most) for value in values
            ):
                said = "fractions in [0, 1]" if most == 1 else "numbers of at least 1"
                raise HashprobeError(f"{path}, row {number}: {name} must be a list of {said}.")
        if "row" not in line:
            raise HashprobeError(f"{path}, row {number} lacks row, the id of the result row that it is of.")
        for x, y in (("recall", "precision"), ("at", "precision_at")):
            if len(lists[x]) != len(lists[y]):
                raise HashprobeError(
                    f"{path}, row {number}: {x} has {len(lists[x])} values and {y} {len(lists[y])}."
                )
        curves[str(line["row"])] = Curve(**lists)
    return curves


def _read_training(path: Path) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        if not _is_number(line.get("step", 0)):
            raise HashprobeError(
                f"{path}, row {number}: step must be a number; found {shortened(line['step'])}."
            )
    return lines


def _read_transfer(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        where = f"{path}, row {number}"
        if line.get("goal", TARGETED) not in (TARGETED, UNTARGETED):
            raise HashprobeError(
                f"{where}: goal must be targeted or untargeted; found {shortened(line['goal'])}."
            )
        scores = ("map", "map_chance") if line.get("goal") == UNTARGETED else ("t_map", "chance")
        if missing := [name for name in ("from", "to", *scores) if line.get(name) is None]:
            raise HashprobeError(f"{where} lacks {', '.join(missing)}.")
        for name in scores:
            if not _is_number(line[name], most=1):
                raise HashprobeError(
                    f"{where}: {name} must be a fraction in [0, 1]; found {shortened(line[name])}."
                )
        if line.get("epsilon") is not None and not _is_number(line["epsilon"]):
            raise HashprobeError(
                f"{where}: epsilon must be a number of at least 0, or null; found {shortened(line['epsilon'])}."
            )
    return lines
