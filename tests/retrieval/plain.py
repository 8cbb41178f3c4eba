"""Slow, plain readings of the definitions, to compare the package with. They share no code with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np


def distances_and_relevance(
    queries: np.ndarray, database: np.ndarray, query_labels: np.ndarray, database_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hamming distances and relevance, (n, N) each, from signs and multi-hot labels."""
    distances = (queries[:, None, :] != database[None, :, :]).sum(axis=2)
    relevant = (query_labels[:, None, :].astype(bool) & database_labels[None, :, :].astype(bool)).any(axis=2)
    return distances, relevant


def counts(distances: np.ndarray, relevant: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    levels = np.arange(bits + 1)
    at_level = distances[:, :, None] == levels
    return at_level.sum(axis=1), (at_level & relevant[:, :, None]).sum(axis=1)


def tie_orders(distances: np.ndarray) -> Iterator[list[int]]:
    """Every ranking of the items that is sorted by distance."""
    levels = [np.flatnonzero(distances == level) for level in np.unique(distances)]
    for orders in itertools.product(*(itertools.permutations(level) for level in levels)):
        yield [int(item) for order in orders for item in order]


def average_precision(ranked: list[bool], k: int | None = None) -> float:
    """AP of one ranking, divided by the most relevant items that the first k places could hold."""
    possible = sum(ranked) if k is None else min(sum(ranked), k)
    hits, total = 0, 0.0
    for place, hit in enumerate(ranked[: len(ranked) if k is None else k], start=1):
        if hit:
            hits += 1
            total += hits / place
    return total / possible if possible else 0.0


def published_map(
    queries: np.ndarray, database: np.ndarray, query_labels: np.ndarray, database_labels: np.ndarray, k: int
) -> float:
    """MAP@k the way the field's scripts go about it: a float product and a sort for each query."""
    bits = database.shape[1]
    total = 0.0
    for code, labels in zip(queries, query_labels, strict=True):
        same = (database_labels @ labels > 0).astype(np.float32)
        hamming = 0.5 * (bits - database.astype(np.float32) @ code.astype(np.float32))
        ranked = same[np.argsort(hamming, kind="stable")][:k]
        found = int(ranked.sum())
        if found == 0:
            continue
        places = np.flatnonzero(ranked) + 1.0
        total += np.mean(np.arange(1, found + 1) / places)
    return total / len(queries)


def random_case(
    seed: int, *, queries: int, items: int, bits: int, classes: int, density: float = 0.3
) -> dict[str, Any]:
    """Signs and labels with many ties and some queries without relevant items."""
    generator = np.random.default_rng(seed)
    return {
        "queries": generator.choice(np.array([-1, 1], np.int8), (queries, bits)),
        "database": generator.choice(np.array([-1, 1], np.int8), (items, bits)),
        "query_labels": (generator.random((queries, classes)) < density).astype(np.uint8),
        "database_labels": (generator.random((items, classes)) < density).astype(np.uint8),
    }
