"""Lists and their images become retrieval data: read the lists, find the images, decode them once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hashprobe.data.formats.drawing import Draw
from hashprobe.data.formats.listing import ListedSplit, Listing
from hashprobe.data.formats.reading import data_name, given_path, read_listing
from hashprobe.data.images.decoding import DECODING, UnusableImage, check_image_size, decode_image
from hashprobe.data.images.image_files import ImageFile, ImageFiles, image_folder
from hashprobe.data.images.parallel import in_order
from hashprobe.data.images.store import cache_folder, open_store
from hashprobe.data.retrieval_data import ImageRows, RetrievalData, Split, UInt8Array
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.progress import progress_bar
from hashprobe.typed_values import checked

IMAGES_A_BLOCK = 32


@checked
def load_folder(
    path: str | Path,
    image_size: int = 64,
    seed: int = 0,
    *,
    cache_dir: str | Path | None = None,
    progress: bool = False,
    workers: int | None = None,
    queries: int | None = None,
    train: int | None = None,
    elsewhere: bool = False,
) -> RetrievalData:
    """Load a folder of lists, in whichever format, or a CSV table; see :mod:`hashprobe.data.formats.reading`.

    The images are beside the lists, in tar files beside them, or in the folder that ``source.txt`` names.

    The decoded images are cached in one file, each distinct image once. The cache is used again
    as long as the listed paths, the image files (size and time of change) and the image size are the same.

    Args:
        path: The folder, or the table.
        image_size: Height and width in pixels, at least 32.
        seed: Of the draw of splits, where they are drawn.
        cache_dir: Where decoded images are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.
        workers: Threads that decode; by default one a processor.
        queries: How many are drawn, if a table has no column ``split``; the other images are the database.
        train: How many training images are then drawn from the database; all of it by default.
        elsewhere: Whether a ``source.txt`` of strangers may name a folder that is not within that of the lists.

    Raises:
        HashprobeError: lists or images that cannot be used (the message names file and line), or a cache
            folder that cannot be written.
    """
    path = given_path(path)
    check_image_size(image_size)
    files = ImageFiles(image_folder(path, elsewhere=elsewhere))
    listing = read_listing(path, files, draw=Draw(seed, queries, train))
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

    name = data_name(path)
    cache = cache_folder(cache_dir) / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', name)}-{image_size}-{key}.npy"
    store = open_store(cache, (len(names), 3, image_size, image_size), blocks)
    rows = {image: row for row, image in enumerate(names)}

    def split(listed: ListedSplit) -> Split:
        return Split(
            ImageRows(store, np.array([rows[image] for image in listed.names])), listed.labels, listed.names
        )

    return RetrievalData(name, listing.class_names, *(split(listed) for _, listed in listing.splits()))


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
    """Decode an image of a list; see :func:`hashprobe.data.images.decoding.decode_image`.

    Raises:
        HashprobeError: the image cannot be used; the message names file and line of the list.
    """
    try:
        return decode_file(file, image_size)
    except UnusableImage as error:
        raise HashprobeError(f"{listing.where(name)}: the image {name} {error}.") from None


def decode_file(file: ImageFile, image_size: int) -> UInt8Array:
    """Read and decode an image; see :func:`hashprobe.data.images.decoding.decode_image`.

    Raises:
        UnusableImage: it cannot be used.
    """
    try:
        return decode_image(file.read(), image_size)
    except OSError as error:
        raise UnusableImage(f"cannot be read ({error.strerror})") from None
