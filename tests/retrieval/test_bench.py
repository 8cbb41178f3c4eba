from __future__ import annotations

import gc
import json
import threading

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import memory
from hashprobe.retrieval.bench import FaissDistances, PlainWay, make_inputs, run_retrieval_benchmark


def test_the_benchmark_measures_what_it_compares() -> None:
    result = run_retrieval_benchmark(
        queries=20, database=400, bits=12, classes=5, plain_queries=7, repeats=1, threads=2
    )
    assert result.largest_difference < 1e-12
    assert (result.queries, result.database, result.plain_queries, result.threads) == (20, 400, 7, 2)
    assert min(result.seconds, result.seconds_distances) > 0
    assert min(result.seconds_plain, result.seconds_plain_stable) > 0
    assert result.plain_ratio == result.seconds_plain / result.seconds
    assert result.plain_stable_ratio == result.seconds_plain_stable / result.seconds
    assert result.distances_ratio == result.seconds / result.seconds_distances
    assert json.loads(json.dumps(result.row()))["plain_ratio"] == result.plain_ratio
    assert result.row()["plain_stable_ratio"] == result.plain_stable_ratio
    text = "\n".join(result.lines())
    assert "20 queries x 400 items, 12 bits, 5 classes, ours and faiss in 2 threads" in text
    assert "in as many threads as numpy's BLAS takes" in text
    assert "stable sort, which as_published equals" in text
    assert "scaled from 7 queries" in text


@pytest.mark.parametrize("bits", [12, 48, 64])
def test_faiss_computes_all_distances(bits: int) -> None:
    given = make_inputs(queries=35, database=50, bits=bits, classes=4, seed=0)
    distances = FaissDistances(given, threads=2)
    distances()
    query, items = retrieval.unpack(given.queries, bits), retrieval.unpack(given.database, bits)
    # The last block of each thread is still in its buffer: queries 32 to 34, and 16 to 31.
    wanted = (query[:, None] != items[None]).sum(axis=2)
    np.testing.assert_array_equal(distances.buffers[0][:3], wanted[32:])
    np.testing.assert_array_equal(distances.buffers[1], wanted[16:32])


def test_inputs_are_seeded_and_hang_together() -> None:
    given = make_inputs(queries=30, database=400, bits=16, classes=5, seed=1)
    again = make_inputs(queries=30, database=400, bits=16, classes=5, seed=1)
    np.testing.assert_array_equal(given.database, again.database)
    arguments = (given.queries, given.database, given.query_labels, given.database_labels)
    values = retrieval.average_precision(*arguments, bits=16)
    assert values.mean() > retrieval.chance_level(*arguments[2:]).mean() + 0.05
    assert PlainWay(given)(30).mean() == pytest.approx(values.mean(), abs=0.02)
    assert given.bytes == sum(array.nbytes for array in arguments)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"database": 0}, "database must be a whole number of at least 1; found 0"),
        ({"bits": 2000}, "bits must be a whole number from 1 to 1024; found 2000"),
        ({"classes": 2000}, "classes must be a whole number from 1 to 1024; found 2000"),
        ({"seed": -1}, "seed must be a whole number of at least 0; found -1"),
    ],
)
def test_a_number_out_of_range_is_refused(number: dict[str, int], message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        run_retrieval_benchmark(**number)  # type: ignore[arg-type]


@pytest.mark.skipif(memory._private_bytes() is None, reason="the system does not say in /proc/self/status")
def test_the_peak_holds_what_was_taken_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    private_bytes, looked = memory._private_bytes, threading.Event()

    def look() -> int | None:
        found = private_bytes()
        looked.set()
        return found

    # Given back while the work runs, it would hide what is taken; so would free memory that is used again.
    garbage: list[object] = [np.ones(128 << 20, dtype=np.uint8)]
    garbage.append(garbage)
    del garbage

    def take() -> None:
        gc.collect()
        held = np.ones(64 << 20, dtype=np.uint8)
        # The look under way may have read before the memory was taken; the one after it has not.
        for _ in range(2):
            looked.clear()
            assert looked.wait(60)
        assert held[-1] == 1

    monkeypatch.setattr(memory, "_private_bytes", look)
    found = memory.watch_memory(take)
    assert found is not None
    assert 32 << 20 < found.growth < 256 << 20
    assert found.peak == found.before + found.growth
