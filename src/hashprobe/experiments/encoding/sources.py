"""Where the pictures of each shard come from: a folder of photographs, or the database of a data set.

What is held does not grow with the photographs of a folder but for their names, which are compressed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.checks import pipeline_of
from hashprobe.auditing.photos import PhotoPictures, Photos, listing_sha256, walk
from hashprobe.auditing.shards import Pictures, shard_size
from hashprobe.auditing.stored import encoded_identity
from hashprobe.data import RetrievalData, Split
from hashprobe.data.images.store import StoredImages
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.kept_codes import made_by
from hashprobe.files import sha256_of, user_path
from hashprobe.hashing import HashModel
from hashprobe.identity import fingerprint


class Source(Protocol):
    """The pictures of a shard, as they travel to another process."""

    def opened(self) -> Pictures:
        """Return them."""

    def labels(self) -> npt.NDArray[np.uint8] | None:
        """Return what they show, multi-hot ``(n, C)``, where it is known."""


@dataclass(frozen=True)
class PhotoSource:
    """Photographs of a folder; their names are compressed, since a task is held for every shard.

    Attributes:
        folder: The folder.
        packed: The names.
        size: As for :class:`PhotoPictures`.
    """

    folder: Path
    packed: bytes
    size: int | None

    def opened(self) -> PhotoPictures:
        """Return the photographs."""
        names = zlib.decompress(self.packed).decode().split("\0")
        return PhotoPictures(Photos(self.folder, tuple(names)), self.size)

    def labels(self) -> None:
        """Nobody says what they show."""
        return None


@dataclass(frozen=True)
class SplitSource:
    """Rows of the database of a data set.

    Attributes:
        split: The rows.
    """

    split: Split

    @property
    def names(self) -> tuple[str, ...]:
        """Of each image."""
        return self.split.names

    def picture(self, row: int) -> npt.NDArray[np.uint8]:
        """Return an image."""
        return self.split.images[row]

    def opened(self) -> SplitSource:
        """Return itself: images are read from their file when they are asked for."""
        return self

    def labels(self) -> npt.NDArray[np.uint8]:
        """Return their labels."""
        return self.split.labels


def sources_of(
    images: str | Path | RetrievalData, model: HashModel, image_size: int | None
) -> tuple[Iterator[tuple[int, Source]], str, dict[str, str]]:
    """Return the pictures of each shard with their number, what they are known by, and what is said of them."""
    size = shard_size(model)
    if isinstance(images, RetrievalData):
        split, store = images.database, images.database.images.store
        if not isinstance(store, StoredImages):
            raise HashprobeError(
                "encode takes a data set whose images are in a file of the cache, and these are in memory."
            )
        names = sha256_of("\n".join(split.names), split.labels.tobytes(), split.images.rows.tobytes())
        starts = [np.arange(start, min(start + size, len(split))) for start in range(0, len(split), size)]
        sources: Iterator[tuple[int, Source]] = (
            (len(rows), SplitSource(split.take(rows))) for rows in starts
        )
        identity = fingerprint("encoded data 1", model.sha256(), store.name, names, made_by())
        return sources, identity, {"name": f"the database of {images.name}"}
    place = user_path(images)
    if not place.is_dir():
        raise HashprobeError(f"{place} is no folder; give --images a folder with photographs.")
    pipeline = pipeline_of(model, image_size)
    if next(walk(place), None) is None:
        raise HashprobeError(f"{place} holds no photograph; give --images a folder with photographs.")
    listing = listing_sha256(place, walk(place))

    def packed() -> Iterator[tuple[int, Source]]:
        names = walk(place)
        while some := list(islice(names, size)):
            yield len(some), PhotoSource(place, zlib.compress("\0".join(some).encode()), pipeline.size)

    identity = encoded_identity(model, pipeline.size, listing)
    return packed(), identity, {"name": f"the photographs of {place}", "folder": str(place)}
