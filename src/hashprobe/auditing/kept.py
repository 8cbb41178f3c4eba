"""What was measured on each picture, kept as it is measured: one file a cell, which grows by a block of pictures at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, write_json

FORMAT = "hashprobe.audit-cell/1"


class Measured(BaseModel):
    """What was measured on one picture.

    Attributes:
        query: Its place among the pictures asked about.
        distance: Bits between its code, after what was done to it, and the code that counts: its own stored one, or the other's.
        before: The same before.
        jpeg: The same after it was stored as JPEG as well.
        first: The chance that the search lists its own stored copy first, ties in random order.
        precision: Average precision for its labels, or, without labels, for its own stored copy alone.
        linf: Largest change of a value, in [0, 1] units.
        l2: Length of the change.
        rms: Root of the mean squared change.
        ssim: Structural similarity to the photograph.
        questions: What was asked for it.
        code: Its packed code in hexadecimal, where the search gives codes.
        picture: File of the attacked picture, of the few that are kept.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    query: int = Field(ge=0)
    distance: int = Field(ge=0)
    before: int = Field(ge=0)
    jpeg: int | None = Field(None, ge=0)
    first: float | None = Field(None, ge=0, le=1)
    precision: float | None = Field(None, ge=0, le=1 + 1e-9)
    linf: float | None = Field(None, ge=0)
    l2: float | None = Field(None, ge=0)
    rms: float | None = Field(None, ge=0)
    ssim: float | None = None
    questions: int | None = Field(None, ge=0)
    code: str | None = Field(None, pattern=r"^([0-9a-f]{2})+$")
    picture: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    format: Literal["hashprobe.audit-cell/1"]
    of: int
    rows: list[Measured]


class Cell:
    """The file of a cell.

    Args:
        folder: The audit's.
        name: Of the cell, as a file may be named.
        key: Fingerprint of everything that it depends on.
        of: How many pictures it is to hold.
        with_codes: Whether rows must have their codes; what was kept without them is measured again.

    Raises:
        HashprobeError: the file is damaged.
    """

    def __init__(self, folder: Path, name: str, key: str, of: int, *, with_codes: bool = False) -> None:
        self.path, self.of = folder / "cells" / f"{name}-{key[:12]}.json", of
        self.rows: list[Measured] = []
        if self.path.exists():
            found = read_json(self.path)
            try:
                read = _File.model_validate(found)
            except ValidationError:
                read = None
            if read is None or read.of != of or len(read.rows) > of:
                raise HashprobeError(f"{self.path} is damaged; delete it, and the cell is measured again.")
            if not with_codes or all(row.code for row in read.rows):
                self.rows = read.rows

    @property
    def done(self) -> bool:
        """Whether every picture is measured."""
        return len(self.rows) == self.of

    def add(self, rows: Sequence[Measured]) -> None:
        """Keep what was measured on a further block of pictures."""
        self.rows += rows
        shown = [row.model_dump(exclude_none=True) for row in self.rows]
        write_json(self.path, {"format": FORMAT, "of": self.of, "rows": shown})
