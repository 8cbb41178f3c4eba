"""The counts against a plain comparison, on every way through the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from retrieval import plain


def packed(case: dict[str, Any]) -> tuple[Any, ...]:
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    return (*codes, case["query_labels"], case["database_labels"])


def assert_equal(counts: retrieval.LevelCounts, case: dict[str, Any]) -> None:
    bits = case["queries"].shape[1]
    items, relevant = plain.counts(*plain.distances_and_relevance(**case), bits)
    np.testing.assert_array_equal(counts.items, items)
    np.testing.assert_array_equal(counts.relevant, relevant)
    assert counts.items.dtype == counts.relevant.dtype == np.int64


@pytest.mark.parametrize("bits", [1, 7, 8, 32, 48, 64, 65, 127, 128, 250, 1024])
@pytest.mark.parametrize("classes", [1, 80])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_counts_equal_a_plain_comparison(bits: int, classes: int, device: str | None) -> None:
    case = plain.random_case(bits, queries=5, items=90, bits=bits, classes=classes)
    case["database"][:3] = case["queries"][0]  # distance 0
    case["database"][3:5] = -case["queries"][0]  # distance K
    assert_equal(retrieval.count_levels(*packed(case), bits=bits, device=device), case)


def test_a_thousand_classes() -> None:
    case = plain.random_case(0, queries=4, items=60, bits=16, classes=1024, density=0.02)
    assert_equal(retrieval.count_levels(*packed(case), bits=16), case)


@pytest.mark.parametrize("items", [4095, 4096, 4097, 9001])
def test_a_database_longer_than_a_tile(items: int) -> None:
    case = plain.random_case(items, queries=3, items=items, bits=12, classes=5)
    assert_equal(retrieval.count_levels(*packed(case), bits=12), case)


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_and_threads_change_nothing(small_blocks: None, threads: int) -> None:
    case = plain.random_case(1, queries=20, items=100, bits=12, classes=5)
    assert_equal(retrieval.count_levels(*packed(case), bits=12, threads=threads), case)
    whole = retrieval.average_precision(*packed(case), bits=12, ties="order", threads=threads)
    distances, relevant = plain.distances_and_relevance(**case)
    for query, order in enumerate(np.argsort(distances, axis=1, kind="stable")):
        ranked = [bool(hit) for hit in relevant[query, order]]
        assert whole[query] == pytest.approx(plain.average_precision(ranked), abs=1e-14)
    ids, _ = retrieval.top_k(*packed(case)[:2], 30, bits=12, threads=threads)
    np.testing.assert_array_equal(ids, np.argsort(distances, axis=1, kind="stable")[:, :30])


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, lambda x: torch.tensor(x).bool(), np.float64])
def test_label_types(convert: Any) -> None:
    case = plain.random_case(2, queries=4, items=50, bits=12, classes=9)
    queries, database, query_labels, database_labels = packed(case)
    labels = convert(query_labels), convert(database_labels)
    assert_equal(retrieval.count_levels(queries, database, *labels, bits=12), case)
    assert_equal(retrieval.count_levels(queries, torch.tensor(database), *labels, bits=12), case)


def test_packed_labels_are_labels() -> None:
    case = plain.random_case(3, queries=4, items=50, bits=12, classes=9)
    queries, database, query_labels, database_labels = packed(case)
    labels = retrieval.pack_labels(query_labels), retrieval.pack_labels(database_labels)
    assert_equal(retrieval.count_levels(queries, database, *labels, bits=12), case)
    np.testing.assert_array_equal(labels[1].unpack(), database_labels)


def test_a_memory_mapped_database(tmp_path: Path, small_blocks: None) -> None:
    case = plain.random_case(4, queries=4, items=50, bits=12, classes=9)
    queries, database, query_labels, database_labels = packed(case)
    np.save(tmp_path / "codes.npy", database)
    np.save(tmp_path / "labels.npy", database_labels)
    codes, labels = (np.load(tmp_path / name, mmap_mode="r") for name in ("codes.npy", "labels.npy"))
    assert_equal(retrieval.count_levels(queries, codes, query_labels, labels, bits=12), case)


def test_several_sets_in_one_pass_equal_single_ones() -> None:
    case = plain.random_case(5, queries=9, items=50, bits=12, classes=9)
    queries, database, labels, database_labels = packed(case)
    sets = {
        "benign": (queries, labels),
        "benign by target": (queries, labels[::-1]),
        "attack": (queries[3:5], labels[3:5]),
    }
    together = retrieval.count_levels_of_sets(sets, database, database_labels, bits=12)
    assert list(together) == list(sets)
    for name, (codes, own) in sets.items():
        alone = retrieval.count_levels(codes, database, own, database_labels, bits=12)
        np.testing.assert_array_equal(together[name].items, alone.items)
        np.testing.assert_array_equal(together[name].relevant, alone.relevant)


def test_counts_of_parts_of_a_database_add_up() -> None:
    case = plain.random_case(7, queries=5, items=50, bits=12, classes=9)
    queries, database, labels, database_labels = packed(case)
    parts = [
        retrieval.count_levels(queries, database[part], labels, database_labels[part], bits=12)
        for part in (slice(0, 20), slice(20, 50))
    ]
    assert_equal(parts[0] + parts[1], case)
    other = retrieval.count_levels(queries[:3], database, labels[:3], database_labels, bits=12)
    with pytest.raises(HashprobeError, match=r"counts of shape \(5, 13\) and \(3, 13\) do not add up"):
        parts[0] + other


def test_one_query_of_the_counts() -> None:
    case = plain.random_case(8, queries=3, items=50, bits=12, classes=9)
    counts = retrieval.count_levels(*packed(case), bits=12)
    whole = retrieval.average_precision_from_counts(counts)
    assert retrieval.average_precision_from_counts(counts[-1]).tolist() == [whole[-1]]
    assert [len(one) for one in counts] == [1, 1, 1]
    assert counts == counts
    assert counts != counts[:]  # two tables, whatever they hold; a table of truths would be no answer
    listed = retrieval.LevelCounts(counts.items.tolist(), counts.relevant.astype(np.int32))  # type: ignore[arg-type]
    assert_equal(listed, case)
    np.testing.assert_array_equal(retrieval.average_precision_from_counts(listed), whole)


def test_all_that_counts_may_count_with_torch() -> None:
    case = plain.random_case(9, queries=5, items=80, bits=6, classes=9)
    queries, database, query_labels, labels = packed(case)
    for ties in ("expected", "order"):
        here, there = (
            retrieval.average_precision(*packed(case), bits=6, ties=ties, device=device)  # type: ignore[arg-type]
            for device in (None, "cpu")
        )
        np.testing.assert_array_equal(here, there)
    sets = {"all": (queries, query_labels), "last": (queries[-2:], query_labels[-2:])}
    found = retrieval.count_levels_of_sets(sets, database, labels, bits=6, device="cpu")
    assert_equal(found["all"], case)
    np.testing.assert_array_equal(found["last"].relevant, found["all"].relevant[-2:])


def test_inputs_are_left_alone() -> None:
    case = plain.random_case(6, queries=4, items=50, bits=12, classes=9)
    inputs = packed(case)
    for array in inputs:
        array.setflags(write=False)
    retrieval.count_levels(*inputs, bits=12)
    retrieval.average_precision(*inputs, bits=12, mode="as_published", top_k=5)


@pytest.mark.parametrize("bits", [1, 8, 13, 64])
def test_unpack_is_the_inverse_of_pack(bits: int) -> None:
    signs = np.random.default_rng(bits).choice(np.array([-1, 1], np.int8), (6, bits))
    codes = retrieval.pack(signs)
    np.testing.assert_array_equal(retrieval.unpack(codes, bits), signs)
    assert retrieval.unpack(codes, bits).dtype == np.int8
    np.testing.assert_array_equal(retrieval.pack(signs > 0), codes)
    np.testing.assert_array_equal(retrieval.pack(torch.tensor(signs * 0.3, requires_grad=True)), codes)


def test_the_first_bit_is_the_highest_and_zero_counts_as_one() -> None:
    codes = retrieval.pack(np.array([[0.0, -1, -1, -1, -1, -1, -1, -1, -0.1, 3]]))
    assert codes.tolist() == [[0b10000000, 0b01000000]]


def test_a_tensor_keeps_its_precision() -> None:
    values = np.array([[-1e-60, 1.0], [1e-60, -1.0]])
    np.testing.assert_array_equal(retrieval.pack(torch.tensor(values)), retrieval.pack(values))
    assert retrieval.pack(torch.tensor(values)).tolist() == [[0b01000000], [0b10000000]]
    for dtype in (torch.bfloat16, torch.float16):
        assert retrieval.pack(torch.tensor([[-0.5, 1.0]], dtype=dtype)).tolist() == [[0b01000000]]


def test_reals_that_are_not_all_0_or_1_are_signs_and_reals_that_are_all_0_count_as_one() -> None:
    assert retrieval.pack([[0.0, 1.0, 0.5]]).tolist() == [[0b11100000]]
    assert retrieval.pack([[0.0, 0.0]]).tolist() == [[0b11000000]]
    assert retrieval.pack([[1, 1]]).tolist() == [[0b11000000]]
    assert retrieval.pack(np.zeros((0, 2), dtype=np.int64)).shape == (0, 1)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_packed_labels_are_checked_block_by_block(
    tmp_path: Path, small_blocks: None, device: str | None
) -> None:
    """A mapped file is read no further than the pass goes, and its last row is looked at all the same."""
    case = plain.random_case(7, queries=4, items=50, bits=12, classes=9)
    queries, database, query_labels, database_labels = packed(case)
    rows = retrieval.pack_labels(database_labels).packed
    rows[-1, -1] |= 1
    np.save(tmp_path / "labels.npy", rows)
    labels = retrieval.PackedLabels(np.load(tmp_path / "labels.npy", mmap_mode="r"), 9)
    with pytest.raises(
        HashprobeError, match="database_labels: the last 7 bits of a row must be 0 for 9 classes"
    ):
        retrieval.count_levels(queries, database, query_labels, labels, bits=12, device=device)
