"""ImageRows, Split and RetrievalData: what the other rooms rely on."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.data import ImageRows, RetrievalData, Split

STORE = np.random.default_rng(0).integers(0, 256, (12, 3, 4, 4), dtype=np.uint8)


def make_split(rows: list[int], prefix: str) -> Split:
    labels = np.eye(3, dtype=np.uint8)[np.array(rows) % 3]
    return Split(ImageRows(STORE, np.array(rows)), labels, tuple(f"{prefix}{row}" for row in rows))


def make_data() -> RetrievalData:
    return RetrievalData(
        "small", ("a", "b", "c"), make_split([0, 1], "q"), make_split([2, 3, 4], "d"), make_split([4], "d")
    )


@given(
    chosen=st.lists(st.integers(0, 11), min_size=1, max_size=9),
    pick=st.lists(st.integers(-1, 0), max_size=6),
    start=st.none() | st.integers(-12, 12),
    stop=st.none() | st.integers(-12, 12),
    step=st.sampled_from([None, 1, 2, -1]),
)
def test_rows_are_indexed_like_the_array_they_stand_for(
    chosen: list[int], pick: list[int], start: int | None, stop: int | None, step: int | None
) -> None:
    rows, expected = ImageRows(STORE, np.array(chosen)), STORE[chosen]
    assert len(rows) == len(expected)
    assert rows.shape == expected.shape
    assert rows.dtype == expected.dtype
    np.testing.assert_array_equal(np.asarray(rows), expected)
    np.testing.assert_array_equal(rows[-1], expected[-1])
    np.testing.assert_array_equal(rows[start:stop:step], expected[start:stop:step])
    np.testing.assert_array_equal(rows[pick], expected[np.array(pick, dtype=int)])
    np.testing.assert_array_equal(rows[np.array(pick, dtype=int)], expected[np.array(pick, dtype=int)])
    mask = np.arange(len(expected)) % 2 == 0
    np.testing.assert_array_equal(rows[mask], expected[mask])


def test_rows_are_copies_and_keep_the_store_as_it_is() -> None:
    before = STORE.copy()
    rows = ImageRows(STORE)
    for index in (0, slice(0, 2), [0, 1]):
        taken = rows[index]
        taken += 1
    np.testing.assert_array_equal(STORE, before)


def test_rows_end() -> None:
    rows = ImageRows(STORE, np.array([3, 4]))
    assert len(list(rows)) == 2
    with pytest.raises(IndexError):
        rows[2]


def test_an_array_of_rows_is_a_copy_of_the_wished_type() -> None:
    rows = ImageRows(STORE)
    assert np.asarray(rows, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="always a copy"):
        np.array(rows, copy=False)


def test_a_split_has_one_label_and_one_name_an_image() -> None:
    with pytest.raises(ValueError, match="2 images, 3 label rows, 2 names"):
        Split(ImageRows(STORE, np.arange(2)), np.zeros((3, 2), dtype=np.uint8), ("a", "b"))


def test_data_are_read_only() -> None:
    data = make_data()
    assert (len(data.query), data.image_size, data.classes) == (2, 4, 3)
    with pytest.raises(ValueError, match="read-only"):
        data.query.labels[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        data.name = "other"  # type: ignore[misc]


def test_the_split_hash_follows_names_labels_and_order() -> None:
    data = make_data()
    assert data.split_sha256 == make_data().split_sha256
    assert len(data.split_sha256) == 64
    others = [
        RetrievalData(data.name, data.class_names, data.query, data.database, make_split([3], "d")),
        RetrievalData(data.name, data.class_names, data.query, make_split([3, 2, 4], "d"), data.train),
        RetrievalData(data.name, data.class_names, make_split([0, 4], "q"), data.database, data.train),
        RetrievalData(data.name, data.class_names, data.train, data.database, data.query),
    ]
    relabelled = Split(data.query.images, 1 - data.query.labels, data.query.names)
    others.append(RetrievalData(data.name, data.class_names, relabelled, data.database, data.train))
    hashes = {other.split_sha256 for other in others} | {data.split_sha256}
    assert len(hashes) == len(others) + 1


def test_the_split_hash_does_not_follow_the_pixels() -> None:
    data = make_data()
    finer = np.zeros((12, 3, 8, 8), dtype=np.uint8)
    query = Split(ImageRows(finer, np.array([0, 1])), data.query.labels, data.query.names)
    other = RetrievalData("small", data.class_names, query, data.database, data.train)
    assert other.split_sha256 == data.split_sha256
    assert other.sha256 != data.sha256


def test_the_hash_of_all_follows_the_pictures_of_every_split() -> None:
    data = make_data()
    assert data.sha256 == make_data().sha256
    found = {data.sha256}
    for name, split in data.splits():
        changed = split.images[:]
        changed[-1, 0, changed.shape[2] // 2, -1] ^= 1
        other = Split(ImageRows(changed), split.labels, split.names)
        found.add(replace(data, **{name: other}).sha256)
    assert len(found) == 4
