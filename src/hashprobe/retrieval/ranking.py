"""Queries and a database to rank, checked against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.arrays import Bytes
from hashprobe.retrieval.codes import PackedCodes, check_codes, check_spare_bits
from hashprobe.retrieval.labels import LabelSource, check_labels, class_count, pack_labels


@dataclass(frozen=True)
class RankingInput:
    """Queries and a database that fit each other; the database has not been read yet."""

    query_codes: PackedCodes
    query_labels: Bytes
    database: PackedCodes
    database_labels: LabelSource
    bits: int


def check_ranking(
    queries: Any, database: Any, query_labels: Any, database_labels: Any, bits: int
) -> RankingInput:
    """Check queries and database against each other.

    Raises:
        HashprobeError: codes of another width, labels of another number of rows or classes, nothing to rank.
    """
    query_codes, codes = check_codes("queries", queries, bits), check_codes("database", database, bits)
    check_spare_bits("queries", query_codes, bits)
    wanted = pack_labels(query_labels, "query_labels")
    labels = check_labels("database_labels", database_labels)
    if not len(codes):
        raise HashprobeError("database is empty; there is nothing to rank.")
    for name, rows, of, expected in (
        ("query_labels", len(wanted), "queries", len(query_codes)),
        ("database_labels", len(labels), "database", len(codes)),
    ):
        if rows != expected:
            raise HashprobeError(
                f"{name} has {rows} rows but {of} has {expected}; each code needs its labels."
            )
    if wanted.classes != class_count(labels):
        raise HashprobeError(
            f"query_labels has {wanted.classes} classes but database_labels has {class_count(labels)}; "
            "both must have one column a class, in the same order."
        )
    # Copies, since the kernels would be compiled anew for read-only arrays.
    own, own_labels = np.array(query_codes, order="C"), np.array(wanted.packed, order="C")
    return RankingInput(own, own_labels, codes, labels, int(bits))
