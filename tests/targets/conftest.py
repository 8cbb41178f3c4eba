"""A context of training codes alone, for the codes that are made from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hashprobe.targets import Context


@pytest.fixture
def context_of() -> Callable[..., Context]:
    """Returns a context whose training set is given, and whose database has no image."""

    def make(codes: np.ndarray, labels: np.ndarray, bits: int, seed: int = 0) -> Context:
        nothing = np.empty((0, codes.shape[1]), dtype=np.uint8)
        return Context(
            bits=bits,
            seed=seed,
            database_codes=nothing,
            database_labels=labels[:0],
            query_codes=nothing,
            training=lambda: (codes, labels),
        )

    return make
