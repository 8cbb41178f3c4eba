"""What each query scored: the lines of ``queries.jsonl``, which a comparison of two rows is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import read_json_lines
from hashprobe.results.faults import sentence_of

FILE = "queries.jsonl"
PLACES = 6
"""Decimal places of an average precision that are kept."""


class QueryScores(BaseModel):
    """One line of ``queries.jsonl``: the average precision of each query of a row. Rows with the same first three are paired.

    Attributes:
        split_sha256: Fingerprint of the data's split.
        queries: Fingerprint of the names of the queries, in their order.
        targets: Fingerprint of the labels that they were scored by: target labels, or their own.
        row: Name of the result row.
        ap: Average precision of each query, in [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    row: str
    split_sha256: str
    queries: str
    targets: str
    ap: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)

    @classmethod
    def of(cls, row: str, values: npt.NDArray[np.float64], **key: str) -> Self:
        """Make a line of average precisions, rounded."""
        rounded = [min(1.0, max(0.0, round(float(value), PLACES))) for value in values]
        return cls(row=row, ap=rounded, **key)

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """The average precisions, ``(n,)``."""
        return np.asarray(self.ap, dtype=np.float64)


def query_scores(lines: Iterable[Mapping[str, Any]], where: str) -> dict[str, QueryScores]:
    """Check lines of ``queries.jsonl`` and return them by the name of their row.

    Args:
        lines: JSON objects.
        where: Their file, for an error.

    Raises:
        HashprobeError: a line is malformed, or there are two of one row.
    """
    found: dict[str, QueryScores] = {}
    for number, line in enumerate(lines, start=1):
        try:
            own = QueryScores(**{str(name): value for name, value in line.items()})
        except ValidationError as error:
            raise HashprobeError(f"{where}, line {number}: {sentence_of(error.errors()[0])}") from None
        if own.row in found:
            raise HashprobeError(f"{where}, line {number}: there is another line of {shortened(own.row)}.")
        found[own.row] = own
    return found


def read_query_scores(directory: Path) -> dict[str, QueryScores]:
    """Read ``queries.jsonl`` of a folder of results, by row; nothing where there is none.

    Raises:
        HashprobeError: the file is malformed; the line is named.
    """
    path = directory / FILE
    return query_scores(read_json_lines(path), str(path)) if path.is_file() else {}
