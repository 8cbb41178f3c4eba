"""Pictures as data URIs: each embedded once, queries and adversarial pictures to the last bit.

A picture that lost a bit may have lost the attack, so those two kinds are always lossless WebP. Pictures of
the database only illustrate; when all of them together make the page too big to mail, they are compressed.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image

from hashprobe.bounds import read_bytes
from hashprobe.errors import HashprobeError
from hashprobe.report.gallery import Entry, Gallery, image_names

# Others may start programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP")
LARGEST_SIDE = 4096
"""Of a picture in a page, in pixels; WebP itself ends at 16,383."""
DATABASE_QUALITY = 90
QUERIES_TOGETHER = 12


@dataclass
class Pictures:
    """The pictures of a page.

    Attributes:
        uris: Their data URIs; pages refer to a picture by its place in this list.
        index: The place of each picture by its name in the gallery.
        entries: The entries whose pictures are all here, in the gallery's order.
        database_compressed: Whether database pictures lost detail (the others never do).
    """

    uris: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    database_compressed: bool = False

    def add(self, name: str, uri: str) -> None:
        """Embed a picture under its name."""
        self.index[name] = len(self.uris)
        self.uris.append(uri)


def embed(gallery: Gallery, limit: int) -> Pictures:
    """Embed the pictures of a gallery in at most ``limit`` bytes, entries included.

    First everything lossless; if that is too much, with compressed database pictures; and then as many entries
    as fit: of the first twelve queries under every row, then of the next twelve.

    Args:
        gallery: The gallery; its pictures are read from its folder.
        limit: Bytes that data URIs and entries may take together.

    Raises:
        HashprobeError: a picture cannot be read.
    """
    exact = {name for entry in gallery.entries for name in (entry.query_image, entry.adversarial_image)}
    lossless = cache(lambda name: data_uri(gallery.folder / name))
    compressed = cache(lambda name: data_uri(gallery.folder / name, lossless=False))
    pictures = _within(gallery, limit, lossless)
    if len(pictures.entries) < len(gallery.entries):
        pictures = _within(gallery, limit, lambda name: lossless(name) if name in exact else compressed(name))
        pictures.database_compressed = True
    places = {id(entry): place for place, entry in enumerate(gallery.entries)}
    pictures.entries.sort(key=lambda entry: places[id(entry)])
    return pictures


def _within(gallery: Gallery, limit: int, uri: Callable[[str], str]) -> Pictures:
    rank = {query: place // QUERIES_TOGETHER for place, query in enumerate(gallery.queries)}
    pictures, size = Pictures(), 0
    for entry in sorted(gallery.entries, key=lambda entry: rank[entry.query]):
        new = {name: uri(name) for name in dict.fromkeys(image_names(entry)) if name not in pictures.index}
        size += _described(entry, new) + sum(len(value) + 3 for value in new.values())
        if size > limit:
            break
        for name, value in new.items():
            pictures.add(name, value)
        pictures.entries.append(entry)
    return pictures


def _described(entry: Entry, new: Mapping[str, str]) -> int:
    """About how many bytes an entry takes beside its pictures, generously."""
    words = [entry.query_name, entry.code_hex, *entry.query_labels, *entry.target_labels]
    for neighbour in (*entry.before, *entry.after):
        words += ["", *((neighbour.name, *neighbour.labels, " " * 40) if neighbour.image in new else ())]
    return 300 + sum(len(json.dumps(word)) + 16 for word in words)


def data_uri(path: Path, *, lossless: bool = True) -> str:
    """Return a picture file as the data URI of a WebP picture, in RGB.

    Raises:
        HashprobeError: the file is not a picture.
    """
    packed = io.BytesIO()
    try:
        with Image.open(io.BytesIO(read_bytes(path, "image_bytes")), formats=FORMATS) as image:
            if max(image.size) > LARGEST_SIDE:
                raise ValueError(f"{image.width} x {image.height} pixels, of at most {LARGEST_SIDE} a side")
            rgb = image.convert("RGB")
    except Exception as error:  # on damaged bytes, decoders raise errors of nearly every kind
        raise HashprobeError(f"{path} could not be read as a picture ({error}).") from None
    if lossless:
        rgb.save(packed, "WEBP", lossless=True, quality=80, method=2, exact=True)
    else:
        rgb.save(packed, "WEBP", quality=DATABASE_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode("ascii")
