"""What a cell measured, and the one place where it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, write_json, write_json_lines
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.results import QueryScores, ResultRow, write_results
from hashprobe.targets import Codes

FORMAT = "hashprobe.cell/1"


@dataclass(frozen=True)
class Measured:
    """What one cell measured, and all that its folder's results are written from.

    Attributes:
        rows: Result rows: on the attacked model, then on the others that it was scored on.
        curves: Their curves, as ``curves.jsonl`` holds them.
        codes: The packed codes that were ranked, under the attacked model.
        queries: What each query of them scored; a cell of an earlier version has none.
        gallery: Entries of the gallery.
        links: What ``transfer.jsonl`` says of it, a line a scored model; empty without transfer.
    """

    rows: list[ResultRow]
    curves: list[dict[str, Any]]
    codes: Codes
    queries: list[QueryScores] = field(default_factory=list)
    gallery: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)


class _Kept(BaseModel):
    """What the file of a cell holds, beside facts for whoever reads it."""

    model_config = ConfigDict(strict=True)

    format: Literal["hashprobe.cell/1"]
    rows: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    codes: str
    gallery: list[dict[str, Any]]
    links: list[dict[str, Any]]
    queries: list[QueryScores] = []


class CellStore:
    """Measured cells in a folder: one file each, named after the cell and its fingerprint, written atomically.

    Args:
        folder: The experiment's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str, key: str) -> Path:
        """Return the file of a cell."""
        return self.folder / "cells" / f"{name}-{key[:12]}.json"

    def has(self, name: str, key: str) -> bool:
        """Say whether a cell is there; every process gets the main one's answer."""
        return processes().from_main(self.path(name, key).exists)

    def find(self, name: str, key: str) -> Measured | None:
        """Return a cell, or ``None`` if it has not been measured.

        Raises:
            HashprobeError: its file is damaged.
        """
        return self._read(self.path(name, key)) if self.has(name, key) else None

    def all(self) -> list[Measured]:
        """Return all cells that the folder holds, in the order of their files' names.

        Raises:
            HashprobeError: a file is damaged.
        """
        paths = processes().from_main(lambda: sorted(self.folder.glob("cells/*.json")))
        return [self._read(path) for path in paths]

    def _read(self, path: Path) -> Measured:
        found = processes().from_main(lambda: read_json(path))
        try:
            kept = _Kept.model_validate(found)
            rows = [ResultRow(**row) for row in kept.rows]
            codes = np.frombuffer(bytes.fromhex(kept.codes), np.uint8)
            codes = codes.reshape(rows[0].queries or 0, -1)
            return Measured(rows, kept.curves, codes, kept.queries, kept.gallery, kept.links)
        except (TypeError, ValueError, IndexError, OverflowError):
            raise HashprobeError(f"{path} is damaged; delete it, and the cell is measured again.") from None

    def keep(self, name: str, key: str, measured: Measured, **facts: Any) -> None:
        """Write a cell, with further facts for whoever reads the file."""
        if is_main():
            cell = {
                "format": FORMAT,
                **facts,
                "rows": [row.model_dump(mode="json") for row in measured.rows],
                "curves": measured.curves,
                "queries": [one.model_dump() for one in measured.queries],
                "gallery": measured.gallery,
                "links": measured.links,
                "codes": measured.codes.tobytes().hex(),
            }
            write_json(self.path(name, key), cell)

    def write_results(self, cells: Sequence[Measured], image_size: int) -> None:
        """Write what a report reads: rows, curves and scores of queries, findings, and what there is of gallery and transfer."""
        if not is_main():
            return
        write_results(
            self.folder,
            [row for cell in cells for row in cell.rows],
            [curve for cell in cells for curve in cell.curves],
            [one for cell in cells for one in cell.queries],
        )
        if links := [link for cell in cells for link in cell.links]:
            write_json_lines(self.folder / "transfer.jsonl", links)
        if entries := [entry for cell in cells for entry in cell.gallery]:
            gallery = {"image_size": image_size, "entries": entries}
            write_json(self.folder / "gallery" / "gallery.json", gallery)
