"""Listed paths become paths below the folder of the images; what other machines put before them is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hashprobe.data.faults import STRICT, Faults
from hashprobe.data.formats.listing import ListedSplit
from hashprobe.data.images.image_files import ImageFiles

SAMPLES = 8
BAD_PATHS = "paths that cannot be used"
# In lines: white space, a drive, a backslash, an empty part, or one that begins with a dot.
_UNCLEAN = (*" \t\r\v\f\x1c\x1d\x1e\x1f:\\", "//", "/.", "/\n", "\n/", "\n.", "\n\n")

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
    parts = _parts(text)
    problem = _problem(parts, text)
    if problem:
        faults.add(BAD_PATHS, where + problem)
    return "" if problem else "/".join(parts)


def relative_names(split: ListedSplit, files: ImageFiles, faults: Faults = STRICT) -> ListedSplit:
    """Return the split with cleaned paths; rows with a faulty one are left out.

    Published lists carry the folders of their authors' machines (``./data/coco/``, ``/home/someone/nus_wide/``,
    ``D:\\\\data\\\\``). Leading folders that all paths of the split share are left out as far as it takes to find
    the images; nothing is left out where the images are found as listed, or nowhere.
    """
    prefix = _prefix_length(split.names, files)
    if not prefix and _all_clean(split.names):
        return split
    names, faulty = [], []
    for row, text in enumerate(split.names):
        parts = _parts(text)[prefix:]
        names.append("" if _problem(parts, text) else "/".join(parts))
        if not names[row]:
            faulty.append(row)

    def said(row: int) -> str:
        text = split.names[row]
        return f"{split.at[row]}{_problem(_parts(text)[prefix:], text)}"

    faults.add_all(BAD_PATHS, map(said, faulty), len(faulty))
    cleaned = replace(split, names=tuple(names))
    return cleaned.take(np.flatnonzero([bool(name) for name in names])) if faulty else cleaned


def _all_clean(names: Sequence[str]) -> bool:
    """Whether all names are surely paths as :func:`clean_path` returns them; looked at together, which is fast."""
    together = "\n".join(("", *names, ""))
    one_each = together.isascii() and together.count("\n") == len(names) + 1
    return one_each and not any(part in together for part in _UNCLEAN)


def _parts(text: str) -> Parts:
    """Return the folders of a path and its name, the root among them, as :class:`pathlib.PurePosixPath` does."""
    written = text.strip().replace("\\", "/")
    parts = [part for part in written.split("/") if part not in ("", ".")]
    if not written.startswith("/"):
        return tuple(parts)
    return ("//" if written.startswith("//") and not written.startswith("///") else "/", *parts)


def _problem(parts: Parts, text: str) -> str:
    """Say what is wrong with a path, as the end of a sentence, or nothing."""
    written = text.strip()
    if not written:
        return " is empty; expected the path of an image."
    if not parts:
        return f": {written!r} is a folder; expected the path of an image."
    if _leads_out(parts):
        return f": {written!r} leads out of the folder; expected a path inside it."
    return ""


def _leads_out(parts: Parts) -> bool:
    return parts[0] in ("/", "//") or parts[0].endswith(":") or ".." in parts


def _prefix_length(names: Sequence[str], files: ImageFiles) -> int:
    """Return how many leading folders to leave out: as few as possible so that an image is found."""
    shared = _shared_folders(names)
    if not shared:
        return 0
    rows = np.unique(np.linspace(0, len(names) - 1, SAMPLES).astype(int)).tolist()
    sampled = [_parts(names[row]) for row in rows]
    candidates: dict[str, int] = {}
    for length in range(shared + 1):
        for parts in sampled:
            if not _leads_out(parts[length:]):
                candidates.setdefault("/".join(parts[length:]), length)
    found = files.first_found(candidates)
    return candidates[found] if found is not None else 0


def _shared_folders(names: Sequence[str]) -> int:
    """Return how many leading folders all paths have in common."""
    if not names:
        return 0
    # What the first and the last share, all that lie between them share.
    if _all_clean(names):
        first, last = _parts(min(names)), _parts(max(names))
    else:
        first, last = min(map(_parts, names)), max(map(_parts, names))
    limit = min(len(first), len(last)) - 1
    return next((depth for depth in range(limit) if first[depth] != last[depth]), max(limit, 0))
