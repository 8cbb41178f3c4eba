"""The audit of a split: what is wrong with it, what is worth knowing, and the numbers that any result depends on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from hashprobe.data.audit import findings as look
from hashprobe.data.audit.duplicates import (
    SameBytes,
    hashes_of_data,
    hashes_of_files,
    of_duplicates,
    report_images,
)
from hashprobe.data.audit.findings import AuditedSplit, AuditedSplits, Finding, number_names
from hashprobe.data.faults import CollectedFaults, KindOfFault
from hashprobe.data.formats.drawing import Draw
from hashprobe.data.formats.listing import ListedSplit
from hashprobe.data.formats.reading import data_name, given_path, read_listing
from hashprobe.data.images.decoding import check_image_size
from hashprobe.data.images.image_files import ImageFiles, image_folder
from hashprobe.data.protocols import chance_by_protocol
from hashprobe.data.retrieval_data import RetrievalData, Split, sha256_of_splits
from hashprobe.progress import progress_bar
from hashprobe.retrieval import chance_level
from hashprobe.typed_values import checked


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        data: Name of the data.
        split_sha256: As in result rows; of faulty lists, over the rows that could be read.
        image_size: At which pixels were compared.
        images: Rows of each split.
        different_images: Different names of each split.
        unlabelled: Rows without a label of each split.
        images_by_class: Of each class, how many rows of query, database and train have it.
        relevant_pairs: Share of all pairs of a query and a database image that share a label; ``None`` if a
            split is empty.
        chance: What a random ranking scores: under ``map`` in MAP, under a protocol's name in t-MAP, as
            fractions; ``None`` where there is none.
        findings: The gravest first.
    """

    data: str
    split_sha256: str
    image_size: int
    images: dict[str, int]
    different_images: dict[str, int]
    unlabelled: dict[str, int]
    images_by_class: dict[str, tuple[int, int, int]]
    relevant_pairs: float | None
    chance: dict[str, float | None]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether no finding is an error, so that the data can be loaded."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the audit for JSON, in the shape that a run's ``audit.json`` has."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        findings = [finding.as_dict() for finding in self.findings]
        return plain | {"findings": findings, "splits": list(self.images)}

    def lines(self, most_locations: int = 5) -> list[str]:
        """Return the audit as lines for a terminal: numbers, classes, then findings with their first locations."""
        return [*self._number_lines(), "", *self._class_lines(), "", *self._finding_lines(most_locations)]

    def _number_lines(self) -> list[str]:
        rows = [f"{name} {count}" for name, count in self.images.items()]
        lines = [f"{self.data}: {', '.join(rows)} images, {len(self.images_by_class)} classes"]
        if self.relevant_pairs is not None:
            lines.append(f"relevant pairs of a query and a database image: {self.relevant_pairs:.2%}")
        levels = [f"{name} {'–' if level is None else f'{level:.2%}'}" for name, level in self.chance.items()]
        if levels:
            lines.append(f"chance, MAP and t-MAP of a random ranking: {', '.join(levels)}")
        return lines

    def _class_lines(self) -> list[str]:
        width = max([len("class"), *(len(name) for name in self.images_by_class)])
        heading = "".join(f"{name:>10}" for name in self.images)
        body = [
            f"{name:<{width}}" + "".join(f"{count:>10}" for count in counts)
            for name, counts in self.images_by_class.items()
        ]
        return [f"{'class':<{width}}{heading}", *body]

    def _finding_lines(self, most_locations: int) -> list[str]:
        lines = []
        for finding in self.findings:
            lines.append(f"{finding.severity:<8} {finding.message}")
            lines += [
                f"{'':<8}   {location}"
                for location in finding.locations[:most_locations]
                if location != finding.message
            ]
            if finding.count > most_locations:
                lines.append(f"{'':<8}   and {finding.count - most_locations} more")
        return lines


@checked
def audit(data: RetrievalData, *, seed: int = 0, progress: bool = False) -> Audit:
    """Audit loaded data.

    Args:
        data: Any retrieval data; each stored image is read and hashed once.
        seed: Of the draw of target labels, of which chance levels are said.
        progress: Whether a progress bar is shown.
    """
    hashes = hashes_of_data(data, progress=progress)
    numbers = number_names(*(split.names for _, split in data.splits()))

    def part(place: int, name: str, split: Split) -> AuditedSplit:
        def where(row: int) -> str:
            return f"{name}, row {row}"

        return AuditedSplit(name, split.names, split.labels, where, hashes[name], numbers[place])

    splits = AuditedSplits(*(part(place, *named) for place, named in enumerate(data.splits())))
    return _examine(data.name, splits, data.class_names, data.image_size, seed)


