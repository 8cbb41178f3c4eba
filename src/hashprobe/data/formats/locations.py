"""Where rows are written: file and line of each, so that a message can name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Locations:
    """File and line of each of n rows.

    Attributes:
        files: The files, in order.
        file: int32 ``(n,)``: of each row, a number of ``files``.
        line: int32 ``(n,)``: of each row, its line, counted from 1.
        unit: What is counted: lines, or records of a binary file.
    """

    files: tuple[Path, ...]
    file: npt.NDArray[np.int32]
    line: npt.NDArray[np.int32]
    unit: str = "line"

    @classmethod
    def lines_of(cls, path: Path, lines: int | Sequence[int], *, unit: str = "line") -> Locations:
        """Return the locations of the first ``lines`` lines of a file, or of the lines with given numbers."""
        numbers = (
            np.arange(1, lines + 1, dtype=np.int32)
            if isinstance(lines, int)
            else np.array(lines, dtype=np.int32)
        )
        return cls((path,), np.zeros(len(numbers), dtype=np.int32), numbers.astype(np.int32), unit)

    @classmethod
    def joined(cls, parts: Sequence[Locations]) -> Locations:
        """Return the locations of several lists as one, in order."""
        starts = np.cumsum([0, *(len(part.files) for part in parts)])
        return cls(
            tuple(path for part in parts for path in part.files),
            np.concatenate([part.file + np.int32(start) for part, start in zip(parts, starts, strict=False)]),
            np.concatenate([part.line for part in parts]),
            parts[0].unit,
        )

    def __len__(self) -> int:
        return len(self.line)

    def __getitem__(self, row: int) -> str:
        """Say where a row is written."""
        return f"{self.files[self.file[row]]}, {self.unit} {self.line[row]}"

    def rows(self, rows: npt.NDArray[Any] | slice) -> Locations:
        """Return the locations of some rows."""
        return Locations(self.files, self.file[rows], self.line[rows], self.unit)

    def here_or_there(self, row: int, other: int) -> str:
        """Say where ``other`` is written; the file is left out if it is the one of ``row``."""
        return f"{self.unit} {self.line[other]}" if self.file[row] == self.file[other] else self[other]
