"""Output folders: each holds one experiment, known by its fingerprint, and no other is written over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, write_json

EXPERIMENT_FILE = "experiment.json"


def claim(directory: Path, identity: str) -> dict[str, Any]:
    """Return what a folder says of the experiment ``identity``: its description, or nothing where it is new or empty.

    Args:
        directory: The folder; not made here.
        identity: Fingerprint of everything that the results depend on.

    Raises:
        HashprobeError: the folder holds another experiment, or other things.
    """
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


def describe(directory: Path, identity: str, description: Mapping[str, Any]) -> None:
    """Write what a folder holds and how it is made into its ``experiment.json``."""
    write_json(directory / EXPERIMENT_FILE, {"identity": identity, **description})
