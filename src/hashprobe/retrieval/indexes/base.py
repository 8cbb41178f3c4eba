"""What a search index is, and how it is found by name."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.registry import Registry
from hashprobe.retrieval.arrays import Float64Array
from hashprobe.retrieval.codes import MAX_BITS, PackedCodes, check_spare_bits
from hashprobe.retrieval.search import Neighbours, check_search, check_searched, top_k
from hashprobe.typed_values import checked


class SearchIndex(ABC):
    """Packed codes, arranged for search.

    To add one: a subclass that says whether it is ``exact`` and has :meth:`find`, registered under a name. Its settings
    are keyword arguments with defaults, which it checks before it builds.

    Args:
        codes: Packed codes of the database, uint8 ``(N, ceil(K / 8))``, memory-mapped or not.
        bits: K, 1 to 1024.

    Attributes:
        exact: Whether the k nearest are always found.
        incidental: Names of the settings on which what is found does not depend, as the address of a server: a result is the
            same result where they differ.

    Raises:
        HashprobeError: codes that do not fit ``bits``, an empty database, a setting out of its range.
    """

    exact: ClassVar[bool]
    incidental: ClassVar[tuple[str, ...]] = ()

    def __init__(self, codes: Any, *, bits: int) -> None:
        self.codes, self.bits = check_searched(codes, bits), int(bits)
        check_spare_bits("database", self.codes, self.bits)

    @classmethod
    def check(cls, *, bits: int, **settings: Any) -> None:
        """Say what is wrong with settings before there is a database: an index of a few items is opened.

        Raises:
            HashprobeError: a setting that it does not take, or a server that does not answer.
        """
        cls(np.zeros((64, -(-bits // 8)), dtype=np.uint8), bits=bits, **settings)

    @abstractmethod
    def find(self, queries: PackedCodes, k: int) -> tuple[Any, Any]:
        """Return what is found of the k nearest items, in any order.

        Args:
            queries: Packed codes ``(n, ceil(K / 8))``, checked.
            k: How many, 1 to N.

        Returns:
            Indices into the database, -1 for nothing found, and Hamming distances, each ``(n, k)`` of whole numbers. A
            distance beside -1 means nothing. No item is named twice for a query.
        """

    @checked
    def search(self, queries: Any, k: int) -> Neighbours:
        """Return the nearest items found.

        Args:
            queries: Packed codes ``(n, ceil(K / 8))``.
            k: How many.

        Returns:
            Indices and Hamming distances, each int64 ``(n, min(k, N))``, by distance; equal distances in the order of
            the database as far as they were found. Where fewer were found, index -1 and distance K + 1 come last.

        Raises:
            HashprobeError: codes that do not fit, or ``k`` below 1.
        """
        asked, codes = check_search(queries, self.codes, k, self.bits)
        ids, distances = (
            np.asarray(found, dtype=np.int64) for found in self.find(asked, min(int(k), len(codes)))
        )
        distances = np.where(ids < 0, self.bits + 1, distances)
        order = np.lexsort((ids, distances), axis=1)
        return Neighbours(
            np.take_along_axis(ids, order, axis=1), np.take_along_axis(distances, order, axis=1)
        )

    def recall(self, queries: Any, k: int) -> Float64Array:
        """Measure, against exact search, which share of the k nearest items is found.

        An item counts as found when it is as near as the k-th nearest: which of the equally near items are returned is
        a matter of taste, not of recall.

        Args:
            queries: Packed codes ``(n, ceil(K / 8))``; a sample will do.
            k: How many.

        Returns:
            float64 ``(n,)`` in [0, 1].
        """
        nearest = top_k(queries, self.codes, k, bits=self.bits)
        shares: Float64Array = (self.search(queries, k).distances <= nearest.distances[:, -1:]).mean(axis=1)
        return shares


INDEXES: Registry[type[SearchIndex]] = Registry("search index")


@checked
def open_index(name: str, codes: Any, *, bits: int, **settings: Any) -> SearchIndex:
    """Return the index that is registered as ``name`` over some codes.

    Args:
        name: Its name in ``INDEXES``.
        codes: As for :class:`SearchIndex`.
        bits: Likewise.
        settings: Its settings; what is left out has the default.

    Raises:
        HashprobeError: no such index, a setting that it does not have, or what it refuses itself.
    """
    return _kind(name, settings)(codes, bits=bits, **settings)


@checked
def check_index(name: str, *, bits: int, **settings: Any) -> None:
    """Say what is wrong with the name or the settings of an index, before there are codes to search.

    Args:
        name: Its name in ``INDEXES``.
        bits: Code length K, 1 to 1024.
        settings: Its settings.

    Raises:
        HashprobeError: as :func:`open_index`.
    """
    bits = check_whole_number("bits", bits, least=1, most=MAX_BITS)
    _kind(name, settings).check(bits=bits, **settings)


def _kind(name: str, settings: Mapping[str, Any]) -> type[SearchIndex]:
    """Return the class of an index that has such settings."""
    kind = INDEXES[name]
    known = [setting for setting in inspect.signature(kind).parameters if setting not in ("codes", "bits")]
    if unknown := sorted(set(settings) - set(known)):
        raise HashprobeError(
            f"the search index {name!r} has no setting {unknown[0]!r}; it has {', '.join(known) or 'none'}."
        )
    return kind