@checked
def audit_folder(
    path: str | Path,
    image_size: int = 64,
    seed: int = 0,
    *,
    queries: int | None = None,
    train: int | None = None,
    elsewhere: bool = False,
    progress: bool = False,
    workers: int | None = None,
) -> Audit:
    """Audit a folder of lists, in whichever format, or a table; faulty ones too.

    Where loading stops at the first fault, every fault is found and reported with file and line; the faulty rows
    are left out of all further findings. Every image is decoded once, and nothing is cached.

    Args:
        path: The folder, or a CSV file.
        image_size: At which pixels are compared; files with the same pixels are also compared byte by byte.
        seed: Of the draw of splits, as in :func:`hashprobe.data.load_folder`, and of target labels.
        queries: How many are drawn; likewise.
        train: How many training images are drawn; likewise.
        elsewhere: Whether ``source.txt`` may name a folder elsewhere; likewise.
        progress: Whether a progress bar is shown.
        workers: Threads that decode; by default one a processor.

    Raises:
        HashprobeError: nothing is there, lists in no format or in more than one, or splits that cannot be drawn.
    """
    path = given_path(path)
    check_image_size(image_size)
    faults = CollectedFaults()
    files = ImageFiles(image_folder(path, elsewhere=elsewhere), faults)
    with progress_bar("reading lists", 3, show=progress) as advance:
        listing = read_listing(path, files, faults, Draw(seed, queries, train))
        advance(3)
    found = files.find(listing.distinct_names(), progress=progress)
    absent = dict.fromkeys((name for name in listing.distinct_names() if name not in found), "does not exist")
    report_images("images that do not exist", absent, listing, faults)
    del absent
    hashes = hashes_of_files(listing, found, image_size, faults, progress=progress, workers=workers)
    classes = len(listing.class_names)

    numbers = number_names(*(split.names for _, split in listing.splits()))

    def part(place: int, name: str, split: ListedSplit) -> AuditedSplit:
        labels = split.labels if len(split) else np.zeros((0, classes), dtype=np.uint8)
        pixels = [hashes.get(image) for image in split.names]
        return AuditedSplit(name, split.names, labels, split.at.__getitem__, pixels, numbers[place])

    notes = [Finding("note", "lists", f"{note[0].upper()}{note[1:]}.") for note in listing.notes]
    return _examine(
        data_name(path),
        AuditedSplits(*(part(place, *named) for place, named in enumerate(listing.splits()))),
        listing.class_names,
        image_size,
        seed,
        same_bytes=lambda one, other: found[one].read() == found[other].read(),
        faults=faults.found,
        notes=notes,
    )


def _examine(
    name: str,
    splits: AuditedSplits,
    class_names: tuple[str, ...],
    image_size: int,
    seed: int,
    *,
    same_bytes: SameBytes | None = None,
    faults: tuple[KindOfFault, ...] = (),
    notes: list[Finding] | None = None,
) -> Audit:
    query, database = splits.query.labels, splits.database.labels
    counts = look.relevant_counts(query, database)
    found = [
        *look.of_faults(faults),
        *look.of_empty_splits(splits),
        *look.of_overlaps(splits),
        *look.of_repeated_rows(splits),
        *of_duplicates(splits, image_size, same_bytes),
        *look.of_unlabelled(splits),
        *look.of_classes(splits, class_names),
        *look.of_relevance(splits, counts),
        *(notes or []),
    ]
    order = ("error", "warning", "note", "ok")
    measurable = len(query) > 0 and len(database) > 0
    chance: dict[str, float | None] = {}
    if measurable and class_names:
        chance["map"] = float(chance_level(query, database).mean())
        chance |= chance_by_protocol(query, database, seed=seed)
    by_class = np.stack([split.labels.sum(axis=0, dtype=np.int64) for split in splits], axis=1)
    return Audit(
        data=name,
        split_sha256=sha256_of_splits((split.names, split.labels) for split in splits),
        image_size=image_size,
        images={split.name: len(split) for split in splits},
        different_images={split.name: split.different() for split in splits},
        unlabelled={split.name: int((~split.labels.any(axis=1)).sum()) for split in splits},
        images_by_class=dict(zip(class_names, map(tuple, by_class.tolist()), strict=True)),
        relevant_pairs=float(counts.sum() / (len(query) * len(database))) if measurable else None,
        chance=chance,
        findings=tuple(sorted(found, key=lambda finding: order.index(finding.severity))),
    )
