"""Progress of long work: a bar with the time left on a terminal, a line now and then elsewhere.

The library is silent unless it is asked: every long function has ``progress: bool = False``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hashprobe.main_process import is_main

SECONDS_BETWEEN_LINES = 20.0

Advance = Callable[[int], None]


@contextmanager
def progress_bar(description: str, total: int, *, show: bool, done: int = 0) -> Iterator[Advance]:
    """Yield ``advance(n)``, which says that ``n`` more of ``total`` are done.

    Args:
        description: What is being done, in a few words.
        total: How many units there are in all.
        show: Whether anything is shown; ``False`` makes it free. Of several processes the main one shows it.
        done: How many were done before (resumed work).
    """
    if not show or not is_main():
        yield lambda n: None
    elif sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(description, total=total, completed=done)
            yield lambda n: bar.advance(task, n)
    else:
        yield _line_writer(description, total, done)


def _line_writer(description: str, total: int, done: int) -> Advance:
    start = last = time.monotonic()
    before = count = done

    def advance(n: int) -> None:
        nonlocal last, count
        count += n
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = (now - start) / max(count - before, 1) * (total - count)
            line = f"{description}: {count} of {total}, {now - start:.0f} s gone, about {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    return advance
