"""Target label protocols: which label an attack aims at for each query.

Which label is drawn moves t-MAP more than any method does, so a protocol is drawn once from a seed, shared by all
attacks and stored with the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hashprobe.data.retrieval_data import UInt8Array as Labels
from hashprobe.errors import HashprobeError
from hashprobe.registry import Registry
from hashprobe.retrieval import chance_level
from hashprobe.retrieval.labels import distinct_labels, multi_hot
from hashprobe.seeds import numpy_generator
from hashprobe.typed_values import checked

Candidates: TypeAlias = Callable[[Labels, Labels], tuple[Labels, npt.NDArray[np.bool_]]]

PROTOCOLS: Registry[Candidates] = Registry("target label protocol")


def unique_labels(database_labels: npt.NDArray[Any]) -> Labels:
    """Return the unique label vectors of a database, ``(M, C)``, in lexicographic order, without the empty one.

    The empty label is left out: no image shares a label with it, so it cannot be hit.
    """
    unique, _ = distinct_labels(multi_hot("database labels", database_labels))
    return unique[unique.any(axis=1)]


@PROTOCOLS.register("paper")
def paper(query_labels: Labels, database_labels: Labels) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """Any unique label vector of the database, as in the paper; it may share labels with the query."""
    unique = unique_labels(database_labels)
    return unique, np.ones((len(query_labels), len(unique)), dtype=bool)


@PROTOCOLS.register("disjoint")
def disjoint(query_labels: Labels, database_labels: Labels) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """Any unique label vector of the database that shares no label with the query: the headline protocol."""
    unique = unique_labels(database_labels)
    return unique, query_labels.astype(np.int64) @ unique.T.astype(np.int64) == 0


@PROTOCOLS.register("single")
def single(query_labels: Labels, database_labels: Labels) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """One class of the database that the query does not have."""
    present = np.flatnonzero(database_labels.any(axis=0))
    one_class: Labels = np.eye(database_labels.shape[1], dtype=np.uint8)[present]
    return one_class, query_labels[:, present] == 0


@checked
def draw_target_labels(
    protocol: str, query_labels: npt.NDArray[Any], database_labels: npt.NDArray[Any], *, seed: int
) -> Labels:
    """Draw one target label for each query, uniformly among those that the protocol allows.

    Args:
        protocol: ``paper``, ``disjoint`` or ``single``.
        query_labels: Multi-hot ``(n, C)``.
        database_labels: Multi-hot ``(N, C)``.
        seed: Of the draw; the same seed gives the same targets.

    Returns:
        Multi-hot target labels, ``(n, C)`` uint8.

    Raises:
        HashprobeError: an unknown protocol, or a query for which it allows no label.
    """
    queries = multi_hot("query labels", query_labels)
    database = multi_hot("database labels", database_labels)
    if queries.shape[1] != database.shape[1]:
        raise HashprobeError(
            f"query labels have {queries.shape[1]} classes and database labels {database.shape[1]}; expected the same."
        )
    candidates, allowed = PROTOCOLS[protocol](queries, database)
    counts = allowed.sum(axis=1)
    if len(candidates) == 0 or (counts == 0).any():
        row = int(np.argmin(counts)) if len(counts) else 0
        raise HashprobeError(
            f"protocol {protocol!r} allows no target label for query {row}: every label of the database is among its own."
        )
    # The k-th allowed candidate of each row, with k uniform below the row's count.
    rank = (numpy_generator(seed, "target labels", protocol).random(len(queries)) * counts).astype(np.int64)
    chosen = (np.cumsum(allowed, axis=1) > rank[:, None]).argmax(axis=1)
    drawn: Labels = candidates[chosen]
    return drawn


@checked
def chance_by_protocol(
    query_labels: npt.NDArray[Any], database_labels: npt.NDArray[Any], *, seed: int = 0
) -> dict[str, float | None]:
    """Return the t-MAP of a random ranking, as a fraction, under each target label protocol.

    Args:
        query_labels: Multi-hot ``(n, C)``.
        database_labels: Multi-hot ``(N, C)``.
        seed: Of the draw of target labels, as in an evaluation.

    Returns:
        By name of the protocol; ``None`` where it allows some query no target label.
    """
    levels: dict[str, float | None] = {}
    for protocol in PROTOCOLS:
        try:
            targets = draw_target_labels(protocol, query_labels, database_labels, seed=seed)
        except HashprobeError:
            levels[protocol] = None
        else:
            levels[protocol] = float(chance_level(targets, database_labels).mean())
    return levels
