"""Output folders: each holds one experiment, known by its fingerprint, and one command at a time works in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hashprobe.errors import HashprobeError
from hashprobe.files import PART, read_json, user_path, write_failed, write_json
from hashprobe.main_process import is_main
from hashprobe.processes import processes

EXPERIMENT_FILE = "experiment.json"
LOCK_FILE = ".lock"
FORMAT = "hashprobe.experiment/2"


@contextmanager
def claimed(directory: str | Path, identity: str) -> Iterator[dict[str, Any]]:
    """Hold a folder for the experiment ``identity`` inside the block; yield its description, or nothing where it is new.

    The lock is the operating system's, so that a killed command leaves none. Of several processes the main one holds it.

    Args:
        directory: The folder; made if it is not there.
        identity: Fingerprint of everything that the results depend on.

    Raises:
        HashprobeError: the folder holds another experiment or other things, or another command is working in it.
    """
    directory, held = user_path(directory), list[FileLock]()

    def take() -> dict[str, Any]:
        _look(directory, identity)
        own = FileLock(directory / LOCK_FILE, timeout=0)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            own.acquire()
            held.append(own)
            for left in directory.rglob(f".*{PART}"):  # by a killed run
                left.unlink(missing_ok=True)
        except Timeout:
            raise HashprobeError(
                f"another hashprobe command is working in {directory}; wait for it, or give another --out."
            ) from None
        except OSError as error:
            raise write_failed(directory, error) from error
        return _look(directory, identity)  # once more: the folder may have been taken in between

    try:
        yield processes().from_main(take)
    finally:
        for own in held:
            own.release()


def _look(directory: Path, identity: str) -> dict[str, Any]:
    if directory.exists() and not directory.is_dir():
        raise HashprobeError(f"{directory} is a file; give a folder as --out.")
    described = directory / EXPERIMENT_FILE
    if described.exists():
        found = read_json(described)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise HashprobeError(
                f"{directory} was written by another version of hashprobe; give another --out, or delete it."
            )
        if found.get("identity") != identity:
            raise HashprobeError(
                f"{directory} holds another experiment (other settings or seed, or made by another version); "
                "give another --out or delete it."
            )
        return found
    try:
        foreign = directory.exists() and any(not _is_left_over(path.name) for path in directory.iterdir())
    except OSError as error:
        raise HashprobeError(
            f"{directory} cannot be looked into ({error.strerror}); give another --out."
        ) from None
    if foreign:
        raise HashprobeError(
            f"{directory} is not empty and holds no hashprobe experiment; give another --out."
        )
    return {}


def _is_left_over(name: str) -> bool:
    """Whether a file is what a run that was killed before it described its folder may have left there."""
    return name == LOCK_FILE or (name.startswith(".") and name.endswith(PART))


def seconds_of(found: Mapping[str, Any]) -> dict[str, float]:
    """Return how long each part of a folder took, as its description says; nothing where that is damaged."""
    seconds = found.get("seconds")
    if not isinstance(seconds, dict):
        return {}
    return {name: float(took) for name, took in seconds.items() if type(took) in (int, float) and took >= 0}


def describe(directory: str | Path, identity: str, description: Mapping[str, Any]) -> None:
    """Write what a folder holds and how it is made into its ``experiment.json``."""
    if is_main():
        write_json(Path(directory) / EXPERIMENT_FILE, {"format": FORMAT, "identity": identity, **description})


@contextmanager
def recording(
    directory: str | Path, identity: str, description: Mapping[str, Any], part: str
) -> Iterator[None]:
    """Hold a folder, describe it before the work of a block, and again with the seconds that it took.

    A block that is killed leaves a folder that the same experiment goes on in. Of work that was done before, the time
    that it took then stays.

    Args:
        directory: The folder.
        identity: Fingerprint of everything that the results depend on.
        description: What the folder holds and how it is made.
        part: What the time is called.

    Raises:
        HashprobeError: the folder holds another experiment or other things, or another command is working in it.
    """
    with claimed(directory, identity) as found:
        seconds = seconds_of(found)
        describe(directory, identity, {**description, "seconds": seconds})
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        seconds = {part: round(max(took, seconds.get(part, 0.0)), 1)}
        describe(directory, identity, {**description, "seconds": seconds})
