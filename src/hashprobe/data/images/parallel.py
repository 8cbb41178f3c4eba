"""Work on many images in threads, results in order, few in memory at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from hashprobe.cpus import usable_cpus
from hashprobe.errors import check_whole_number

MOST_WORKERS = 4096
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in the order of the items, computed by several threads.

    Unlike ``Executor.map`` it holds only a few results that were not asked for yet.

    Args:
        function: Must release Python's lock for most of its time, or threads win nothing.
        items: What it is called with.
        workers: Threads; by default as many as there are usable processors.
    """
    workers = (
        usable_cpus()
        if workers is None
        else check_whole_number("workers", workers, least=1, most=MOST_WORKERS)
    )
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
