"""``load``: a data set by its name, or a folder of lists."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from hashprobe.data.registry import DATA_SETS, Builder
from hashprobe.data.retrieval_data import RetrievalData
from hashprobe.errors import unknown_name


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
        name_or_path: A name of ``DATA_SETS``.
        image_size: Height and width of the images, in pixels.
        seed: Of a generated data set.
        cache_dir: Where decoded or painted images are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
        options: Further settings of the data set; see its builder.

    Raises:
        HashprobeError: an unknown name or option, or data that cannot be used; the message says where.
    """
    builder = DATA_SETS[str(name_or_path)]
    _check_options(str(name_or_path), builder, options)
    return builder(image_size, seed, cache_dir=cache_dir, progress=progress, **options)


def _check_options(name: str, builder: Builder, options: dict[str, Any]) -> None:
    known = set(inspect.signature(builder).parameters) - {"image_size", "seed", "cache_dir", "progress"}
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the data set {name!r}", option, known)
