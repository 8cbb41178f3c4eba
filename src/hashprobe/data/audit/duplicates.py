"""Duplicates, images under different names that are the same picture: found by hashes of their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from hashprobe.data.audit.findings import AuditedSplit, AuditedSplits, Finding, Severity, finding
from hashprobe.data.faults import MOST_PLACES, Faults
from hashprobe.data.formats.folder import decode_file
from hashprobe.data.formats.listing import Listing
from hashprobe.data.images.decoding import UnusableImage
from hashprobe.data.images.image_files import ImageFile
from hashprobe.data.images.parallel import in_order
from hashprobe.data.retrieval_data import RetrievalData, UInt8Array
from hashprobe.progress import progress_bar

SameBytes = Callable[[str, str], bool]


def pixel_hash(image: UInt8Array) -> bytes:
    """Return a hash of an image's pixels, 16 bytes."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def hashes_of_data(data: RetrievalData, *, progress: bool = False) -> dict[str, list[bytes]]:
    """Return the pixel hashes of each split of loaded data; each row of a store is hashed once."""
    known: dict[tuple[int, int], bytes] = {}
    hashes: dict[str, list[bytes]] = {}
    rows = sum(len(split) for _, split in data.splits())
    with progress_bar("hashing images", rows, show=progress) as advance:
        for name, split in data.splits():
            store, hashes[name] = split.images.store, []
            for row in split.images.rows.tolist():
                key = id(store), row
                if key not in known:
                    known[key] = pixel_hash(store[row])
                hashes[name].append(known[key])
                advance(1)
    return hashes


def hashes_of_files(
    listing: Listing,
    found: Mapping[str, ImageFile],
    image_size: int,
    faults: Faults,
    *,
    progress: bool = False,
    workers: int | None = None,
) -> dict[str, bytes]:
    """Decode each image once and return its pixel hash by name; what cannot be decoded is reported and left out."""
    names = [name for name in listing.distinct_names() if name in found]
    hashes: dict[str, bytes] = {}
    problems: dict[str, str] = {}

    def look(name: str) -> bytes | str:
        try:
            return pixel_hash(decode_file(found[name], image_size))
        except UnusableImage as error:
            return str(error)

    with progress_bar("decoding images", len(names), show=progress) as advance:
        for name, seen in zip(names, in_order(look, names, workers), strict=True):
            if isinstance(seen, bytes):
                hashes[name] = seen
            else:
                problems[name] = seen
            advance(1)
    report_images("images that cannot be used", problems, listing, faults)
    return hashes


def report_images(kind: str, problems: Mapping[str, str], listing: Listing, faults: Faults) -> None:
    """Report what is wrong with images, with the lines that list them first.

    Args:
        kind: What it is a fault of.
        problems: By name of the image, the end of a sentence.
        listing: Where they are listed.
        faults: Where it is reported.
    """
    said = dict(islice(problems.items(), MOST_PLACES))
    places = listing.places(said.keys())
    messages = (f"{places[name]}: the image {name} {problem}." for name, problem in said.items())
    faults.add_all(kind, messages, len(problems))


@dataclass(frozen=True)
class _Seen:
    """Where an image is listed first."""

    name: str
    split: AuditedSplit
    row: int

    def __str__(self) -> str:
        return f"{self.name} ({self.split.where(self.row)})"


def _shared_pixels(splits: AuditedSplits) -> set[bytes]:
    """Return the pixels that more than one name has."""
    first: dict[bytes, int] = {}
    shared = set()
    for split in splits:
        for number, pixels in zip(split.numbers.tolist(), split.pixels, strict=True):
            if pixels is not None and first.setdefault(pixels, number) != number:
                shared.add(pixels)
    return shared


def of_duplicates(splits: AuditedSplits, image_size: int, same_bytes: SameBytes | None) -> Iterator[Finding]:
    """Find duplicates, images with the same pixels under different names, across splits and within one.

    Args:
        splits: Query, database and train.
        image_size: Of the pixels that were compared.
        same_bytes: Says whether two images are the same file; ``None`` if there are no files.
    """
    groups: dict[bytes, dict[str, _Seen]] = {}
    shared = _shared_pixels(splits)
    for split in splits:
        for row, (name, pixels) in enumerate(zip(split.names, split.pixels, strict=True)):
            if pixels is not None and pixels in shared:
                groups.setdefault(pixels, {}).setdefault(name, _Seen(name, split, row))
    across: list[str] = []
    within: list[str] = []
    contradicting: list[str] = []
    for group in groups.values():
        first, *others = group.values()
        for other in others:
            how = "the same bytes" if same_bytes and same_bytes(first.name, other.name) else "the same pixels"
            text = f"{first} and {other}: {how}"
            leaks = first.split.name == "query" and other.split.name != "query"
            (across if leaks else within).append(text)
            label, other_label = (seen.split.labels[seen.row] for seen in (first, other))
            if not np.array_equal(label, other_label):
                contradicting.append(text)
    check = "duplicates under another name"
    size = f"at {image_size} × {image_size} pixels"
    kinds: list[tuple[list[str], Severity, str]] = [
        (across, "warning", f"of database or train duplicate a query image {size}; it finds them for sure"),
        (within, "note", f"duplicate another of the same side (queries, or database and train) {size}"),
        (contradicting, "warning", f"duplicate another {size}, but have another label"),
    ]
    for locations, severity, what in kinds:
        if locations:
            files = sum(text.endswith("bytes") for text in locations)
            by_bytes = f"; of {files} the files are the same too" if same_bytes else ""
            message = f"{len(locations)} images {what}{by_bytes}."
            yield finding(severity, check, message, locations.__getitem__, range(len(locations)))
    if not across and not within:
        yield Finding("ok", check, f"No image is a duplicate of another {size}.")
