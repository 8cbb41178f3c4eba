"""``load``: a data set by its name, or a folder of lists."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashprobe.data.folder import load_folder
from hashprobe.data.registry import DATA_SETS
from hashprobe.data.retrieval_data import RetrievalData
from hashprobe.errors import HashprobeError, unknown_name


def load(
    name_or_path: str | Path,
    image_size: int = 64,
    seed: int = 0,
    *,
    cache_dir: str | Path | None = None,
    progress: bool = False,
    **options: Any,
) -> RetrievalData:
    """Load a data set.

    Args:
        name_or_path: A name of ``DATA_SETS``, or a folder of lists. A name goes before a folder of
            the same name; write ``./name`` or give a ``Path`` for the folder.
        image_size: Height and width of the images, in pixels.
        seed: Of a generated data set; the lists of a folder leave nothing to draw.
        cache_dir: Where decoded or painted images are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
        options: Further settings of the data set; see its builder, or :func:`hashprobe.data.load_folder`.

    Raises:
        HashprobeError: an unknown name or option, or data that cannot be used; the message says where.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, str) and name in DATA_SETS:
        builder = DATA_SETS[name]
        _check_options(name, builder, options)
        return builder(image_size, seed, cache_dir=cache_dir, progress=progress, **options)
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        _check_options(name, load_folder, options)
        return load_folder(folder, image_size, cache_dir=cache_dir, progress=progress, **options)
    if folder.exists():
        raise HashprobeError(
            f"{folder} is a file; expected a folder of lists, or a name: {', '.join(DATA_SETS)}."
        )
    if len(folder.parts) > 1:
        raise HashprobeError(f"the folder {folder} does not exist.")
    raise unknown_name("data set or folder", name, DATA_SETS)


def _check_options(name: str, builder: Callable[..., RetrievalData], options: dict[str, Any]) -> None:
    known = set(inspect.signature(builder).parameters) - {
        "folder",
        "image_size",
        "seed",
        "cache_dir",
        "progress",
    }
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the data set {name!r}", option, known)
