"""Wrong inputs and the sentence each one gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.errors import HashprobeError

CODES = retrieval.pack(np.ones((3, 12)))
LABELS = np.eye(3, dtype=np.uint8)
COUNTS = retrieval.count_levels(CODES, CODES, LABELS, LABELS, bits=12)


def count(**changed: Any) -> Any:
    given = {
        "queries": CODES,
        "database": CODES,
        "query_labels": LABELS,
        "database_labels": LABELS,
        "bits": 12,
    }
    return retrieval.count_levels(**(given | changed))


def precision(**changed: Any) -> Any:
    return retrieval.average_precision(CODES, CODES, LABELS, LABELS, **({"bits": 12} | changed))


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "codes of another width": (
        lambda: count(bits=32),
        r"queries must be packed uint8 of shape \(n, 4\) for 32 bits; found uint8 of shape \(3, 2\)",
    ),
    "signs instead of codes": (
        lambda: count(database=np.ones((3, 2))),
        r"database must be packed uint8 .* found float64",
    ),
    "no bits": (lambda: count(bits=0), r"bits must be a whole number from 1 to 1024; found 0"),
    "too many bits": (lambda: count(bits=1025), r"from 1 to 1024; found 1025"),
    "bits as a fraction": (lambda: count(bits=12.0), r"whole number from 1 to 1024; found 12.0"),
    "spare bits of queries": (
        lambda: count(queries=CODES | 1),
        r"queries: the last 4 bits of a row must be 0 for 12 bits, and some are 1",
    ),
    "spare bits of the database": (lambda: count(database=CODES | 1), r"database: the last 4 bits"),
    "empty database": (
        lambda: count(database=CODES[:0], database_labels=LABELS[:0]),
        r"database is empty; there is nothing to rank",
    ),
    "labels of other rows": (
        lambda: count(database_labels=LABELS[:2]),
        r"database_labels has 2 rows but database has 3",
    ),
    "labels of other classes": (
        lambda: count(query_labels=LABELS[:, :2]),
        r"query_labels has 2 classes but database_labels has 3",
    ),
    "class numbers": (
        lambda: count(query_labels=np.array([0, 1, 2])),
        r"query_labels must be multi-hot of shape \(n, C\) .* found shape \(3,\)",
    ),
    "too many classes": (
        lambda: count(query_labels=np.zeros((3, 1025))),
        r"1 <= C <= 1024; found shape \(3, 1025\)",
    ),
    "a label that is not 0 or 1": (
        lambda: count(database_labels=LABELS * [[1], [2], [1]]),
        r"database_labels must hold 0 and 1 alone; row 1, class 1 holds 2",
    ),
    "a NaN label": (
        lambda: count(query_labels=np.full((3, 3), np.nan)),
        r"query_labels must hold 0 and 1 alone; row 0, class 0 holds nan",
    ),
    "labels of text": (lambda: count(query_labels=LABELS.astype(str)), r"multi-hot, of 0 and 1; found <U"),
    "no thread": (
        lambda: count(threads=0),
        r"threads must be a whole number from 1 to 4096, or None for all; found 0",
    ),
    "a thread and a half": (lambda: count(threads=1.5), r"threads must be a whole number .* found 1.5"),
    "threads as text": (lambda: count(threads="2"), r"threads must be a whole number .* found '2'"),
    "no such device": (
        lambda: count(device="gpu"),
        r"device 'gpu' cannot be used here \(.*\); leave it out to count on the CPU",
    ),
    "a device that is not there": (lambda: count(device="cuda:99"), r"device 'cuda:99' cannot be used here"),
    "a device of no type": (lambda: count(device=1.5), r"device 1.5 cannot be used here"),
    "ragged labels": (
        lambda: count(query_labels=[[1, 0, 0], [1], [1]]),
        r"query_labels cannot be read as an array \(.*\); give an array, a tensor, or rows of equal length",
    ),
    "ragged codes": (lambda: count(queries=[[1], [1, 0]]), r"queries cannot be read as an array"),
    "packed labels with a one behind the last class": (
        lambda: count(database_labels=retrieval.PackedLabels(np.array([[128], [64], [33]], np.uint8), 3)),
        r"database_labels: the last 5 bits of a row must be 0 for 3 classes, and some are 1",
    ),
    "the same, of queries": (
        lambda: count(query_labels=retrieval.PackedLabels(np.array([[128], [64], [33]], np.uint8), 3)),
        r"query_labels: the last 5 bits",
    ),
    "the same, counted with torch": (
        lambda: count(
            database_labels=retrieval.PackedLabels(np.array([[128], [64], [33]], np.uint8), 3), device="cpu"
        ),
        r"database_labels: the last 5 bits",
    ),
    "query sets without names": (
        lambda: retrieval.count_levels_of_sets([(CODES, LABELS)], CODES, LABELS, bits=12),  # type: ignore[arg-type]
        r"query_sets must be a dict from names to pairs \(codes, labels\); found list",
    ),
    "a query set of three": (
        lambda: retrieval.count_levels_of_sets({"a": (CODES, LABELS, 1)}, CODES, LABELS, bits=12),  # type: ignore[dict-item]
        r"query set 'a' must be a pair \(codes, labels\); found tuple of 3",
    ),
    "a query set of codes alone": (
        lambda: retrieval.count_levels_of_sets({"a": CODES}, CODES, LABELS, bits=12),  # type: ignore[dict-item]
        r"query set 'a' must be a pair \(codes, labels\); found ndarray",
    ),
    "too many packed classes": (
        lambda: retrieval.PackedLabels(np.zeros((1, 250), np.uint8), 2000),
        r"classes must be a whole number from 1 to 1024; found 2000",
    ),
    "packed classes as a fraction": (
        lambda: retrieval.PackedLabels(CODES[:, :1], 5.0),  # type: ignore[arg-type]
        r"classes must be a whole number from 1 to 1024; found 5.0",
    ),
    "no packed class": (
        lambda: retrieval.PackedLabels(CODES[:, :0], 0),
        r"classes must be a whole number from 1 to 1024; found 0",
    ),
    "packed labels in a list": (
        lambda: retrieval.PackedLabels([[128]], 5),  # type: ignore[arg-type]
        r"packed labels of 5 classes must be a numpy array, uint8 of shape \(n, 1\); found list",
    ),
    "no query set": (
        lambda: retrieval.count_levels_of_sets({}, CODES, LABELS, bits=12),
        r"query_sets is empty",
    ),
    "a wrong query set": (
        lambda: retrieval.count_levels_of_sets({"noise": (CODES, LABELS[:1])}, CODES, LABELS, bits=12),
        r"query set 'noise': query_labels has 1 rows but queries has 3",
    ),
    "counts that are shares": (
        lambda: retrieval.LevelCounts(COUNTS.items / 3, COUNTS.relevant),  # type: ignore[arg-type]
        r"items must be whole numbers of shape \(n_queries, K \+ 1\); found float64 of shape \(3, 13\)",
    ),
    "counts of no distance": (
        lambda: retrieval.LevelCounts(COUNTS.items, COUNTS.relevant[0]),
        r"relevant must be whole numbers of shape \(n_queries, K \+ 1\); found int64 of shape \(13,\)",
    ),
    "counts of other bits": (
        lambda: retrieval.LevelCounts(COUNTS.items, COUNTS.relevant[:, :5]),
        r"items and relevant must have one shape; found \(3, 13\) and \(3, 5\)",
    ),
    "more relevant items than items": (
        lambda: retrieval.LevelCounts(COUNTS.items, COUNTS.items + np.eye(3, 13, dtype=int)),
        r"relevant must lie between 0 and items; query 0 has 4 relevant of 3 items at distance 0",
    ),
    "packed labels of another width": (
        lambda: retrieval.PackedLabels(CODES, 3),
        r"packed labels of 3 classes must be a numpy array, uint8 of shape \(n, 1\); found uint8 of shape \(3, 2\)",
    ),
    "an unknown tie policy": (
        lambda: precision(ties="optimist"),
        r"no tie policy is named 'optimist'; did you mean 'optimistic'\?",
    ),
    "an unknown empty policy": (
        lambda: precision(empty="zero"),
        r"no policy for queries without relevant items is named 'zero'",
    ),
    "an unknown mode": (
        lambda: precision(mode="published"),
        r"no mode is named 'published'; did you mean 'as_published'\?",
    ),
    "as published, but not": (
        lambda: precision(mode="as_published", ties="optimistic"),
        r"mode='as_published' fixes ties='order'",
    ),
    "as published, but expected": (
        lambda: precision(mode="as_published", ties="expected"),
        r"mode='as_published' fixes ties='order' .* found ties='expected'",
    ),
    "as published, but skipping": (
        lambda: precision(mode="as_published", empty="skip"),
        r"fixes ties='order' and empty='count_as_zero'; found .* empty='skip'",
    ),
    "no tie policy from counts": (
        lambda: retrieval.average_precision_from_counts(COUNTS, ties=None),  # type: ignore[arg-type]
        r"no tie policy is named None",
    ),
    "no empty policy": (lambda: precision(empty=None), r"no policy for queries .* is named None"),
    "no mode": (lambda: precision(mode=None), r"no mode is named None"),
    "no index": (
        lambda: retrieval.open_index(None, CODES, bits=12),  # type: ignore[arg-type]
        r"no search index is named None",
    ),
    "no rank": (
        lambda: precision(top_k=0),
        r"top_k must be a whole number of at least 1, or None for the whole database; found 0",
    ),
    "a rank and a half": (lambda: precision(top_k=2.5), r"top_k must be a whole number .* found 2.5"),
    "a rank and a half in order": (
        lambda: precision(top_k=2.5, ties="order"),
        r"top_k must be a whole number .* found 2.5",
    ),
    "a rank as text": (lambda: precision(top_k="5"), r"top_k must be a whole number .* found '5'"),
    "a rank and a half from counts": (
        lambda: retrieval.average_precision_from_counts(COUNTS, top_k=2.5),  # type: ignore[arg-type]
        r"top_k must be a whole number .* found 2.5",
    ),
    "order from counts": (
        lambda: retrieval.average_precision_from_counts(COUNTS, ties="order"),
        r"ties='order' cannot be had from these counts, .* use average_precision",
    ),
    "precision in order from counts": (
        lambda: retrieval.precision_at(COUNTS, [1], ties="order"),
        r"ties='order' cannot be had from these counts, .* use counts from count_levels_in_order",
    ),
    "a curve in order from a slice": (
        lambda: retrieval.precision_recall_curve(
            retrieval.count_levels_in_order(CODES, CODES, LABELS, LABELS, bits=12)[:2], ties="order"
        ),
        r"ties='order' cannot be had from these counts",
    ),
    "an unknown tie policy of a curve": (
        lambda: retrieval.precision_recall_curve(COUNTS, ties="mean"),  # type: ignore[arg-type]
        r"no tie policy is named 'mean'",
    ),
    "an unknown empty policy of precision": (
        lambda: retrieval.precision_at(COUNTS, [1], empty="zero"),  # type: ignore[arg-type]
        r"no policy for queries without relevant items is named 'zero'",
    ),
    "cut-off 0": (
        lambda: retrieval.precision_at(COUNTS, [0]),
        r"cut-offs must be a whole number of at least 1, or a list of them; found \[0\]",
    ),
    "half a cut-off": (lambda: retrieval.precision_at(COUNTS, 0.5), r"or a list of them; found 0.5"),  # type: ignore[arg-type]
    "no cut-off": (lambda: retrieval.recall_at(COUNTS, []), r"cut-offs must be a whole number"),
    "a radius beyond K": (
        lambda: retrieval.precision_within_radius(COUNTS, [13]),
        r"radii must be a whole distance from 0 to 12, or a list of them; found \[13\]",
    ),
    "a recall beyond 1": (
        lambda: retrieval.precision_recall_curve(COUNTS, [1.5]),
        r"recall_grid must be a list of recalls from 0 to 1",
    ),
    "chance of nothing": (
        lambda: retrieval.chance_level(LABELS, LABELS[:0]),
        r"database_labels is empty; there is nothing to rank",
    ),
    "no neighbour": (
        lambda: retrieval.top_k(CODES, CODES, 0, bits=12),
        r"k must be a whole number of at least 1; found 0",
    ),
    "neighbours as a fraction": (
        lambda: retrieval.top_k(CODES, CODES, 2.0, bits=12),  # type: ignore[arg-type]
        r"k must be a whole number of at least 1; found 2.0",
    ),
    "nothing to search": (
        lambda: retrieval.top_k(CODES, CODES[:0], 1, bits=12),
        r"database is empty; there is nothing to search",
    ),
    "NaN signs": (lambda: retrieval.pack([[np.nan]]), r"signs must be numbers; found NaN"),
    "integers 0 and 1": (
        lambda: retrieval.pack([[0, 1]]),
        r"signs are all 0 or 1, and both count as \+1; give bits as booleans",
    ),
    "integers 0": (lambda: retrieval.pack([[0, 0]]), r"signs are all 0 or 1"),
    "reals 0 and 1": (lambda: retrieval.pack([[0.0, 1.0]]), r"signs are all 0 or 1"),
    "packed codes as signs": (
        lambda: retrieval.pack(CODES),
        r"signs must be signs or relaxed codes in \[-1, 1\]; found uint8, .* codes that are packed need no packing",
    ),
    "ragged signs": (lambda: retrieval.pack([[1.0], [1.0, -1.0]]), r"signs cannot be read as an array"),
    "flat signs": (lambda: retrieval.pack([1.0]), r"signs must have shape \(n, K\)"),
    "signs of text": (lambda: retrieval.pack([["1"]]), r"real numbers or booleans; found <U1"),
    "codes to unpack": (lambda: retrieval.unpack(CODES, 8), r"codes must be packed uint8 of shape \(n, 1\)"),
    "no value": (lambda: retrieval.bootstrap_interval([], seed=0), r"values must have shape \(n,\)"),
    "a NaN value": (
        lambda: retrieval.bootstrap_interval([0.1, np.nan], seed=0),
        r"values must be finite; value 1 is not",
    ),
    "values of text": (
        lambda: retrieval.bootstrap_interval(["a"], seed=0),
        r"values must be real numbers; found <U1",
    ),
    "a seed below 0": (
        lambda: retrieval.bootstrap_interval([0.1], seed=-1),
        r"seed must be a whole number of at least 0; found -1",
    ),
    "confidence as text": (
        lambda: retrieval.bootstrap_interval([0.1], seed=0, confidence="high"),  # type: ignore[arg-type]
        r"confidence must be a number between 0 and 1; found 'high'",
    ),
    "certainty": (
        lambda: retrieval.bootstrap_interval([0.1], seed=0, confidence=1),
        r"confidence must be a number between 0 and 1; found 1",
    ),
    "no resample": (
        lambda: retrieval.bootstrap_interval([0.1], seed=0, resamples=0),
        r"resamples must be a whole number from 1 to 1000000; found 0",
    ),
    "half a resample": (
        lambda: retrieval.bootstrap_interval([0.1], seed=0, resamples=10.5),  # type: ignore[arg-type]
        r"resamples must be a whole number from 1 to 1000000; found 10.5",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_gets_one_clear_sentence(name: str) -> None:
    call, message = WRONG[name]
    with pytest.raises(HashprobeError, match=message):
        call()
