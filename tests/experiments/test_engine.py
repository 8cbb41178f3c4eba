"""The engine: the order of tasks, what is done once, what a failure stops, and engines that do the same."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from hashprobe.errors import HashprobeError
from hashprobe.experiments.engine import Task, open_engine, run_tasks, with_needs


@dataclass(frozen=True)
class Note:
    """A task that writes its name, and may fail or kill its process so many times before."""

    folder: Path
    name: str
    needed: tuple[Note, ...] = ()
    fails: bool = False
    deaths: int = 0

    @property
    def key(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        return f"note {self.name}"

    def needs(self) -> Sequence[Task]:
        return self.needed

    def finished(self) -> bool:
        return (self.folder / self.name).exists()

    def make(self) -> None:
        assert all(task.finished() for task in self.needed)
        with (self.folder / "log").open("a") as log:
            log.write(f"{self.name}\n")
        if self.fails:
            raise HashprobeError(f"{self.name} cannot be done.")
        if self.tries() <= self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / self.name).touch()

    def tries(self) -> int:
        return log_of(self.folder).count(self.name)


def log_of(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().split() if log.exists() else []


def test_what_is_needed_comes_first_and_once(tmp_path: Path) -> None:
    base = Note(tmp_path, "base")
    middle = Note(tmp_path, "middle", (base,))
    assert list(with_needs([Note(tmp_path, "first"), Note(tmp_path, "last", (middle, base)), base])) == [
        "first",
        "base",
        "middle",
        "last",
    ]


def test_tasks_are_done_in_order_and_a_shared_one_once(tmp_path: Path) -> None:
    base = Note(tmp_path, "base")
    said: list[str] = []
    with open_engine("here") as engine:
        outcome = run_tasks(
            [Note(tmp_path, "a", (base,)), Note(tmp_path, "b", (base,))], engine, say=said.append
        )
    assert log_of(tmp_path) == ["base", "a", "b"]
    assert (set(outcome.made), outcome.kept, outcome.failed) == ({"base", "a", "b"}, set(), {})
    assert said[0].startswith("[1/3] note base: ")


def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    base = Note(tmp_path, "base")
    with open_engine("here") as engine:
        run_tasks([base], engine)
        outcome = run_tasks([Note(tmp_path, "a", (base,))], engine)
    assert log_of(tmp_path) == ["base", "a"]
    assert outcome.kept == {"base"}


@pytest.mark.parametrize("name", ["here", "processes"])
def test_a_failure_stops_only_what_needs_it(name: str, tmp_path: Path) -> None:
    bad = Note(tmp_path, "bad", fails=True)
    needy = Note(tmp_path, "needy", (bad,))
    tasks = [needy, Note(tmp_path, "neediest", (needy,)), Note(tmp_path, "good")]
    seen: list[int] = []
    with open_engine(name, 1) as engine:
        outcome = run_tasks(tasks, engine, after=lambda so_far: seen.append(len(so_far.failed)))
    assert outcome.failed == {
        "bad": "bad cannot be done.",
        "needy": "needs note bad, which failed",
        "neediest": "needs note needy, which failed",
    }
    assert outcome.finished == {"good"}
    assert log_of(tmp_path) == ["bad", "good"]
    assert seen[0] == 1


def test_a_process_that_was_killed_is_replaced_and_its_task_tried_again(tmp_path: Path) -> None:
    tasks = [Note(tmp_path, "dies-once", deaths=1), Note(tmp_path, "dies", deaths=9), Note(tmp_path, "lives")]
    with open_engine("processes", 1) as engine:
        outcome = run_tasks(tasks, engine)
    assert outcome.finished == {"dies-once", "lives"}
    assert list(outcome.failed) == ["dies"]
    assert "BrokenProcessPool" in outcome.failed["dies"]
    assert log_of(tmp_path).count("dies") == 2


@pytest.mark.parametrize(
    ("name", "workers", "message"),
    [
        ("hear", None, "no engine is named 'hear'; did you mean 'here'"),
        ("here", 2, "for 2 give --engine processes"),
        ("processes", 0, "must be at least 1; found 0"),
    ],
)
def test_a_wrong_engine_is_said(name: str, workers: int | None, message: str) -> None:
    with pytest.raises(HashprobeError, match=message), open_engine(name, workers):
        pass


def test_a_ray_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise RuntimeError("The current node timed out during startup.\nSee the logs.")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=refuse, shutdown=lambda: None))  # type: ignore[arg-type]
    sentence = r"^Ray cannot be started here \(The current node timed out during startup\); give --engine processes\.$"
    with pytest.raises(HashprobeError, match=sentence), open_engine("ray", 1):
        pass
