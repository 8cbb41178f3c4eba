"""The kernel on bit planes against the plain count that stands beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite.binding import get_host_cpu_features

from hashprobe import retrieval
from hashprobe.retrieval.kernel.plain import count_plainly
from hashprobe.retrieval.kernel.planes import TILE_ITEMS, TILE_WORDS, bit_planes
from retrieval import plain


def without_avx512(features: Mapping[str, bool]) -> str:
    kept = {name: has and not name.startswith(("avx512", "avx10")) for name, has in features.items()}
    return ",".join(f"{'+' if has else '-'}{name}" for name, has in kept.items())


def assert_counts(case: dict[str, np.ndarray], threads: int | None = None) -> retrieval.LevelCounts:
    bits = case["queries"].shape[1]
    own, theirs = (
        (retrieval.pack(case[codes]), retrieval.pack_labels(case[labels]))
        for codes, labels in (("queries", "query_labels"), ("database", "database_labels"))
    )
    counts = retrieval.count_levels(own[0], theirs[0], own[1], theirs[1], bits=bits, threads=threads)
    items, relevant = count_plainly(own[0], own[1].packed, theirs[0], theirs[1].packed, bits)
    np.testing.assert_array_equal(counts.items, items)
    np.testing.assert_array_equal(counts.relevant, relevant)
    return counts


@pytest.mark.parametrize("bits", [1, 7, 8, 65])
def test_the_plain_count_is_that_of_the_definition(bits: int) -> None:
    case = plain.random_case(bits, queries=5, items=40, bits=bits, classes=9)
    codes = retrieval.pack(case["queries"]), retrieval.pack(case["database"])
    labels = (retrieval.pack_labels(case[name]).packed for name in ("query_labels", "database_labels"))
    counted = count_plainly(codes[0], next(labels), codes[1], next(labels), bits)
    wanted = plain.counts(*plain.distances_and_relevance(**case), bits)
    np.testing.assert_array_equal(counted, wanted)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    queries=st.integers(1, 5),
    items=st.integers(1, 300),
    bits=st.integers(1, 80) | st.sampled_from([127, 128, 511, 1023, 1024]),
    classes=st.integers(1, 20) | st.sampled_from([64, 65, 130]),
    density=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)
def test_counts_equal_a_plain_count(
    seed: int, queries: int, items: int, bits: int, classes: int, density: float
) -> None:
    sizes = {"queries": queries, "items": items, "bits": bits, "classes": classes}
    case = plain.random_case(seed, **sizes, density=density)
    case["database"][items // 2] = -case["queries"][0]  # distance K
    assert_counts(case)


@pytest.mark.parametrize("items", [TILE_ITEMS - 1, TILE_ITEMS, TILE_ITEMS + 1, (1 << 16) + 5])
@pytest.mark.parametrize("bits", [1, 32])
def test_a_tile_and_a_block_that_are_not_full(items: int, bits: int) -> None:
    case = plain.random_case(items, queries=3, items=items, bits=bits, classes=5)
    case["queries"][0] = 1  # far from the zeros behind the last item
    case["queries"][1] = -1  # equal to them
    assert_counts(case, threads=2)


@pytest.mark.parametrize("distance", [0, 13, 32])
def test_a_whole_tile_at_one_distance(distance: int) -> None:
    """All 4,096 items in one count, the most that a byte is asked to hold."""
    case = plain.random_case(0, queries=1, items=TILE_ITEMS, bits=32, classes=2)
    case["database"][:] = case["queries"][0]
    case["database"][:, :distance] *= -1
    case["query_labels"][:] = case["database_labels"][:] = 1
    counts = assert_counts(case)
    assert counts.items[0, distance] == counts.relevant[0, distance] == TILE_ITEMS


def test_no_relevant_item() -> None:
    case = plain.random_case(1, queries=4, items=100, bits=16, classes=70)
    case["query_labels"][:, 10:] = 0
    case["database_labels"][:, :10] = 0
    assert not assert_counts(case).relevant.any()


def test_planes_hold_one_bit_of_each_item() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (TILE_ITEMS + 77, 3), dtype=np.uint8)
    planes = bit_planes(rows, np.arange(len(rows)), 2)
    assert planes.shape == (2, 24, TILE_WORDS)
    # Words hold the first item lowest, whatever the machine's order of bytes.
    ones = (planes[..., None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    found = ones.reshape(2, 24, TILE_ITEMS).transpose(0, 2, 1).reshape(-1, 24)
    np.testing.assert_array_equal(found[: len(rows)], np.unpackbits(rows, axis=1))
    assert not found[len(rows) :].any()


HOST = get_host_cpu_features()
# What numba is told of the processor, and which instructions it must have to run what that makes.
PROCESSORS = {
    "plainest": ({"NUMBA_CPU_NAME": "generic"}, None),
    "AVX2": ({"NUMBA_CPU_FEATURES": without_avx512(HOST)}, "avx2"),
}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_counts_are_right_on_each_processor(processor: str) -> None:
    """On the plainest the kernel is what LLVM makes of it by itself, without instructions that are named."""
    told, needed = PROCESSORS[processor]
    if needed is not None and not HOST.get(needed, False):
        pytest.skip(f"this processor has no {processor}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        __file__,
        "-k",
        "not_full or whole_tile",
    ]
    run = subprocess.run(
        command, env=os.environ | told | {"PYTEST_ADDOPTS": ""}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    assert "11 passed" in run.stdout
