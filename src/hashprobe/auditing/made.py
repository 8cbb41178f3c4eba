"""What an audit measured, before it is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.kept import Measured
from hashprobe.auditing.plan import Planned, Skipped
from hashprobe.auditing.rates import Curve


@dataclass(frozen=True)
class MadeAttack:
    """An attack that was made.

    Attributes:
        planned: What it is.
        rows: What was measured on each picture.
        curve: How often it succeeds at each threshold.
        jpeg: The same after pictures were stored as JPEG.
        indexed: The same by what the index returns.
    """

    planned: Planned
    rows: list[Measured]
    curve: Curve
    jpeg: Curve | None
    indexed: Curve | None = None


@dataclass(frozen=True)
class MadeEdit:
    """A benign edit that was made.

    Attributes:
        name: Of the edit.
        rows: What was measured on each picture.
        curve: How often it is missed at each threshold.
        indexed: The same by what the index returns.
    """

    name: str
    rows: list[Measured]
    curve: Curve
    indexed: Curve | None = None


@dataclass(frozen=True)
class MadeIndex:
    """What an index does to pictures that nobody touched.

    Attributes:
        name: As it was given.
        top_k: How many items it is asked for.
        recall: The share of the nearest that it returns; ``None`` where it compares all.
        lost: How often it does not return a picture's own stored copy.
    """

    name: str
    top_k: int
    recall: float | None
    lost: Curve


@dataclass(frozen=True)
class Made:
    """What was measured.

    Attributes:
        threshold: That sentences speak of.
        pairs: False positives; ``None`` where the search tells no distances.
        strangers: How often a picture finds some unrelated one, likewise.
        edits: The benign edits.
        attacks: The attacks.
        skipped: Those that were not made.
        index: The index, where one was audited.
    """

    threshold: int
    pairs: Curve | None
    strangers: Curve | None
    edits: list[MadeEdit]
    attacks: list[MadeAttack]
    skipped: list[Skipped]
    index: MadeIndex | None = field(default=None)

    @property
    def curves(self) -> list[Curve]:
        """All of them."""
        each: list[Curve | None] = [
            self.pairs,
            self.strangers,
            None if self.index is None else self.index.lost,
        ]
        each += [own for edit in self.edits for own in (edit.curve, edit.indexed)]
        each += [own for made in self.attacks for own in (made.curve, made.jpeg, made.indexed)]
        return [own for own in each if own is not None]


def far_of(rows: Sequence[Measured]) -> npt.NDArray[np.int64]:
    """Return the distances of rows, int64 ``(n,)``."""
    return np.array([row.distance for row in rows], dtype=np.int64)
