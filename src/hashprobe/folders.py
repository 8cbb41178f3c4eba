"""Output folders: each holds one experiment, known by its fingerprint, and no other is written over it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, write_json
from hashprobe.main_process import is_main
from hashprobe.processes import processes

EXPERIMENT_FILE = "experiment.json"


def claim(directory: str | Path, identity: str) -> dict[str, Any]:
    """Return what a folder says of the experiment ``identity``: its description, or nothing where it is new or empty.

    Args:
        directory: The folder; not made here.
        identity: Fingerprint of everything that the results depend on.

    Raises:
        HashprobeError: the folder holds another experiment, or other things.
    """
    return processes().from_main(lambda: _look(Path(directory), identity))


def _look(directory: Path, identity: str) -> dict[str, Any]:
    described = directory / EXPERIMENT_FILE
    if described.exists():
        found = read_json(described)
        if not isinstance(found, dict) or found.get("identity") != identity:
            raise HashprobeError(
                f"{directory} holds another experiment (other settings or seed); give another --out or delete it."
            )
        return found
    if directory.exists() and not directory.is_dir():
        raise HashprobeError(f"{directory} is a file; give a folder as --out.")
    if directory.exists() and any(directory.iterdir()):
        raise HashprobeError(
            f"{directory} is not empty and holds no hashprobe experiment; give another --out."
        )
    return {}


def describe(directory: str | Path, identity: str, description: Mapping[str, Any]) -> None:
    """Write what a folder holds and how it is made into its ``experiment.json``."""
    if is_main():
        write_json(Path(directory) / EXPERIMENT_FILE, {"identity": identity, **description})


@contextmanager
def recording(
    directory: str | Path, identity: str, description: Mapping[str, Any], part: str
) -> Iterator[None]:
    """Claim a folder, describe it before the work of a block, and again with the seconds that it took.

    A block that is killed leaves a folder that the same experiment goes on in. Of work that was done before, the time
    that it took then stays.

    Args:
        directory: The folder.
        identity: Fingerprint of everything that the results depend on.
        description: What the folder holds and how it is made.
        part: What the time is called.

    Raises:
        HashprobeError: the folder holds another experiment, or other things.
    """
    seconds: dict[str, float] = claim(directory, identity).get("seconds", {})
    describe(directory, identity, {**description, "seconds": seconds})
    start = time.perf_counter()
    yield
    took = time.perf_counter() - start
    seconds = {part: round(max(took, seconds.get(part, 0.0)), 1)}
    describe(directory, identity, {**description, "seconds": seconds})
