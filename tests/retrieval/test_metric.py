from __future__ import annotations

import doctest
import importlib.util
import pickle
import sys
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval.metrics import metric as metric_module
from retrieval import plain

torchmetrics = pytest.importorskip("torchmetrics", reason="needs the extra metrics")


@pytest.fixture(params=["with torchmetrics", "without"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run every test twice: the second time on the class as it is where torchmetrics is not installed."""
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "torchmetrics", None)
        monkeypatch.delitem(sys.modules, "hashprobe.retrieval.metrics.torchmetrics_state")
        assert metric_module.__file__
        name = "metric_without_torchmetrics"
        spec = importlib.util.spec_from_file_location(name, metric_module.__file__)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        monkeypatch.setattr(
            retrieval, "HammingMeanAveragePrecision", module.HammingMeanAveragePrecision, raising=False
        )
    return str(request.param)


def test_it_is_a_metric_of_torchmetrics_where_that_is_installed(kind: str) -> None:
    metric = retrieval.HammingMeanAveragePrecision()
    assert isinstance(metric, torchmetrics.Metric) == (kind == "with torchmetrics")


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
    with pytest.raises(HashprobeError, match="no image of the query split was added"):
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


def test_packed_codes_are_taken_with_their_bits() -> None:
    case = plain.random_case(1, queries=5, items=40, bits=12, classes=5)
    by_signs, by_codes = retrieval.HammingMeanAveragePrecision(), retrieval.HammingMeanAveragePrecision()
    for split, name in (("query", "queries"), ("database", "database")):
        labels = case["query_labels" if split == "query" else "database_labels"]
        by_signs.update(case[name], labels, split=split)  # type: ignore[arg-type]
        codes = torch.tensor(retrieval.pack(case[name]))
        by_codes.update(codes, labels, split=split, bits=12)  # type: ignore[arg-type]
        codes.zero_()  # the caller's buffer, which may be used again
    np.testing.assert_array_equal(by_codes.per_query(), by_signs.per_query())
    with pytest.raises(HashprobeError, match="outputs must be packed uint8 of shape"):
        by_codes.update(case["queries"], case["query_labels"], split="query", bits=12)
    with pytest.raises(HashprobeError, match="outputs: the last 4 bits of a row must be 0 for 12 bits"):
        by_codes.update(retrieval.pack(case["queries"]) | 1, case["query_labels"], split="query", bits=12)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.array([[3, 128]], np.uint8), "outputs must be signs or relaxed codes .* found uint8"),
        ([[0, 1]], "outputs are all 0 or 1"),
        ([[0, 0]], "outputs are all 0 or 1"),
        ([[0.0, 1.0]], "outputs are all 0 or 1"),
    ],
)
def test_outputs_that_are_no_signs_are_refused(outputs: Any, message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        retrieval.HammingMeanAveragePrecision().update(outputs, [[1]], split="database")


def test_a_database_without_a_negative_output_is_refused_but_a_batch_is_not() -> None:
    generator = np.random.default_rng(0)
    labels = np.eye(2, dtype=np.uint8)[generator.integers(0, 2, 40)]
    metric = retrieval.HammingMeanAveragePrecision()
    metric.update([[0.3, 0.7]], [[1, 0]], split="query")
    metric.update(generator.random((40, 2)), labels, split="database")
    with pytest.raises(HashprobeError, match="not one output of the 40 database images was negative"):
        metric.compute()
    metric.update([[0.3, -0.7]], [[0, 1]], split="database")
    assert 0 < metric.compute() < 1


def test_a_wrong_setting_is_refused_when_it_is_given() -> None:
    for settings, message in (
        ({"ties": "foo"}, "no tie policy is named 'foo'"),
        ({"empty": None}, "no policy for queries without relevant items is named None"),
        ({"top_k": -3}, "top_k must be a whole number of at least 1"),
        ({"mode": "foo"}, "no mode is named 'foo'"),
        ({"mode": "as_published", "ties": "expected"}, "mode='as_published' fixes ties='order'"),
        ({"threads": 0}, "threads must be a whole number from 1 to 4096"),
    ):
        with pytest.raises(HashprobeError, match=message):
            retrieval.HammingMeanAveragePrecision(**settings)  # type: ignore[arg-type]


def filled(case: dict[str, np.ndarray], part: slice, of: Any = None, **settings: Any) -> Any:
    metric = (of or retrieval.HammingMeanAveragePrecision)(**settings)
    metric.update(case["queries"][part], case["query_labels"][part], split="query")
    metric.update(case["database"][part], case["database_labels"][part], split="database")
    return metric


@pytest.mark.parametrize("settings", [{}, {"mode": "as_published", "top_k": 7, "threads": 2}])
def test_halves_merged_equal_the_whole(settings: dict[str, Any]) -> None:
    """As several processes do it: each with its share, sent pickled, then merged."""
    case = plain.random_case(2, queries=20, items=20, bits=12, classes=5)
    whole = filled(case, slice(None), **settings)
    sent = [pickle.dumps(filled(case, slice(start, start + 5), **settings)) for start in range(0, 20, 5)]
    first, *others = [pickle.loads(one) for one in sent]
    kept = [other.per_query() for other in others]
    first.merge_state(others[0])
    first.merge_state(others[1:])
    np.testing.assert_array_equal(first.per_query(), whole.per_query())
    assert first.compute() == whole.compute()
    for other, values in zip(others, kept, strict=True):
        np.testing.assert_array_equal(other.per_query(), values)
    arguments = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    labels = case["query_labels"], case["database_labels"]
    wanted = retrieval.average_precision(*arguments, *labels, bits=12, **settings)
    np.testing.assert_array_equal(whole.per_query(), wanted)


def test_a_metric_that_has_seen_nothing_merges() -> None:
    case = plain.random_case(3, queries=6, items=6, bits=12, classes=5)
    empty, full = retrieval.HammingMeanAveragePrecision(), filled(case, slice(None))
    empty.merge_state([retrieval.HammingMeanAveragePrecision(), full])
    assert empty.compute() == full.compute()
    with pytest.raises(HashprobeError, match="a batch has 3 bits but those before had 12"):
        empty.update([[1.0, -1.0, 1.0]], [[1, 0, 0, 0, 0]], split="query")


def test_metrics_that_do_not_fit_are_not_merged() -> None:
    case = plain.random_case(4, queries=6, items=6, bits=12, classes=5)
    metric, shorter = filled(case, slice(None)), {name: values[:, :4] for name, values in case.items()}
    before = metric.per_query()
    for other, message in (
        (
            filled(case, slice(None), top_k=3),
            "different settings cannot be merged: top_k is None here and 3 there",
        ),
        (filled(shorter, slice(None)), "cannot be merged that have seen 12 and 4 bits"),
        (1.0, "only metrics of this kind can be merged; found float"),
    ):
        with pytest.raises(HashprobeError, match=message):
            metric.merge_state([filled(case, slice(None)), other])  # type: ignore[list-item]
    np.testing.assert_array_equal(metric.per_query(), before)


def test_a_split_of_no_image_is_said_as_such() -> None:
    metric = retrieval.HammingMeanAveragePrecision()
    metric.update([[1.0]], [[1]], split="database")
    metric.update(np.zeros((0, 1)), np.zeros((0, 1)), split="query")
    with pytest.raises(HashprobeError, match="no image of the query split was added"):
        metric.compute()


@pytest.mark.parametrize("call", ["update", "forward"])
def test_a_collection_takes_it(call: str) -> None:
    """Metrics of one state share it there, and none counts a batch twice."""
    case = plain.random_case(5, queries=6, items=40, bits=12, classes=5)
    Metric = torchmetrics_class()
    metrics = torchmetrics.MetricCollection({"whole": Metric(), "first": Metric(top_k=7)})
    for _ in range(2):  # the second time after a reset
        for part in (slice(0, 15), slice(15, 40)):
            add = getattr(metrics, call)
            add(case["database"][part], case["database_labels"][part], split="database")
        add(case["queries"], case["query_labels"], split="query")
        found = metrics.compute()
        for name, settings in (("whole", {}), ("first", {"top_k": 7})):
            alone = Metric(**settings)
            alone.update(case["database"], case["database_labels"], split="database")
            alone.update(case["queries"], case["query_labels"], split="query")
            assert found[name] == alone.compute()
        metrics.reset()


def test_states_are_gathered_and_moved_as_torchmetrics_does() -> None:
    """Two processes that have seen the same are as a metric merged with its like."""
    case = plain.random_case(6, queries=6, items=10, bits=12, classes=5)
    metric, twice = (filled(case, slice(None), of=torchmetrics_class()) for _ in range(2))
    twice.merge_state(metric.clone())
    own = metric.per_query()
    metric.sync(dist_sync_fn=lambda state, group: [state, state], distributed_available=lambda: True)
    np.testing.assert_array_equal(metric.per_query(), twice.per_query())
    metric.unsync()
    np.testing.assert_array_equal(metric.per_query(), own)
    assert {state.device.type for state in metric.to("meta").query_codes} == {"meta"}


def torchmetrics_class() -> Any:
    return metric_module.HammingMeanAveragePrecision


def test_the_example_runs() -> None:
    result = doctest.testmod(metric_module)
    assert result.attempted > 0
    assert result.failed == 0
