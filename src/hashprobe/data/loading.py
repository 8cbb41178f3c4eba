"""``load``: a data set by its name, a folder of lists, or a table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hashprobe.data.formats.folder import load_folder
from hashprobe.data.formats.reading import given_path
from hashprobe.data.registry import DATA_SETS
from hashprobe.data.retrieval_data import RetrievalData
from hashprobe.errors import unknown_name
from hashprobe.typed_values import checked


@checked
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
        name_or_path: A name of ``DATA_SETS``, a folder of lists, or a CSV table. A name goes before a folder of
            the same name; write ``./name`` or give a ``Path`` for the folder.
        image_size: Height and width of the images, in pixels.
        seed: Of a generated data set, and of splits that are drawn; a folder of lists leaves nothing to draw.
        cache_dir: Where decoded or painted images are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
        options: Further settings of the data set; see its builder, or :func:`hashprobe.data.load_folder`.

    Raises:
        HashprobeError: an unknown name or option, or data that cannot be used; the message says where.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, str) and name in DATA_SETS:
        builder = DATA_SETS[name]
    else:
        builder = partial(load_folder, given_path(name_or_path))
    check_options(name, builder, options)
    return builder(image_size, seed, cache_dir=cache_dir, progress=progress, **options)


def check_options(name: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Check that a function that loads or audits a data set takes the options that were given for it.

    Raises:
        HashprobeError: an unknown option.
    """
    given_anyway = {"image_size", "seed", "cache_dir", "progress"}
    known = inspect.signature(function).parameters.keys() - given_anyway
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the data set {name!r}", option, known)
