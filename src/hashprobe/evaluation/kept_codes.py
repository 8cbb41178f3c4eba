"""The codes of a database that are there already: kept between calls in the cache, or encoded beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hashprobe.data import Split
from hashprobe.data.images.store import StoredImages, cache_folder
from hashprobe.devices import versions
from hashprobe.errors import HashprobeError
from hashprobe.files import replacing, sha256_of, user_path
from hashprobe.hashing import HashModel
from hashprobe.identity import fingerprint
from hashprobe.main_process import is_main
from hashprobe.plugins import executed_plugins
from hashprobe.processes import processes
from hashprobe.retrieval import open_code_store
from hashprobe.targets import Codes

CODE_STORE = "codes.store"
"""The file of the codes, in the folder that ``hashprobe encode`` writes."""
IDS_AT_ONCE = 1 << 16
CHECKED = 8
"""Images that are encoded anew to see whether the codes that are kept are still what the model gives."""


def kept_codes(
    model: HashModel, split: Split, *, cache_dir: str | Path | None = None, progress: bool = False
) -> Codes:
    """Return the packed codes of a split's images, from an earlier call where there was one.

    They are known by the model's fingerprint, the file of the decoded images, which is named after their content, the rows of it,
    plugins and versions. A few are made anew each time: where one differs, as after a change of a module of one's own, all are.
    Images that are no file of the cache are encoded each time.

    Args:
        model: The hash model.
        split: Whose images are meant.
        cache_dir: Where they are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
    """
    store = split.images.store
    if not isinstance(store, StoredImages):
        return model.codes(split.images, progress=progress, distributed=True)
    key = fingerprint(
        "codes 1",
        model.sha256(),
        store.name,
        sha256_of(split.images.rows.tobytes()),
        made_by(),
        str(model.device),
    )
    path = cache_folder(cache_dir) / f"codes-{key[:16]}.safetensors"
    kept: Codes | None = processes(model.device).from_main(lambda: _read(path, len(split), model.bits))
    if kept is not None and _still(model, split, kept):
        return kept
    codes = model.codes(split.images, progress=progress, distributed=True)
    if is_main():
        with replacing(path) as temporary:
            save_file({"codes": codes}, temporary)
    return codes


def encoded_codes(model: HashModel, split: Split, folder: str | Path) -> Codes:
    """Return the packed codes of a split's images from the folder that ``hashprobe encode`` wrote, memory-mapped where it can be.

    Images are found by their names. A few codes are compared with those that the model gives of the images now.

    Args:
        model: The hash model.
        split: Whose images are meant.
        folder: With the code store; it may hold more images.

    Raises:
        HashprobeError: no code store, one of another model, without one of the images, or of images of another content or size.
    """
    store = open_code_store(user_path(folder) / CODE_STORE, bits=model.bits, model=model.sha256())
    places = {name: row for row, name in enumerate(split.names)}
    rows = np.full(len(split), -1, dtype=np.intp)
    for start in range(0, len(store), IDS_AT_ONCE):
        there = range(start, min(start + IDS_AT_ONCE, len(store)))
        for row, name in zip(there, store.ids(there), strict=True):
            if (place := places.get(name)) is not None:
                rows[place] = row
    if (rows < 0).any():
        name = split.names[int((rows < 0).argmax())]
        raise HashprobeError(
            f"{store.path} holds no code of {name}, of the database ({int((rows < 0).sum()):,} are missing); encode it "
            "with hashprobe encode --data, or leave --codes out."
        )
    whole = len(store) == len(split) and np.array_equal(rows, np.arange(len(rows)))
    codes: Codes = store.codes if whole else np.ascontiguousarray(store.codes[rows])
    if not _still(model, split, codes):
        raise HashprobeError(
            f"{store.path} holds other codes than the model gives of the database's images; were they encoded at another "
            "--image-size, or changed since? Encode them again into another folder."
        )
    return codes


def made_by() -> Mapping[str, Any]:
    """Return what codes hang on beside model and images: versions, and the bytes of the plugins that were executed."""
    return versions() | executed_plugins()


def _read(path: Path, count: int, bits: int) -> Codes | None:
    """Return the codes of a file, or ``None`` where it is absent, damaged or another one."""
    try:
        codes = load_file(path)["codes"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    fits = codes.dtype == np.uint8 and codes.shape == (count, -(-bits // 8))
    return np.ascontiguousarray(codes) if fits else None


def _still(model: HashModel, split: Split, kept: Codes) -> bool:
    rows = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), CHECKED)).astype(np.intp))
    return bool(np.array_equal(model.codes(split.images[rows]), kept[rows]))
