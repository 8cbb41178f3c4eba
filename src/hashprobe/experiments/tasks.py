"""What a task of a grid is: known by its settings, its result in the grid's folder, done when a file says so."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field

from hashprobe.devices import versions
from hashprobe.experiments.engine import Task
from hashprobe.experiments.grid import Grid
from hashprobe.files import read_json, write_json
from hashprobe.identity import NOT_IDENTITY, fingerprint, settings_identity
from hashprobe.main_process import is_main
from hashprobe.plugins import executed_plugins
from hashprobe.processes import processes

DONE_FILE = "done.json"


class GridTask(BaseModel, ABC):
    """A task of a grid, known by its settings; the grid does not enter.

    Attributes:
        part: What its time is called.
        grid: Where it is done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid: Grid = Field(json_schema_extra=NOT_IDENTITY)

    @cached_property
    def key(self) -> str:
        """Fingerprint of kind and settings, and of all that it needs."""
        return fingerprint(self.identity(), *(needed.key for needed in self.needs()))[:12]

    def identity(self) -> dict[str, Any]:
        """Return what identifies it, beside what it needs."""
        return settings_identity(self)

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, in a few words."""

    @property
    @abstractmethod
    def part(self) -> str:
        """What its time is called, beside that of others."""

    @property
    @abstractmethod
    def done(self) -> Path:
        """The file that is written last."""

    @abstractmethod
    def needs(self) -> Sequence[Task]:
        """Return the tasks whose results this one reads."""

    @abstractmethod
    def make(self) -> None:
        """Do the work and leave the result."""

    @property
    def stem(self) -> str:
        """Its files' name for people."""
        return file_name(self.title)

    @property
    def slug(self) -> str:
        """A name that no other task has: that for people, and the key."""
        return f"{self.stem}-{self.key}"

    def finished(self) -> bool:
        """Say whether the result is there; every process gets the main one's answer."""
        return processes().from_main(self.done.exists)

    def facts(self) -> dict[str, Any]:
        """Return what was said of the result, with settings and seconds."""
        found: dict[str, Any] = read_json(self.done)
        return found

    def made(self, started: float) -> dict[str, Any]:
        """Return what is said of every result: title, settings, seconds and how it was made."""
        return {
            "title": self.title,
            "settings": self.model_dump(mode="json", exclude={"grid"}),
            "seconds": round(time.perf_counter() - started, 1),
            **how_made(self.grid.seed, self.device),
        }

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return torch.device(self.grid.device)


class FolderTask(GridTask):
    """A task whose result is a folder.

    Attributes:
        room: The folder of its kind, within the grid's.
    """

    room: ClassVar[str]

    @property
    @abstractmethod
    def plain_name(self) -> str:
        """Its folder's name where there is one of its kind."""

    @abstractmethod
    def work(self) -> dict[str, Any]:
        """Do the work, leave the result, and return what there is to say of it."""

    @property
    def path(self) -> Path:
        """Where its result is left."""
        own = self.plain_name if self.grid.one_model else f"{self.room}/{self.slug}"
        return self.grid.folder / own

    @property
    def logs(self) -> Path:
        """Where logs of the training are left."""
        return (self.grid.folder if self.grid.one_model else self.path) / "training"

    @property
    def done(self) -> Path:
        """Its description, which is written last."""
        return self.path / DONE_FILE

    def make(self) -> None:
        """Do the work; what says that it is done is written last, with its settings and time."""
        started = time.perf_counter()
        facts = self.work()
        if is_main():
            write_json(self.done, self.made(started) | facts)


def file_name(title: str) -> str:
    """Return a title as the name of a file."""
    return re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-")[:80]


def how_made(seed: int, device: torch.device) -> dict[str, Any]:
    """Return what every description of an experiment says of where and from which seed it was computed."""
    made = {
        "seed": seed,
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "device": str(device),
    }
    plugins = executed_plugins()
    return made | ({"plugins": plugins} if plugins else {})
