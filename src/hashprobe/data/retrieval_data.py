"""Images, multi-hot labels and splits, as every other part of hashprobe sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.seeds import numpy_generator
from hashprobe.typed_values import checked

UInt8Array: TypeAlias = npt.NDArray[np.uint8]
RowIndex: TypeAlias = "int | np.integer[Any] | slice | list[int] | npt.NDArray[Any]"


class ImageStore(Protocol):
    """Images as they are kept, ``(m, 3, height, width)`` uint8: an array, or a file that is read when it is asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(m, 3, height, width)``."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """uint8."""

    def __len__(self) -> int:
        """How many images there are."""

    def __getitem__(self, rows: Any, /) -> UInt8Array:
        """Return some images; indexed as an array is along its first axis."""


class ImageRows:
    """Rows of a store of images, read when they are asked for.

    Behaves like an array ``(n, 3, height, width)`` of uint8 that is indexed along its first axis: a slice, a
    list or an array of row numbers (or a mask) gives ``(m, 3, height, width)``, a single number
    ``(3, height, width)``. What is returned is a copy in memory. ``np.asarray(rows)`` reads everything.

    Args:
        store: ``(m, 3, height, width)`` uint8, usually a file.
        rows: The rows of ``store`` that are meant, in order; all of them if not given.
    """

    def __init__(self, store: ImageStore, rows: npt.NDArray[np.integer[Any]] | None = None) -> None:
        self._store = store
        self._rows = np.arange(len(store)) if rows is None else np.asarray(rows, dtype=np.intp)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: RowIndex) -> UInt8Array:
        rows = np.asarray(index, dtype=np.intp) if isinstance(index, list) else index
        return np.array(self._store[self._rows[rows]])

    @property
    def store(self) -> ImageStore:
        """The store that the rows are in."""
        return self._store

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """``(n,)``: the row of the store that each image is."""
        return self._rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(n, 3, height, width)``."""
        _, channels, height, width = self._store.shape
        return len(self), channels, height, width

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """uint8."""
        return self._store.dtype

    @property
    def ndim(self) -> int:
        """4."""
        return 4

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("image rows are read from a store; an array of them is always a copy")
        return self[:].astype(dtype or np.uint8, copy=False)

    def __repr__(self) -> str:
        return f"ImageRows(shape={self.shape})"


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels, in one order.

    Attributes:
        images: uint8 ``(n, 3, S, S)``, read lazily.
        labels: uint8 ``(n, C)`` of 0 and 1; read-only.
        names: Of each image: its path relative to the data's folder, or the name of a generated scene.
    """

    images: ImageRows
    labels: UInt8Array
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.names):
            counts = f"{len(self.images)} images, {len(self.labels)} label rows, {len(self.names)} names"
            raise ValueError(f"a split needs one label row and one name an image; found {counts}")
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.names)

    def lines(self) -> Iterator[bytes]:
        """Yield the middle line of the first channel of each image, by which nearly all images can be told apart."""
        store = self.images.store
        for row in self.images.rows.tolist():
            yield store[row][0, store.shape[2] // 2].tobytes()

    def take(self, rows: npt.NDArray[np.intp]) -> Split:
        """Return the split of some of its rows, in the order given; no image is read."""
        images = ImageRows(self.images.store, self.images.rows[rows])
        return Split(images, self.labels[rows], tuple(self.names[row] for row in rows))


@dataclass(frozen=True, eq=False)
class RetrievalData:
    """A retrieval data set: queries, the database that is searched, and the training images.

    An image belongs to the query or to the database, never to both; the training images are usually a part of
    the database, as in the field's lists.

    Attributes:
        name: Of the data set.
        class_names: The C classes, in the order of the labels' columns.
        query: What is searched with.
        database: What is searched in.
        train: What hash models and attacks are trained on.
    """

    name: str
    class_names: tuple[str, ...]
    query: Split
    database: Split
    train: Split

    @property
    def image_size(self) -> int:
        """Height and width of every image, in pixels."""
        return self.query.images.shape[2]

    @property
    def classes(self) -> int:
        """The number of classes, C."""
        return len(self.class_names)

    def splits(self) -> Iterator[tuple[str, Split]]:
        """Yield name and split: query, database, train."""
        yield from (("query", self.query), ("database", self.database), ("train", self.train))

    def summary(self) -> dict[str, Any]:
        """Return name, fingerprint, sizes and classes, as ``experiment.json`` holds them."""
        return {
            "name": self.name,
            "split_sha256": self.split_sha256,
            "queries": len(self.query),
            "database": len(self.database),
            "train": len(self.train),
            "classes": self.classes,
            "class_names": list(self.class_names),
        }

    @checked
    def sample(
        self,
        *,
        query: int | None = None,
        database: int | None = None,
        train: int | None = None,
        seed: int = 0,
    ) -> RetrievalData:
        """Return a smaller data set: so many random images of each split, in their old order.

        Args:
            query: Queries; all of them if not given.
            database: Database images; all of them if not given.
            train: Training images; all of them if not given.
            seed: Of the choice.

        Raises:
            HashprobeError: a split has fewer images.
        """

        def some(name: str, split: Split, count: int | None) -> Split:
            if count is None:
                return split
            if not 1 <= count <= len(split):
                raise HashprobeError(
                    f"{self.name} has {len(split)} {name} images; {count} of them cannot be taken."
                )
            rows = numpy_generator(seed, "sample", name).permutation(len(split))[:count]
            return split.take(np.sort(rows).astype(np.intp))

        return replace(
            self,
            query=some("query", self.query, query),
            database=some("database", self.database, database),
            train=some("train", self.train, train),
        )

    @cached_property
    def split_sha256(self) -> str:
        """SHA-256 over names and labels of the three splits; neither the images nor their size enter."""
        return sha256_of_splits((split.names, split.labels) for _, split in self.splits())

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over :attr:`split_sha256` and the pictures: their shape, and of each image :meth:`Split.lines`.

        What is trained or measured is known by it: the same names may stand for other pictures tomorrow. One that differs from
        what it was in other lines alone is not noticed; all pixels of a large set would take minutes to read.
        """
        splits = [split for _, split in self.splits()]
        lines = (line for split in splits for line in (str(split.images.shape).encode(), *split.lines()))
        return sha256_of(self.split_sha256, *lines)


def sha256_of_splits(splits: Iterable[tuple[Sequence[str], UInt8Array]]) -> str:
    """Return the SHA-256 over names and multi-hot labels of splits, in hexadecimal."""
    parts: list[bytes | str] = []
    for names, labels in splits:
        parts += ["\n".join(names), str(labels.shape), np.packbits(labels, axis=1).tobytes()]
    return sha256_of(*parts)
