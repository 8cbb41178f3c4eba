"""Counts of a code's neighbours: each as if it had been counted by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hashprobe import retrieval
from hashprobe.retrieval.flips import count_flips


@given(
    seed=st.integers(0, 10_000), items=st.integers(1, 40), bits=st.integers(1, 19), queries=st.integers(1, 4)
)
def test_each_neighbour_counts_as_counted_by_itself(seed: int, items: int, bits: int, queries: int) -> None:
    rng = np.random.default_rng(seed)
    database = retrieval.pack(rng.choice([-1, 1], size=(items, bits)))
    labels = (rng.random((items, 3)) < 0.4).astype(np.uint8)
    asked, codes = (
        (rng.random((queries, 3)) < 0.4).astype(np.uint8),
        rng.choice([-1, 1], size=(queries, bits)),
    )
    turns = np.concatenate([np.ones((1, bits), dtype=int), 1 - 2 * np.eye(bits, dtype=int)])
    neighbours = retrieval.pack((codes[:, None] * turns).reshape(-1, bits))
    owners = np.repeat(asked, bits + 1, axis=0)
    expected = retrieval.count_levels(neighbours, database, owners, labels, bits=bits)

    different, own = np.unique(database, axis=0, return_inverse=True)
    of_code = np.eye(len(different), dtype=np.int64)[own.reshape(-1)]
    relevant = (asked.astype(int) @ labels.T.astype(int) > 0) @ of_code
    counts = count_flips(retrieval.pack(codes), different, of_code.sum(axis=0), relevant, bits=bits)
    assert np.array_equal(counts.items, expected.items)
    assert np.array_equal(counts.relevant, expected.relevant)
