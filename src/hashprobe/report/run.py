"""A run directory, read and checked: only ``results.jsonl`` must be there, all else is shown when present."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, read_json_lines
from hashprobe.report.gallery import Gallery, read_gallery
from hashprobe.report.rows import Row, in_reading_order


@dataclass(frozen=True)
class Curve:
    """Precision over recall, and over the number of pictures returned, for the target label of one row."""

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
        training: The training logs by name (``"prosgan"``); one mapping a line.
        gallery: The example pictures, or ``None``.
        experiment: ``experiment.json``, or empty.
        audit: The findings of ``data check``, or ``None``.
        transfer: The rows of ``transfer.jsonl``.
        directory: Where it was read, or ``None`` if it was made from rows.
    """

    rows: list[Row]
    curves: dict[str, Curve] = field(default_factory=dict)
    training: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gallery: Gallery | None = None
    experiment: dict[str, Any] = field(default_factory=dict)
    audit: Any = None
    transfer: list[dict[str, Any]] = field(default_factory=list)
    directory: Path | None = None

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
        directory = Path(directory)
        if not directory.is_dir():
            raise HashprobeError(f"{directory} is not a folder; a report is made from the folder of a run.")
        results = directory / "results.jsonl"
        if not results.is_file():
            raise HashprobeError(f"{results} does not exist; is {directory} the folder of a finished run?")
        lines = read_json_lines(results)
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
                if (lines := read_json_lines(path))
            },
            gallery=read_gallery(directory / "gallery", {row.row for row in rows}),
            experiment=experiment,
            audit=_optional(directory / "audit.json", None),
            transfer=_read_transfer(directory / "transfer.jsonl"),
            directory=directory,
        )


def _optional(path: Path, default: Any) -> Any:
    return read_json(path) if path.is_file() else default


def _checked_rows(rows: Iterable[tuple[str, Mapping[str, Any]]], source: str) -> list[Row]:
    checked: list[Row] = []
    seen: dict[str, str] = {}
    for number, (where, values) in enumerate(rows, start=1):
        row = Row.read(values, where, number)
        if row.row in seen:
            raise HashprobeError(f"{where} has the id {row.row!r} of {seen[row.row]}; ids must be unique.")
        seen[row.row] = where
        checked.append(row)
    if not checked:
        raise HashprobeError(f"{source} hold no result row, so there is nothing to report.")
    return in_reading_order(checked)


def _read_curves(path: Path) -> dict[str, Curve]:
    if not path.is_file():
        return {}
    curves = {}
    for number, line in enumerate(read_json_lines(path), start=1):
        lists = {name: line.get(name, []) for name in ("recall", "precision", "at", "precision_at")}
        sound = all(
            isinstance(values, list) and all(isinstance(v, int | float) for v in values)
            for values in lists.values()
        )
        if "row" not in line or not sound:
            raise HashprobeError(
                f"{path}, row {number} must have row, and lists of numbers: {', '.join(lists)}."
            )
        for x, y in (("recall", "precision"), ("at", "precision_at")):
            if len(lists[x]) != len(lists[y]):
                raise HashprobeError(
                    f"{path}, row {number}: {x} has {len(lists[x])} values and {y} {len(lists[y])}."
                )
        curves[str(line["row"])] = Curve(**lists)
    return curves


def _read_transfer(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        numbers = isinstance(line.get("t_map"), int | float) and isinstance(line.get("chance"), int | float)
        if "from" not in line or "to" not in line or not numbers:
            raise HashprobeError(f"{path}, row {number} must have from, to, t_map and chance.")
    return lines
