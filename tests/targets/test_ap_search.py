"""AP search: as good as its starts at least, near the best of all codes, and counted as the metrics count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashprobe import retrieval
from hashprobe.targets import APSearchCode, Context, MainstayCode
from hashprobe.targets.codes import ap_search


def case(seed: int, images: int, classes: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Packed codes that lie around one code a class, and labels of one class or some."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((images, classes)) < 0.3).astype(np.uint8)
    labels[np.arange(images), rng.integers(classes, size=images)] = 1
    signs = np.where(labels @ rng.normal(size=(classes, bits)) + rng.normal(size=(images, bits)) > 0, 1, -1)
    return retrieval.pack(signs), labels


def precision(
    queries: np.ndarray, codes: np.ndarray, asked: np.ndarray, labels: np.ndarray, bits: int
) -> np.ndarray:
    return retrieval.average_precision(queries, codes, asked, labels, bits=bits)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000), images=st.integers(1, 60), classes=st.integers(1, 5), bits=st.integers(1, 20)
)
def test_no_start_is_better_and_no_flip_helps(seed: int, images: int, classes: int, bits: int) -> None:
    codes, labels = case(seed, images, classes, bits)
    asked = np.concatenate([labels[:4], np.eye(classes, dtype=np.uint8)])
    search = APSearchCode(codes=codes, labels=labels, bits=bits, seed=seed)
    found, starts = search(asked), search.starts(asked)
    reached = precision(found, codes, asked, labels, bits)
    for start in starts:
        assert (precision(start, codes, asked, labels, bits) <= reached + 1e-9).all()
    for bit in np.packbits(np.eye(bits, dtype=bool), axis=1):
        assert (precision(found ^ bit, codes, asked, labels, bits) <= reached + 1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_of_eight_bits_it_finds_a_code_within_a_millionth_of_the_best_of_all(seed: int) -> None:
    bits, every = 8, np.arange(256, dtype=np.uint8)[:, None]
    codes, labels = case(seed, 200, 6, bits)
    asked = np.unique(labels, axis=0)
    found = APSearchCode(codes=codes, labels=labels, bits=bits, seed=0, restarts=0)(asked)
    reached = precision(found, codes, asked, labels, bits)
    owner = np.repeat(np.arange(len(asked)), 256)
    of_all = precision(np.tile(every, (len(asked), 1)), codes, asked[owner], labels, bits)
    best = of_all.reshape(-1, 256).max(axis=1)
    assert (best - 1e-6 <= reached).all()
    assert (reached <= best + 1e-9).all()


def test_it_is_better_than_the_closed_form() -> None:
    codes, labels = case(7, 300, 6, 24)
    asked = np.unique(labels, axis=0)
    given = {"codes": codes, "labels": labels, "bits": 24}
    found, start = APSearchCode(**given, seed=0)(asked), MainstayCode(**given)(asked)
    gain = precision(found, codes, asked, labels, 24) - precision(start, codes, asked, labels, 24)
    assert gain.mean() > 0.005


def test_the_label_and_the_seed_alone_decide(
    context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, labels = case(1, 80, 4, 16)
    asked = np.concatenate([labels[:10], labels[:10][::-1]])
    found = APSearchCode.of(context_of(codes, labels, 16, seed=3))(asked)
    assert np.array_equal(found[:10], found[10:][::-1])
    assert np.array_equal(found, APSearchCode(codes=codes, labels=labels, bits=16, seed=3)(asked))
    monkeypatch.setattr(ap_search, "ENTRIES_AT_ONCE", 1)
    assert np.array_equal(found, APSearchCode.of(context_of(codes, labels, 16, seed=3))(asked))


def test_starts_are_the_closed_forms_codes_of_images_and_random_ones() -> None:
    codes, labels = case(2, 90, 3, 16)
    search = APSearchCode(codes=codes, labels=labels, bits=16, seed=0, singles=3, restarts=2)
    starts = search.starts(labels[:5])
    assert starts.shape == (4 + 3 + 2, 5, 2)
    assert np.array_equal(starts[0], MainstayCode(codes=codes, labels=labels, bits=16)(labels[:5]))
    images = {code.tobytes() for code in codes}
    assert all(code.tobytes() in images for code in starts[4:7].reshape(-1, 2))
    first, second = (precision(start, codes, labels[:5], labels, 16) for start in starts[4:6])
    assert (first >= second).all()
    assert all(len({code.tobytes() for code in start}) == 1 for start in starts[7:])
    other = APSearchCode(codes=codes, labels=labels, bits=16, seed=1, singles=3, restarts=2)
    assert not np.array_equal(other.starts(labels[:5])[7:], starts[7:])
    assert np.array_equal(other.starts(labels[:5])[:7], starts[:7])


def test_a_label_that_no_training_image_has_has_the_mainstay_code() -> None:
    codes, labels = case(3, 20, 3, 10)
    labels = np.hstack([labels, np.zeros((20, 1), dtype=np.uint8)])
    asked = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    given = {"codes": codes, "labels": labels, "bits": 10}
    found = APSearchCode(**given, seed=0)(asked)
    assert np.array_equal(found[:2], MainstayCode(**given)(asked[:2]))
