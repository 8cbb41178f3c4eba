"""Listed paths become paths below the folder of the images; what other machines put before them is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from hashprobe.data.faults import STRICT, Faults
from hashprobe.data.formats.listing import ListedSplit
from hashprobe.data.images.image_files import ImageFiles

SAMPLES = 8

Parts = tuple[str, ...]


def clean_path(text: str, where: str, faults: Faults = STRICT) -> str:
    """Return a listed path with ``/`` between folders and without ``./``.

    Args:
        text: As it is written in the list; Windows separators are understood.
        where: File and line, for the message.
        faults: Where it is reported that the path is empty, absolute, or leads out of the folder.

    Returns:
        The path; ``""`` for a faulty one.

    Raises:
        HashprobeError: the path is faulty, if ``faults`` is strict.
    """
    return _checked(_parts(text), text, where, faults)


def relative_names(split: ListedSplit, files: ImageFiles, faults: Faults = STRICT) -> ListedSplit:
    """Return the split with cleaned paths; rows with a faulty one are left out.

    Published lists carry the folders of their authors' machines (``./data/coco/``, ``/home/someone/nus_wide/``,
    ``D:\\\\data\\\\``). Leading folders that all paths of the split share are left out as far as it takes to find
    the images; nothing is left out where the images are found as listed, or nowhere.
    """
    parts = [_parts(text) for text in split.names]
    prefix = _prefix_length(parts, files)
    names = [
        _checked(listed[prefix:], text, split.at[row], faults)
        for row, (listed, text) in enumerate(zip(parts, split.names, strict=True))
    ]
    return replace(split, names=tuple(names)).take(np.flatnonzero([bool(name) for name in names]))


def _parts(text: str) -> Parts:
    return PurePosixPath(text.strip().replace("\\", "/")).parts if text.strip() else ()


def _checked(parts: Parts, text: str, where: str, faults: Faults) -> str:
    written, kind = text.strip(), "paths that cannot be used"
    if not written:
        faults.add(kind, f"{where} is empty; expected the path of an image.")
    elif not parts:
        faults.add(kind, f"{where}: {written!r} is a folder; expected the path of an image.")
    elif _leads_out(parts):
        faults.add(kind, f"{where}: {written!r} leads out of the folder; expected a path inside it.")
    else:
        return "/".join(parts)
    return ""


def _leads_out(parts: Parts) -> bool:
    return parts[0] in ("/", "//") or parts[0].endswith(":") or ".." in parts


def _prefix_length(listed: Sequence[Parts], files: ImageFiles) -> int:
    """Return how many leading folders to leave out: as few as possible so that an image is found."""
    shared = _shared_folders(listed)
    if not shared:
        return 0
    rows = np.unique(np.linspace(0, len(listed) - 1, SAMPLES).astype(int))
    candidates: dict[str, int] = {}
    for length in range(shared + 1):
        for row in rows:
            if not _leads_out(listed[row][length:]):
                candidates.setdefault("/".join(listed[row][length:]), length)
    found = files.first_found(candidates)
    return candidates[found] if found is not None else 0


def _shared_folders(listed: Sequence[Parts]) -> int:
    """Return how many leading folders all paths have in common."""
    if not listed:
        return 0
    first, last = min(listed), max(listed)  # what these two share, all that lie between them share
    limit = min(len(first), len(last)) - 1
    return next((depth for depth in range(limit) if first[depth] != last[depth]), max(limit, 0))
