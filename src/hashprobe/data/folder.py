"""A folder of images and lists becomes retrieval data: read the lists, find the images, decode them once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hashprobe.data.decoding import DECODING, SMALLEST_SIDE, UnusableImage, decode_image
from hashprobe.data.formats import read_listing
from hashprobe.data.image_files import ImageFile, ImageFiles, image_folder
from hashprobe.data.listing import ListedSplit, Listing
from hashprobe.data.parallel import in_order
from hashprobe.data.retrieval_data import ImageRows, RetrievalData, Split, UInt8Array
from hashprobe.data.store import cache_folder, open_store
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.progress import progress_bar

IMAGES_A_BLOCK = 32


def load_folder(
    folder: str | Path,
    image_size: int = 64,
    *,
    cache_dir: str | Path | None = None,
    progress: bool = False,
    workers: int | None = None,
) -> RetrievalData:
    """Load a folder of lists, in whichever format; see :mod:`hashprobe.data.formats`.

    Its images are in the folder, in tar files beside the lists, or in the folder that ``source.txt`` names.

    The decoded images are cached in one memory-mapped file, each distinct image once. The cache is used again
    as long as the listed paths, the image files (size and time of change) and the image size are the same.

    Args:
        folder: That holds the lists.
        image_size: Height and width in pixels, at least 32.
        cache_dir: Where decoded images are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
        workers: Threads that decode; by default one a processor.

    Raises:
        HashprobeError: lists or images that cannot be used (the message names file and line), or a cache
            folder that cannot be written.
    """
    folder = Path(folder).expanduser()
    if image_size < SMALLEST_SIDE:
        raise HashprobeError(f"image_size must be at least {SMALLEST_SIDE} pixels; found {image_size}.")
    files = ImageFiles(image_folder(folder))
    listing = read_listing(folder, files)
    names = listing.distinct_names()
    key = sha256_of(f"{DECODING} {image_size}", "\n".join(names), files.identity(names))[:16]

    def blocks() -> Iterator[UInt8Array]:
        found = _find_all(files, names, listing)

        def decode(block: tuple[str, ...]) -> UInt8Array:
            return np.stack([decode_listed(found[name], name, image_size, listing) for name in block])

        jobs = (names[first : first + IMAGES_A_BLOCK] for first in range(0, len(names), IMAGES_A_BLOCK))
        with progress_bar("decoding images", len(names), show=progress) as advance:
            for block in in_order(decode, jobs, workers):
                yield block
                advance(len(block))

    name = folder.resolve().name
    path = cache_folder(cache_dir) / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', name)}-{image_size}-{key}.npy"
    store = open_store(path, (len(names), 3, image_size, image_size), blocks)
    rows = {image: row for row, image in enumerate(names)}

    def split(listed: ListedSplit) -> Split:
        return Split(
            ImageRows(store, np.array([rows[image] for image in listed.names])), listed.labels, listed.names
        )

    return RetrievalData(
        name, listing.class_names, split(listing.query), split(listing.database), split(listing.train)
    )


def _find_all(files: ImageFiles, names: tuple[str, ...], listing: Listing) -> dict[str, ImageFile]:
    found = files.find(names)
    missing = [name for name in names if name not in found]
    if missing:
        more = f" ({len(missing)} images are missing in all)" if len(missing) > 1 else ""
        raise HashprobeError(
            f"{listing.where(missing[0])}: the image {missing[0]} does not exist{more}; "
            f"looked in {files.searched()}."
        )
    return found


def decode_listed(file: ImageFile, name: str, image_size: int, listing: Listing) -> UInt8Array:
    """Decode an image of a list; see :func:`hashprobe.data.decoding.decode_image`.

    Raises:
        HashprobeError: the image cannot be used; the message names file and line of the list.
    """
    try:
        return decode_image(file.read(), image_size)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except UnusableImage as error:
        problem = str(error)
    raise HashprobeError(f"{listing.where(name)}: the image {name} {problem}.")
