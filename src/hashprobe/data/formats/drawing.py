"""Splits drawn from a seed: queries from all images, the rest is the database, training images from the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.seeds import numpy_generator

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Draw:
    """How the splits of a table without any are drawn, if numbers are given: as :func:`draw_splits` does."""

    seed: int = 0
    queries: int | None = None
    train: int | None = None

    def rows(self, names: Sequence[str]) -> dict[str, Rows]:
        """Return the rows of each split; rows of the same name are in the same ones.

        Raises:
            HashprobeError: numbers that cannot be drawn.
        """
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        drawn = draw_splits(len(numbers), self.queries or 0, self.train, self.seed, "table")
        images = np.array([numbers[name] for name in names], dtype=np.intp)
        return {split: np.flatnonzero(np.isin(images, chosen)) for split, chosen in drawn.items()}


def draw_splits(images: int, queries: int, train: int | None, seed: int, name: str) -> dict[str, Rows]:
    """Draw queries and training images uniformly and without replacement.

    Args:
        images: How many there are.
        queries: How many of them are queries; the others are the database.
        train: How many of the database are training images; all if not given.
        seed: Of the draw.
        name: Of the data, which the draw depends on too.

    Returns:
        The rows of query, database and train, ascending.

    Raises:
        HashprobeError: a split would be empty, or more images are asked for than there are.
    """
    train = images - queries if train is None else train
    if queries < 1 or train < 1 or queries + train > images:
        raise HashprobeError(
            f"{queries} queries and {train} training images cannot be drawn from {images} images; "
            "expected at least one of each, and no more than there are."
        )
    order = numpy_generator(seed, "splits", name).permutation(images)
    parts = {"query": order[:queries], "database": order[queries:], "train": order[queries : queries + train]}
    return {split: np.sort(rows) for split, rows in parts.items()}
