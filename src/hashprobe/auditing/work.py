"""What the measuring of an audit works with: pictures, their codes, which are asked about, and where results are kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval
from hashprobe.auditing.kept import Cell
from hashprobe.auditing.photos import Labels, Photos
from hashprobe.auditing.searches import AuditedSearch, CodeSearch, as_picture
from hashprobe.auditing.settings import AuditSettings
from hashprobe.auditing.shards import answering
from hashprobe.auditing.stored import Stored
from hashprobe.evaluation import Ranking
from hashprobe.evaluation.own_size import Picture
from hashprobe.identity import fingerprint
from hashprobe.seeds import numpy_generator

PIXELS_AT_ONCE = 4_000_000
PAIR_QUERIES = 1000
"""Photographs that are compared with all others, at most, to count false positives."""


@dataclass(frozen=True)
class Audit:
    """What the measuring works with.

    Attributes:
        folder: Of the results.
        search: The audited search.
        photos: The photographs.
        labels: What they show, of all photographs, where somebody says so.
        settings: What is measured.
        key: Fingerprint of model, photographs and labels.
        progress: Whether progress bars are shown.
    """

    folder: Path
    search: AuditedSearch
    photos: Photos
    labels: Labels | None
    settings: AuditSettings
    key: str
    progress: bool = False

    @property
    def bits(self) -> int:
        """The largest threshold."""
        return self.search.bits

    @property
    def stored(self) -> Stored:
        """What the search holds."""
        return self.search.stored

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
        most = self.search.at_once
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
        """Return a stored picture at its own size, upright.

        Raises:
            HashprobeError: it can no longer be used.
        """
        with answering(self._name(own)):
            return as_picture(self.photos.read(int(self.stored.rows[own])))

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
        return labels_of(self.stored, self.labels)

    @cached_property
    def index(self) -> Ranking | None:
        """The stored codes as a search index holds them; ``None`` where no index is audited."""
        search = self.settings.search
        if search is None or search.places is None or not isinstance(self.search, CodeSearch):
            return None
        return Ranking(search, self.stored.codes, self.stored_labels, self.bits)

    def cell(self, name: str, *depends: object) -> Cell:
        """Return the cell of a name, with what is kept of it."""
        key = fingerprint(
            self.key,
            self.search.identity,
            self.settings.seed,
            self.settings.queries,
            self.settings.jpeg,
            name,
            *depends,
        )
        return Cell(self.folder, name, key, len(self.queries), with_codes=self.index is not None)


def labels_of(stored: Stored, labels: Labels | None) -> npt.NDArray[np.uint8]:
    """Return the labels of stored pictures; see :attr:`Audit.stored_labels`."""
    return np.zeros((len(stored.rows), 1), dtype=np.uint8) if labels is None else labels.labels[stored.rows]
