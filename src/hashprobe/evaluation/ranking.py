"""The database as it is searched: ranked exactly and whole, or the k items that a search index finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from hashprobe import retrieval
from hashprobe.identity import version_of
from hashprobe.targets import Codes

FOUND = 100
"""How many items an index is asked for, where nobody says."""
RECALL_QUERIES = 256


class SearchSettings(BaseModel):
    """How a database is searched.

    Attributes:
        index: A name of ``INDEXES``; ``scan`` compares every item.
        settings: Of the index, by name.
        top_k: How many items are looked at: MAP@k. By default all of them for ``scan``, and 100 for another index.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: str = "scan"
    settings: dict[str, int | float | str | None] = Field(default_factory=dict)
    top_k: int | None = Field(None, ge=1)

    @property
    def places(self) -> int | None:
        """How many items are looked at; ``None`` for all of them."""
        return self.top_k or (None if self.index == "scan" else FOUND)

    def identity(self) -> dict[str, Any]:
        """Return what identifies it: the index with its version, its settings, and how many items are looked at."""
        index = [self.index, version_of(retrieval.INDEXES[self.index])]
        return {"index": index, "settings": self.wherever()["settings"], "top_k": self.places}

    def wherever(self) -> dict[str, Any]:
        """Return the fields without the settings on which what is found does not depend, as the address of a server."""
        incidental = retrieval.INDEXES[self.index].incidental
        kept = {name: value for name, value in self.settings.items() if name not in incidental}
        return self.model_dump() | {"settings": kept}

    def check(self, bits: int) -> None:
        """Say what is wrong with the name or the settings of the index, before anything is computed.

        Args:
            bits: Code length K of the database.

        Raises:
            HashprobeError: an unknown name, or a setting that the index does not have or take.
        """
        retrieval.check_index(self.index, bits=bits, **self.settings)


@dataclass(frozen=True)
class Found:
    """What the queries of a set found, and how well.

    Attributes:
        counts: Items and relevant items at each distance.
        precision: Average precision of each query, float64 ``(n,)``.
    """

    counts: retrieval.LevelCounts
    precision: npt.NDArray[np.float64]


class Ranking:
    """A database that is searched.

    Args:
        search: How.
        codes: Packed codes of its items ``(N, ceil(K / 8))``.
        labels: Their labels ``(N, C)``.
        bits: K.
    """

    def __init__(
        self, search: SearchSettings, codes: Codes, labels: npt.NDArray[np.uint8], bits: int
    ) -> None:
        self.search, self.codes, self.labels, self.bits = search, codes, labels, bits
        self.top_k = None if search.places is None else min(search.places, len(codes))

    @cached_property
    def index(self) -> retrieval.SearchIndex:
        """The index, built when it is first asked."""
        return retrieval.open_index(self.search.index, self.codes, bits=self.bits, **self.search.settings)

    @property
    def exact(self) -> bool:
        """Whether every item is compared, so that nothing is missed."""
        return self.search.index == "scan"

    def ids(self, codes: Codes, k: int) -> npt.NDArray[np.int64]:
        """Return the ids of the k nearest items found, ``(n, k)``, -1 where none was."""
        return self.index.search(codes, k).ids

    def measure(self, sets: Mapping[str, tuple[Codes, npt.NDArray[np.uint8]]]) -> dict[str, Found]:
        """Rank several query sets, each packed codes and the labels that it is scored by."""
        if self.exact:
            counts = retrieval.count_levels_of_sets(dict(sets), self.codes, self.labels, bits=self.bits)
            return {
                name: Found(own, retrieval.average_precision_from_counts(own, **self._cut()))
                for name, own in counts.items()
            }
        assert self.top_k is not None
        found = {}
        for name, (codes, labels) in sets.items():
            neighbours = self.index.search(codes, self.top_k)
            given = (neighbours, labels, self.labels)
            found[name] = Found(
                retrieval.count_neighbours(*given, bits=self.bits),
                retrieval.average_precision_from_neighbours(*given, bits=self.bits),
            )
        return found

    def chance(self, labels: npt.NDArray[np.uint8]) -> float:
        """Return the MAP of a random ranking, for queries of these labels."""
        return float(np.mean(retrieval.chance_level(labels, self.labels, **self._cut())))

    def recall(self, codes: Codes) -> float | None:
        """Return which share of the nearest items the index finds, over at most 256 queries; ``None`` where all are compared."""
        if self.exact or self.top_k is None:
            return None
        rows = np.linspace(0, len(codes) - 1, min(len(codes), RECALL_QUERIES)).astype(np.intp)
        return float(self.index.recall(codes[rows], self.top_k).mean())

    def _cut(self) -> dict[str, Any]:
        return {} if self.top_k is None else {"top_k": self.top_k}
