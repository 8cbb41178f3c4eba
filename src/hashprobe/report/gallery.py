"""The gallery of a run: for chosen queries, what was sent and what came back, before and after the attack."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import read_json
from hashprobe.report.rows import group_rank
from hashprobe.results import TARGETED, UNTARGETED, ResultRow

MOST = 1 << 31
"""Of whole numbers in a gallery."""


Texts = Annotated[tuple[str, ...], Field(strict=False)]  # JSON has lists
Precision = Annotated[float, Field(ge=-1e-9, le=1 + 1e-9)]
Count = Annotated[int, Field(ge=0, le=MOST)]


class Neighbour(BaseModel):
    """A database picture that was returned.

    Attributes:
        hit: It shares a label with the target.
        relevant: It shares a label with the query.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    name: str = ""
    image: str
    distance: Count
    hit: bool
    relevant: bool = False
    labels: Texts = ()


Neighbours = Annotated[tuple[Neighbour, ...], Field(strict=False)]


class Entry(BaseModel):
    """One query under one attack. Image names are relative to the gallery; precisions are fractions.

    Under an untargeted attack there are no target labels, and precisions are those of the query's own labels.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    row: str
    goal: Literal["targeted", "untargeted"] = TARGETED
    query: Count
    query_name: str = ""
    query_labels: Texts
    target_labels: Texts
    query_image: str
    adversarial_image: str
    code_hex: str = ""
    precision_before: Precision | None = Field(
        default=None, validation_alias="target_average_precision_before"
    )
    precision_after: Precision | None = Field(default=None, validation_alias="target_average_precision")
    before: Neighbours
    after: Neighbours

    @property
    def untargeted(self) -> bool:
        """Whether the attack was to lead away from the query's own labels."""
        return self.goal == UNTARGETED

    @property
    def gain(self) -> float:
        """How far the attack raised the average precision for the target label, or lowered it for the query's own."""
        rise = (self.precision_after or 0.0) - (self.precision_before or 0.0)
        return -rise if self.untargeted else rise

    def counts(self, neighbour: Neighbour) -> bool:
        """Whether a returned picture is one that is counted: it carries the target label, or is relevant still."""
        return neighbour.relevant if self.untargeted else neighbour.hit


@dataclass(frozen=True)
class Gallery:
    """The entries, and the folder that their image names are relative to."""

    folder: Path
    image_size: int | None
    entries: tuple[Entry, ...]

    @property
    def queries(self) -> list[int]:
        """The queries that occur, in order of appearance."""
        return list(dict.fromkeys(entry.query for entry in self.entries))


def read_gallery(folder: Path, rows: Container[str]) -> Gallery | None:
    """Read ``folder/gallery.json``; ``None`` if it is not there.

    Args:
        folder: The gallery's folder.
        rows: Ids of the result rows; entries of others are left out.

    Raises:
        HashprobeError: an entry is malformed (its number is named), or a picture that it names is missing.
    """
    path = folder / "gallery.json"
    if not path.is_file():
        return None
    values = read_json(path)
    if not isinstance(values, dict) or not isinstance(values.get("entries"), list):
        raise HashprobeError(f"{path} must hold an object with a list named entries.")
    entries = []
    for number, value in enumerate(values["entries"], start=1):
        try:
            entry = Entry.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "it"
            raise HashprobeError(
                f"{path}, entry {number} is malformed ({name}: {first['msg']}; found {shortened(first['input'])})."
            ) from None
        if entry.row in rows:
            entries.append(entry)
    for name in {name for entry in entries for name in image_names(entry)}:
        try:
            inside = (folder / name).resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, NUL
            raise HashprobeError(
                f"{path} names the picture {shortened(name)}, which is no path ({error})."
            ) from None
        if not inside:
            raise HashprobeError(f"{path} names the picture {name!r}, which lies outside {folder}.")
        if not os.path.isfile(folder / name):  # False as well where no file can be called so
            raise HashprobeError(f"{path} names the picture {name!r}, which does not exist in {folder}.")
    size = values.get("image_size")
    if size is not None and (type(size) is not int or not 1 <= size <= MOST):
        raise HashprobeError(f"{path}: image_size must be a whole number of pixels; found {shortened(size)}.")
    return Gallery(folder=folder, image_size=size, entries=tuple(entries))


def example(entries: Sequence[Entry], rows: Sequence[ResultRow]) -> int | None:
    """Return the place of the entry to show first, or ``None`` if there is none.

    It is the one on which the strongest attack of the headline protocol gained most; the shelves show the failures
    beside it.
    """
    by_id = {row.row: row for row in rows}
    known = [(place, by_id[entry.row]) for place, entry in enumerate(entries) if entry.row in by_id]
    if not known:
        return None
    changed = [(place, row) for place, row in known if row.is_attack and not row.is_noise] or known
    headline = min((row.group for _, row in changed), key=group_rank)
    top = max((row for _, row in changed if row.group == headline), key=lambda row: row.strength)
    return max((place for place, row in changed if row is top), key=lambda place: entries[place].gain)


def image_names(entry: Entry) -> list[str]:
    """Return the names of all pictures of an entry."""
    return [
        entry.query_image,
        entry.adversarial_image,
        *(item.image for item in (*entry.before, *entry.after)),
    ]
