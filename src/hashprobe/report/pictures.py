"""Pictures as data URIs: each embedded once, queries and adversarial pictures to the last bit.

A picture that lost a bit may have lost the attack, so those two kinds are always lossless WebP. Pictures of
the database only illustrate; when all of them together make the page too big to mail, they are compressed.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from hashprobe.errors import HashprobeError
from hashprobe.report.gallery import Gallery, image_names

DATABASE_QUALITY = 90


@dataclass
class Pictures:
    """The pictures of a page.

    Attributes:
        uris: Their data URIs; pages refer to a picture by its place in this list.
        index: The place of each picture by its name in the gallery.
        database_compressed: Whether database pictures lost detail (the others never do).
        queries: The queries whose pictures are all here, in order.
    """

    uris: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    database_compressed: bool = False
    queries: list[int] = field(default_factory=list)

    def add(self, name: str, uri: str) -> None:
        """Embed a picture under its name."""
        self.index[name] = len(self.uris)
        self.uris.append(uri)


def embed(gallery: Gallery, limit: int) -> Pictures:
    """Embed the pictures of a gallery in at most ``limit`` bytes.

    First everything lossless; if that is too much, with compressed database pictures; and then with as many
    queries, from the first on, as fit. No query is shown in part.

    Args:
        gallery: The gallery; its pictures are read from its folder.
        limit: Bytes that the data URIs may take together.

    Raises:
        HashprobeError: a picture cannot be read.
    """
    exact = {name for entry in gallery.entries for name in (entry.query_image, entry.adversarial_image)}
    lossless = cache(lambda name: data_uri(gallery.folder / name))
    compressed = cache(lambda name: data_uri(gallery.folder / name, lossless=False))
    pictures = _within(gallery, limit, lossless)
    if len(pictures.queries) < len(gallery.queries):
        pictures = _within(gallery, limit, lambda name: lossless(name) if name in exact else compressed(name))
        pictures.database_compressed = True
    return pictures


def _within(gallery: Gallery, limit: int, uri: Callable[[str], str]) -> Pictures:
    names: dict[int, dict[str, None]] = {query: {} for query in gallery.queries}
    for entry in gallery.entries:
        names[entry.query].update(dict.fromkeys(image_names(entry)))
    pictures, size = Pictures(), 0
    for query, wanted in names.items():
        new = {name: uri(name) for name in wanted if name not in pictures.index}
        size += sum(len(value) + 3 for value in new.values())  # two quotes and a comma around each
        if size > limit:
            break
        for name, value in new.items():
            pictures.add(name, value)
        pictures.queries.append(query)
    return pictures


def data_uri(path: Path, *, lossless: bool = True) -> str:
    """Return a picture file as the data URI of a WebP picture, in RGB.

    Raises:
        HashprobeError: the file is not a picture.
    """
    packed = io.BytesIO()
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise HashprobeError(f"{path} could not be read as a picture ({error}).") from None
    if lossless:
        rgb.save(packed, "WEBP", lossless=True, quality=80, method=2, exact=True)
    else:
        rgb.save(packed, "WEBP", quality=DATABASE_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode("ascii")
