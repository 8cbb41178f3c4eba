"""CIFAR-10 in its binary version: ``cifar-10-batches-bin``, records of a class and 32 × 32 pixels.

The version for Python is a set of pickles, which can run any program when they are opened; hashprobe opens none.
The queries are the official test batch; the database, which is also the training split, is the five others. The
images lie in the batches; their names are ``cifar-10-batches-bin/data_batch_1.bin/00000`` and so on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashprobe.data.faults import Faults
from hashprobe.data.formats.listing import ListedSplit, Listing
from hashprobe.data.formats.locations import Locations
from hashprobe.data.formats.text_lists import BAD_ROWS, MISSING, UNREADABLE, read_lines
from hashprobe.data.images.image_files import CIFAR_RECORD
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError

BINARY, PICKLED = "cifar-10-batches-bin", "cifar-10-batches-py"
CLASSES = 10
QUERY_BATCHES = ("test_batch.bin",)
DATABASE_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_NEEDED = "CIFAR-10 has it in cifar-10-binary.tar.gz; unpack it there"


def has_cifar(folder: Path) -> bool:
    """Say whether CIFAR-10 is in a folder, in either version."""
    return (folder / BINARY).is_dir() or (folder / PICKLED).is_dir()


def read_cifar(folder: Path, faults: Faults) -> Listing:
    """Read CIFAR-10; of the images, only the classes are looked at.

    Raises:
        HashprobeError: only the pickles are there, or, if ``faults`` is strict, a batch is missing or damaged.
    """
    binary = folder / BINARY
    if not binary.is_dir():
        raise HashprobeError(
            f"{folder / PICKLED} holds pickles, which hashprobe does not open, because a pickle can run any "
            f"program; unpack the binary version of CIFAR-10, cifar-10-binary.tar.gz, so that {binary} exists."
        )
    names_list = binary / "batches.meta.txt"
    names = tuple(line.strip() for line in read_lines(names_list, faults, needed=_NEEDED))
    if len(names) != CLASSES or "" in names:
        faults.add(UNREADABLE, f"{names_list} must name {CLASSES} classes, one a line; found {len(names)}.")
        names = tuple(f"class {number}" for number in range(1, CLASSES + 1))
    database = _read_batches(binary, DATABASE_BATCHES, faults)
    query = _read_batches(binary, QUERY_BATCHES, faults)
    return Listing(names, query=query, database=database, train=database)


def _read_batches(binary: Path, batches: tuple[str, ...], faults: Faults) -> ListedSplit:
    names: list[str] = []
    labels, locations = [], []
    for batch in batches:
        path = binary / batch
        classes = _read_classes(path, faults)
        rows = np.flatnonzero(classes < CLASSES)
        for row in np.flatnonzero(classes >= CLASSES):
            faults.add(
                BAD_ROWS,
                f"{path}, record {row + 1} has the class {classes[row]}; expected 0 to {CLASSES - 1}.",
            )
        names += [f"{BINARY}/{batch}/{row:05d}" for row in rows]
        labels.append(np.eye(CLASSES, dtype=np.uint8)[classes[rows]])
        locations.append(Locations.lines_of(path, (rows + 1).tolist(), unit="record"))
    at = Locations.joined(locations)
    return ListedSplit(tuple(names), np.concatenate(labels), at, at)


def _read_classes(path: Path, faults: Faults) -> UInt8Array:
    """Return the first byte of each record of a batch."""
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError:
        faults.add(MISSING, f"{path} does not exist; {_NEEDED}.")
        return np.zeros(0, dtype=np.uint8)
    except OSError as error:
        faults.add(UNREADABLE, f"{path} cannot be read ({error.strerror}).")
        return np.zeros(0, dtype=np.uint8)
    if len(content) % CIFAR_RECORD:
        faults.add(
            UNREADABLE,
            f"{path} has {len(content)} bytes; expected a multiple of {CIFAR_RECORD}: is it truncated?",
        )
    whole = len(content) // CIFAR_RECORD * CIFAR_RECORD
    return content[:whole:CIFAR_RECORD].copy()
