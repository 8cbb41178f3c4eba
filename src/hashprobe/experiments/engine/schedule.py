"""Runs tasks in the order of their needs; what is finished is not done again, and what fails stops only what needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from hashprobe.errors import HashprobeError
from hashprobe.experiments.engine.engines import Engine
from hashprobe.experiments.engine.tasks import Task, with_needs


@dataclass
class Outcome:
    """What became of a grid's tasks, by key.

    Attributes:
        kept: Were finished before.
        made: Were done now, with their seconds.
        failed: Went wrong, or needed what went wrong: why, in a sentence.
    """

    kept: set[str] = field(default_factory=set)
    made: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> set[str]:
        """All whose results are there."""
        return self.kept | set(self.made)


def run_tasks(
    tasks: Iterable[Task],
    engine: Engine,
    *,
    say: Callable[[str], None] = lambda line: None,
    after: Callable[[Outcome], None] = lambda outcome: None,
    stop_at_failure: bool = False,
) -> Outcome:
    """Do all tasks and what they need.

    Of the tasks that could start, the first in order does, so that the grid's first results are there early.

    Args:
        tasks: What is wanted.
        engine: Where it is done.
        say: Called with a line of text as tasks end.
        after: Called after each task that ended.
        stop_at_failure: Whether the first task that fails ends all, with its own error.

    Returns:
        What became of each.
    """
    ordered = with_needs(tasks)
    needs = {key: [needed.key for needed in task.needs()] for key, task in ordered.items()}
    outcome = Outcome(kept={key for key, task in ordered.items() if task.finished()})
    waiting = {key: task for key, task in ordered.items() if key not in outcome.kept}
    running: dict[Future[None], tuple[Task, float]] = {}
    orphans: set[str] = set()
    total = len(waiting)
    if outcome.kept:
        say(f"{len(outcome.kept)} of {len(ordered)} tasks were finished before")
    while waiting or running:
        for key in list(waiting):  # in order, so that a failure reaches what needs a task that needs it
            if failed := [needed for needed in needs[key] if needed in outcome.failed]:
                outcome.failed[key] = f"needs {ordered[failed[0]].title}, which failed"
                say(f"{waiting.pop(key).title}: not done, {outcome.failed[key]}")
        finished = outcome.finished
        ready = [key for key in waiting if finished.issuperset(needs[key])]
        for task in [waiting.pop(key) for key in ready[: engine.workers - len(running)]]:
            started = time.perf_counter()
            running[engine.submit(task)] = (task, started)
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            task, started = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool) and task.key not in orphans:
                # Some process died, and the pool does not say whose task killed it: each gets one more try.
                orphans.add(task.key)
                waiting = {task.key: task, **waiting}
                continue
            if error is not None and stop_at_failure:
                raise _own(error)
            took = time.perf_counter() - started
            count = f"[{total - len(waiting) - len(running)}/{total}]"
            if error is None:
                outcome.made[task.key] = took
                say(f"{count} {task.title}: {took:.0f} s")
            else:
                outcome.failed[task.key] = _reason(error)
                say(f"{count} {task.title}: FAILED: {outcome.failed[task.key]}")
            after(outcome)
    return outcome


def _own(error: BaseException) -> BaseException:
    """Return what a task raised; Ray wraps it."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, HashprobeError) else error


def _reason(error: BaseException) -> str:
    error = _own(error)
    if isinstance(error, HashprobeError):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0] if str(error) else type(error).__name__
