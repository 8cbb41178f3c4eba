"""Engines: where a grid's tasks are done. Each takes a task and returns a future; the scheduler does the rest."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import numba
import torch

from hashprobe.cpus import usable_cpus
from hashprobe.errors import HashprobeError
from hashprobe.experiments.engine.tasks import Task
from hashprobe.plugins import load_installed_plugins, load_plugins, loaded_plugins
from hashprobe.registry import Registry


@dataclass(frozen=True)
class Engine:
    """Where tasks are done.

    Attributes:
        workers: How many tasks are done at once.
        submit: Start a task; its future ends with ``None`` or with what went wrong.
    """

    workers: int
    submit: Callable[[Task], Future[None]]


ENGINES: Registry[Callable[[int], AbstractContextManager[Engine]]] = Registry("engine")


def open_engine(name: str, workers: int | None = None) -> AbstractContextManager[Engine]:
    """Return the context of an engine.

    Args:
        name: ``here`` (in this process, one task after another, with all threads), ``processes`` (on this machine), or
            ``ray`` (a Ray cluster: the one that ``RAY_ADDRESS`` names, otherwise one that is started here; the extra ``ray``).
        workers: Tasks at once; by default one for ``here`` and one a processor otherwise. The processors are shared out
            among them.

    Raises:
        HashprobeError: an unknown engine, or Ray is not installed.
    """
    if workers is not None and workers < 1:
        raise HashprobeError(f"--workers must be at least 1; found {workers}.")
    return ENGINES[name](workers or (1 if name == "here" else usable_cpus()))


@ENGINES.register("here")
@contextmanager
def here(workers: int) -> Iterator[Engine]:
    """Do each task as it is submitted, in this process."""
    if workers > 1:
        raise HashprobeError(
            f"the engine 'here' does one task at a time; for {workers} give --engine processes."
        )

    def submit(task: Task) -> Future[None]:
        done: Future[None] = Future()
        try:
            task.make()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return done

    yield Engine(1, submit)


@ENGINES.register("processes")
@contextmanager
def processes(workers: int) -> Iterator[Engine]:
    """Do tasks in processes of this machine; one that dies is replaced."""
    pools: list[ProcessPoolExecutor] = []

    def new_pool() -> ProcessPoolExecutor:
        # Spawned, since a forked process would share the locks of threads that it does not have.
        pools.append(
            ProcessPoolExecutor(
                workers,
                get_context("spawn"),
                initializer=_prepare_process,
                initargs=(_share(workers), loaded_plugins()),
            )
        )
        return pools[-1]

    new_pool()

    def submit(task: Task) -> Future[None]:
        try:
            return pools[-1].submit(_make, task)
        except RuntimeError:  # the pool is broken: one of its processes was killed
            return new_pool().submit(_make, task)

    try:
        yield Engine(workers, submit)
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


@ENGINES.register("ray")
@contextmanager
def on_ray(workers: int) -> Iterator[Engine]:
    """Do tasks on a Ray cluster, one task a processor; the folder of results must be the same on all its machines."""
    try:
        import ray
    except ImportError:
        raise HashprobeError("the engine 'ray' needs the extra ray: pip install 'hashprobe[ray]'.") from None
    # A cluster of its own, whatever an earlier one on this machine has left.
    own: dict[str, Any] = {"address": "local", "num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(**({} if os.environ.get("RAY_ADDRESS") else own), log_to_driver=False)
    except (
        Exception
    ) as error:  # of whatever kind: what is missing or slow in a cluster, Ray says in many ways
        ray.shutdown()
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
        raise HashprobeError(f"Ray cannot be started here ({reason}); give --engine processes.") from error
    remote = ray.remote(_make_prepared)
    prepared = _share(workers), loaded_plugins()
    try:
        # Pickled here, since its classes may be a plugin's, which the worker has to load first.
        yield Engine(workers, lambda task: remote.remote(pickle.dumps(task), *prepared).future())
    finally:
        ray.shutdown()


def _make(task: Task) -> None:
    task.make()


def _make_prepared(pickled: bytes, threads: int, plugins: Sequence[Path]) -> None:
    _prepare(threads, plugins)
    task: Task = pickle.loads(pickled)
    task.make()


def _prepare_process(threads: int, plugins: Sequence[Path]) -> None:
    """Prepare a process of a pool, which is to end with the one that started it, though that be killed."""
    Thread(target=_end_with_parent, daemon=True).start()
    _prepare(threads, plugins)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare(threads: int, plugins: Sequence[Path]) -> None:
    """Make a new process like the one that started it: with its plugins, and its share of the threads."""
    load_installed_plugins()
    load_plugins(plugins)
    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.get_num_threads()))


def _share(workers: int) -> int:
    """Return how many threads a worker gets."""
    return max(1, usable_cpus() // workers)
