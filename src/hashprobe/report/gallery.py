"""The gallery of a run: for chosen queries, what was sent and what came back, before and after the attack."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json
from hashprobe.report.rows import group_rank
from hashprobe.results import TARGETED, UNTARGETED, ResultRow


@dataclass(frozen=True)
class Neighbour:
    """A database picture that was returned.

    Attributes:
        hit: It shares a label with the target.
        relevant: It shares a label with the query.
    """

    name: str
    image: str
    distance: int
    hit: bool
    relevant: bool
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One query under one attack. Image names are relative to the gallery; precisions are fractions.

    Under an untargeted attack there are no target labels, and precisions are those of the query's own labels.
    """

    row: str
    untargeted: bool
    query: int
    query_name: str
    query_labels: tuple[str, ...]
    target_labels: tuple[str, ...]
    query_image: str
    adversarial_image: str
    code_hex: str
    precision_before: float | None
    precision_after: float | None
    before: tuple[Neighbour, ...]
    after: tuple[Neighbour, ...]

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
            entry = _entry(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HashprobeError(
                f"{path}, entry {number} is malformed ({type(error).__name__}: {error})."
            ) from None
        if entry.row in rows:
            entries.append(entry)
    for name in {name for entry in entries for name in image_names(entry)}:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
        if not inside:
            raise HashprobeError(f"{path} names the picture {name!r}, which lies outside {folder}.")
        if not (folder / name).is_file():
            raise HashprobeError(f"{path} names the picture {name!r}, which does not exist in {folder}.")
    return Gallery(folder=folder, image_size=values.get("image_size"), entries=tuple(entries))


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


def _entry(value: dict[str, Any]) -> Entry:
    after = value.get("target_average_precision")
    before = value.get("target_average_precision_before")
    goal = value.get("goal", TARGETED)
    if goal not in (TARGETED, UNTARGETED):
        raise ValueError(f"goal {goal!r} is neither targeted nor untargeted")
    return Entry(
        row=str(value["row"]),
        untargeted=goal == UNTARGETED,
        query=int(value["query"]),
        query_name=str(value.get("query_name", "")),
        query_labels=tuple(map(str, value["query_labels"])),
        target_labels=tuple(map(str, value["target_labels"])),
        query_image=str(value["query_image"]),
        adversarial_image=str(value["adversarial_image"]),
        code_hex=str(value.get("code_hex", "")),
        precision_before=None if before is None else float(before),
        precision_after=None if after is None else float(after),
        before=tuple(map(_neighbour, value["before"])),
        after=tuple(map(_neighbour, value["after"])),
    )


def _neighbour(value: dict[str, Any]) -> Neighbour:
    return Neighbour(
        name=str(value.get("name", "")),
        image=str(value["image"]),
        distance=int(value["distance"]),
        hit=bool(value["hit"]),
        relevant=bool(value.get("relevant", False)),
        labels=tuple(map(str, value.get("labels", ()))),
    )
