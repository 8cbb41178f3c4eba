"""A task: a piece of work that leaves its result on disk, and may need what other tasks left there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class Task(Protocol):
    """A node of the graph of tasks that a grid is. It travels to other processes by pickle, and its result stays on disk.

    Attributes:
        key: Fingerprint of all that the result depends on; two tasks with one key are the same task.
        title: What it does, in a few words.
    """

    @property
    def key(self) -> str: ...  # noqa: D102

    @property
    def title(self) -> str: ...  # noqa: D102

    def needs(self) -> Sequence[Task]:
        """Return the tasks whose results this one reads."""
        ...

    def finished(self) -> bool:
        """Say whether the result is there, whole."""
        ...

    def make(self) -> None:
        """Do the work and leave the result; after a kill, go on as far as the work can."""
        ...


def with_needs(tasks: Iterable[Task]) -> dict[str, Task]:
    """Return tasks and all that they need, by key: what is needed comes before what needs it, the rest in the order given."""
    ordered: dict[str, Task] = {}

    def add(task: Task) -> None:
        if task.key not in ordered:
            for needed in task.needs():
                add(needed)
            ordered[task.key] = task

    for task in tasks:
        add(task)
    return ordered
