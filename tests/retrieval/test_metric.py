from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import metric as metric_module
from retrieval import plain


def test_batches_give_what_the_whole_gives() -> None:
    case = plain.random_case(0, queries=10, items=55, bits=12, classes=5)
    outputs = {
        split: torch.tensor(case[name] * 0.7, dtype=torch.bfloat16, requires_grad=True)
        for split, name in (("query", "queries"), ("database", "database"))
    }
    metric = retrieval.HammingMeanAveragePrecision(ties="order", top_k=20)
    for start in range(0, 55, 10):
        rows = slice(start, start + 10)
        metric.update(outputs["database"][rows], case["database_labels"][rows], split="database")
    metric.update(outputs["query"][:3], torch.tensor(case["query_labels"][:3]), split="query")
    metric.update(outputs["query"][3:], torch.tensor(case["query_labels"][3:]), split="query")
    wanted = retrieval.average_precision(
        retrieval.pack(case["queries"]),
        retrieval.pack(case["database"]),
        case["query_labels"],
        case["database_labels"],
        bits=12,
        ties="order",
        top_k=20,
    )
    np.testing.assert_array_equal(metric.per_query(), wanted)
    assert metric.compute() == wanted.mean()
    metric.reset()
    with pytest.raises(HashprobeError, match="no batch of the query split"):
        metric.compute()


def test_a_reset_forgets_the_number_of_bits() -> None:
    metric = retrieval.HammingMeanAveragePrecision()
    metric.update([[1.0, -1.0]], [[1]], split="query")
    with pytest.raises(HashprobeError, match=r"a batch has 3 bits but those before had 2; reset\(\)"):
        metric.update([[1.0, -1.0, 1.0]], [[1]], split="database")
    metric.reset()
    metric.update([[1.0, -1.0, 1.0]], [[1]], split="query")
    metric.update([[1.0, -1.0, 1.0]], [[1]], split="database")
    assert metric.compute() == 1.0


def test_wrong_batches() -> None:
    metric = retrieval.HammingMeanAveragePrecision(empty="skip")
    metric.update([[1.0]], [[1, 0]], split="query")
    with pytest.raises(HashprobeError, match="no split is named 'querry'; did you mean 'query'"):
        metric.update([[1.0]], [[1, 0]], split="querry")  # type: ignore[arg-type]
    with pytest.raises(HashprobeError, match="a batch has 1 outputs but 2 rows of labels"):
        metric.update([[1.0]], [[1, 0], [0, 1]], split="query")
    with pytest.raises(HashprobeError, match="a batch has 3 classes but those before had 2"):
        metric.update([[1.0]], [[1, 0, 0]], split="database")
    metric.update([[1.0]], [[0, 1]], split="database")
    with pytest.raises(HashprobeError, match="no query has a relevant item"):
        metric.compute()


def test_the_example_runs() -> None:
    result = doctest.testmod(metric_module)
    assert result.attempted > 0
    assert result.failed == 0
