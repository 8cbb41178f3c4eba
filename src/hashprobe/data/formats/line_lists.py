"""List formats 2 and 4 of the field: one file a split, on each line a path and its label row.

Format 2 has ``database.txt``, ``train.txt`` and ``test.txt``, with lines such as
``./data/coco/train2014/COCO_train2014_000000000009.jpg 0 1 0``. In format 4 a list is cut into shards,
``database0.txt``, ``database1.txt`` and so on, which are one list in the order of their numbers.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hashprobe.data.faults import Faults
from hashprobe.data.formats.listing import ListedSplit, Listing
from hashprobe.data.formats.locations import Locations
from hashprobe.data.formats.text_lists import (
    MISSING,
    NO_WIDTH,
    PREFIXES,
    Width,
    common_width,
    label_matrix,
    read_class_names,
    read_lines,
)
from hashprobe.data.images.decoding import EXTENSIONS

# A path may hold spaces, so it ends where an image's extension does; without one it ends at the first space.
_PATH = re.compile(rf"\s*(.+?(?:{'|'.join(map(re.escape, EXTENSIONS))})|\S+)(?!\S)", re.IGNORECASE)


def has_line_lists(folder: Path) -> bool:
    """Say whether a folder has a list of format 2, and no shard."""
    return any((folder / f"{prefix}.txt").exists() for prefix in PREFIXES) and not has_shards(folder)


def has_shards(folder: Path) -> bool:
    """Say whether a folder has a shard of format 4."""
    return any(_shards(folder, prefix) for prefix in PREFIXES)


def read_line_lists(folder: Path, faults: Faults) -> Listing:
    """Read list formats 2 and 4; images are not looked at, and paths are as they are written.

    Raises:
        HashprobeError: a list is missing or a line of it is wrong, if ``faults`` is strict.
    """
    database, width = _read_split(folder, "database", NO_WIDTH, faults)
    train, width = _read_split(folder, "train", width, faults)
    query, width = _read_split(folder, "test", width, faults)
    return Listing(read_class_names(folder, width, faults), query, database, train)


def _shards(folder: Path, prefix: str) -> dict[int, Path]:
    """Return the shards of a list by number, in order."""
    found = (re.fullmatch(rf"{prefix}(\d+)\.txt", path.name) for path in folder.glob(f"{prefix}*.txt"))
    numbered = {int(match[1]): folder / match[0] for match in found if match}
    return dict(sorted(numbered.items()))


def _files(folder: Path, prefix: str, faults: Faults) -> list[Path]:
    """Return the files of a split: one list, or its shards."""
    whole, shards = folder / f"{prefix}.txt", _shards(folder, prefix)
    if not shards:
        return [whole]
    if whole.exists():
        faults.add(
            "lists that contradict each other",
            f"{whole} stands beside its shards ({', '.join(path.name for path in shards.values())}); "
            "expected the one or the others, so move one away.",
        )
        return [whole]
    absent = sorted(set(range(max(shards) + 1)) - shards.keys())
    if absent:
        faults.add(
            MISSING,
            f"{folder / f'{prefix}{absent[0]}.txt'} does not exist, but {prefix}{max(shards)}.txt does; "
            "expected all shards.",
        )
    return list(shards.values())


def _read_split(folder: Path, prefix: str, width: Width, faults: Faults) -> tuple[ListedSplit, Width]:
    needed = "a folder of lists needs database.txt, train.txt and test.txt, or their shards"
    names: list[str] = []
    rows: dict[str, str] = {}
    written: list[str] = []
    locations = []
    for path in _files(folder, prefix, faults):
        lines = read_lines(path, faults, needed=needed)
        for line in lines:
            path_end = match.end() if (match := _PATH.match(line)) else 0
            names.append(line[:path_end])
            row = line[path_end:].strip()
            written.append(rows.setdefault(row, row))
        locations.append(Locations.lines_of(path, len(lines)))
    at = Locations.joined(locations)
    own = width if width.classes else common_width(written, at)
    empty = "has no label row; expected the path of an image and a row of 0 and 1"
    labels, sound = label_matrix(written, at, own, faults, empty=empty)
    kept = np.flatnonzero(sound)
    split = ListedSplit(tuple(names[row] for row in kept), labels, at.rows(kept), at.rows(kept))
    return split, own.seen_from_another_list(at.files[0])
