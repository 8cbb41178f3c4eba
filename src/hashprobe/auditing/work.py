"""What the measuring of an audit works with: pictures, their codes, which are asked about, and where results are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval
from hashprobe.auditing.kept import Cell
from hashprobe.auditing.photos import Labels, Photos
from hashprobe.auditing.settings import AuditSettings
from hashprobe.auditing.shards import answering
from hashprobe.auditing.stored import Stored
from hashprobe.data.images.decoding import decode_image
from hashprobe.evaluation.own_size import Picture, Pipeline
from hashprobe.files import sha256_of
from hashprobe.identity import fingerprint
from hashprobe.seeds import numpy_generator
from hashprobe.targets import Codes

AT_ONCE, ONE_BY_ONE = 32, 4
"""Photographs that are attacked together, and kept together; of a model that answers one by one, fewer."""
PIXELS_AT_ONCE = 4_000_000
PAIR_QUERIES = 1000
"""Photographs that are compared with all others, at most, to count false positives."""


@dataclass(frozen=True)
class Audit:
    """What the measuring works with.

    Attributes:
        folder: Of the results.
        pipeline: The audited search's way from a file to a code.
        photos: The photographs.
        stored: The codes of those that can be used.
        labels: What they show, of all photographs, where somebody says so.
        settings: What is measured.
        key: Fingerprint of model, photographs and labels.
        progress: Whether progress bars are shown.
    """

    folder: Path
    pipeline: Pipeline
    photos: Photos
    stored: Stored
    labels: Labels | None
    settings: AuditSettings
    key: str
    progress: bool = False

    @property
    def bits(self) -> int:
        """K."""
        return self.pipeline.model.bits

    @cached_property
    def queries(self) -> npt.NDArray[np.intp]:
        """The pictures that are attacked and edited, as places among the stored ones, in the order of their sizes."""
        count = len(self.stored.rows)
        drawn = numpy_generator(self.settings.seed, "audit", "queries").permutation(count)
        chosen = drawn[: self.settings.queries]
        sizes = {own: self.photos.size(int(self.stored.rows[own])) for own in chosen}
        return np.array(sorted(chosen, key=lambda own: (sizes[own], own)), dtype=np.intp)

    @cached_property
    def others(self) -> npt.NDArray[np.intp]:
        """Of each query, the unrelated stored picture that it is to be taken for; -1 where there is none."""
        return np.array([self._other(int(own)) for own in self.queries], dtype=np.intp)

    def _other(self, own: int) -> int:
        everybody = np.arange(len(self.stored.rows))
        draws = numpy_generator(self.settings.seed, "audit", "other", self._name(own)).permutation(everybody)
        unrelated = draws[draws != own]
        if self.labels is not None:
            unrelated = unrelated[
                self.labels.unrelated(int(self.stored.rows[own]), self.stored.rows[unrelated])
            ]
        return int(unrelated[0]) if len(unrelated) else -1

    @cached_property
    def blocks(self) -> list[range]:
        """Runs of queries that are attacked together: of one size as their files say, and few where they are large."""
        most = AT_ONCE if self.pipeline.model.gradients else ONE_BY_ONE
        runs, start, sizes = list[range](), 0, [self.size(query) for query in range(len(self.queries))]
        for end in range(1, len(sizes) + 1):
            height, width = sizes[start]
            many = (end - start) * height * width >= PIXELS_AT_ONCE or end - start == most
            if end == len(sizes) or sizes[end] != sizes[start] or many:
                runs.append(range(start, end))
                start = end
        return runs

    def size(self, query: int) -> tuple[int, int]:
        """Return height and width of a query as its file says them."""
        return self.photos.size(int(self.stored.rows[self.queries[query]]))

    def photograph(self, query: int) -> Picture:
        """Return a query at its own size, upright."""
        return self.picture(int(self.queries[query]))

    def picture(self, own: int) -> Picture:
        """Return a stored picture at its own size, upright."""
        return decode_image(self.photos.read(int(self.stored.rows[own])), None, still=True)

    def name(self, query: int) -> str:
        """Return the name of a query's file."""
        return self._name(int(self.queries[query]))

    def _name(self, own: int) -> str:
        return self.photos.names[int(self.stored.rows[own])]

    def unrelated_levels(self) -> npt.NDArray[np.int64]:
        """Return how many unrelated stored pictures lie at each distance of some of them, int64 ``(n, K + 1)``."""
        count = len(self.stored.rows)
        drawn = numpy_generator(self.settings.seed, "audit", "pairs").permutation(count)
        chosen = np.sort(drawn[:PAIR_QUERIES])
        labels = self.stored_labels
        counts = retrieval.count_levels(
            self.stored.codes[chosen],
            self.stored.codes,
            labels[chosen],
            labels,
            bits=self.bits,
            progress=self.progress,
        )
        levels = counts.items - counts.relevant if self.labels is not None else counts.items.copy()
        if self.labels is None:
            levels[:, 0] -= 1  # itself
        found: npt.NDArray[np.int64] = levels
        return found

    @cached_property
    def stored_labels(self) -> npt.NDArray[np.uint8]:
        """Labels of the stored pictures ``(N, C)``; one empty column where nothing is known."""
        if self.labels is None:
            return np.zeros((len(self.stored.rows), 1), dtype=np.uint8)
        return self.labels.labels[self.stored.rows]

    @cached_property
    def codes_sha256(self) -> str:
        """Fingerprint of the stored codes: a service may have changed without a word."""
        return sha256_of(self.stored.codes.tobytes())

    def cell(self, name: str, *depends: object) -> Cell:
        """Return the cell of a name, with what is kept of it."""
        key = fingerprint(
            self.key,
            self.codes_sha256,
            self.settings.seed,
            self.settings.queries,
            self.settings.jpeg,
            name,
            *depends,
        )
        return Cell(self.folder, name, key, len(self.queries))

    def codes(self, files: Sequence[bytes], what: str) -> Codes:
        """Return the codes of files, each brought to the model as a photograph is."""
        with answering(what):
            return np.stack([self.pipeline.code(data) for data in files])

    def ranks(
        self, codes: Codes, queries: Sequence[int]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the chance that each query's own copy comes first, and its average precision; see :class:`Measured`."""
        rows = self.queries[list(queries)]
        labels, own = self.stored_labels, distances(codes, self.stored.codes[rows])
        counts = retrieval.count_levels(codes, self.stored.codes, labels[rows], labels, bits=self.bits)
        places = np.arange(len(rows))
        ties = counts.items[places, own]
        nearer = np.cumsum(counts.items, axis=1)[places, own] - ties
        first = (nearer == 0) / ties
        if self.labels is not None:
            return first, retrieval.average_precision_from_counts(counts)
        # Of one relevant item the average precision is the mean of 1 / rank over the places that its ties may give it.
        ranks = [1 / np.arange(low + 1, low + tied + 1) for low, tied in zip(nearer, ties, strict=True)]
        return first, np.array([own.mean() for own in ranks])


def distances(codes: Codes, others: Codes) -> npt.NDArray[np.int64]:
    """Return the Hamming distances of two lists of packed codes, row by row, int64 ``(n,)``."""
    differing: npt.NDArray[np.int64] = np.unpackbits(codes ^ others, axis=1).sum(axis=1, dtype=np.int64)
    return differing
