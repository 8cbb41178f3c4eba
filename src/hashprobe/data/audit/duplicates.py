"""Duplicates, images under different names that are the same picture: found by hashes of their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hashprobe.data.audit.findings import AuditedSplit, AuditedSplits, Finding, Severity
from hashprobe.data.faults import Faults
from hashprobe.data.formats.folder import decode_listed
from hashprobe.data.formats.listing import Listing
from hashprobe.data.images.image_files import ImageFile
from hashprobe.data.images.parallel import in_order
from hashprobe.data.retrieval_data import RetrievalData, UInt8Array
from hashprobe.errors import HashprobeError
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

    def look(name: str) -> bytes | HashprobeError:
        try:
            return pixel_hash(decode_listed(found[name], name, image_size, listing))
        except HashprobeError as error:
            return error

    with progress_bar("decoding images", len(names), show=progress) as advance:
        for name, seen in zip(names, in_order(look, names, workers), strict=True):
            if isinstance(seen, bytes):
                hashes[name] = seen
            else:
                faults.add("images that cannot be used", str(seen))
            advance(1)
    return hashes


@dataclass(frozen=True)
class _Seen:
    """Where an image is listed first."""

    name: str
    split: AuditedSplit
    row: int

    def __str__(self) -> str:
        return f"{self.name} ({self.split.where(self.row)})"


def of_duplicates(splits: AuditedSplits, image_size: int, same_bytes: SameBytes | None) -> Iterator[Finding]:
    """Find duplicates, images with the same pixels under different names, across splits and within one.

    Args:
        splits: Query, database and train.
        image_size: Of the pixels that were compared.
        same_bytes: Says whether two images are the same file; ``None`` if there are no files.
    """
    groups: dict[bytes, dict[str, _Seen]] = {}
    for split in splits:
        for row, (name, pixels) in enumerate(zip(split.names, split.pixels, strict=True)):
            if pixels is not None:
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
            yield Finding(severity, check, f"{len(locations)} images {what}{by_bytes}.", tuple(locations))
    if not across and not within:
        yield Finding("ok", check, f"No image is a duplicate of another {size}.")
