"""What a task of the paper's grid is: known by its settings, its result in a folder of its own, done when a file says so."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict

from hashprobe.files import read_json, sha256_of, write_json
from hashprobe.grids import Task
from hashprobe.paper.place import Place
from hashprobe.recipes import how_made

DONE_FILE = "done.json"


class PaperTask(BaseModel, ABC):
    """A task of the paper's grid, known by its settings; the place is the grid's and does not enter.

    Attributes:
        room: The folder of its kind, within the grid's.
        place: Where it is done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    room: ClassVar[str]

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
        return self.place.folder / self.room / f"{name[:80]}-{self.key}"

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
