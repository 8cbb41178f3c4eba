"""What a target code or a goal may be made from: the codes and labels around a set of queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError

Codes: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Context:
    """A set of queries and what is known around it. Codes are packed, ``(n, ceil(K / 8))``; labels multi-hot ``(n, C)``.

    Attributes:
        bits: Code length K.
        seed: Of whatever is drawn.
        database_codes: Of the database.
        database_labels: Of the database.
        query_codes: Of the unchanged queries.
        query_labels: Of the queries, where they are known.
        target_labels: One a query, where a protocol or a user names targets.
        training: Returns codes and labels of the training images, which are computed when they are asked for; see
            :meth:`training_set`.
        trained: Trained attacks and target codes, by name.
    """

    bits: int
    seed: int
    database_codes: Codes
    database_labels: Labels
    query_codes: Codes
    query_labels: Labels | None = None
    target_labels: Labels | None = None
    training: Callable[[], tuple[Codes, Labels]] | None = None
    trained: Mapping[str, Any] = field(default_factory=dict)

    def training_set(self) -> tuple[Codes, Labels]:
        """Return codes and labels of the training images.

        Raises:
            HashprobeError: there are none here.
        """
        if self.training is None:
            raise HashprobeError("this needs the codes of training images, and none are known here.")
        return self.training()
