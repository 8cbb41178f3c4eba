"""The cache of decoded images: whole or absent, rebuilt when it cannot be used, safe for two processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hashprobe.data.images.store import cache_folder, open_store
from hashprobe.errors import HashprobeError
from hashprobe.files import held

IMAGES = np.random.default_rng(1).integers(0, 256, (7, 3, 4, 4), dtype=np.uint8)


def build_in_step(me: Path, other: Path, path: Path) -> None:
    """Build a store of 50 images; wait in the middle until the other process is in the middle too."""

    def rows() -> Iterator[np.ndarray]:
        for row in range(50):
            if row == 25:
                me.touch()
                end = time.monotonic() + 300
                while not other.exists() and time.monotonic() < end:
                    time.sleep(0.01)
                assert other.exists()
            yield np.full((1, 3, 16, 16), row, dtype=np.uint8)

    store = open_store(path, (50, 3, 16, 16), rows)
    assert all((store[row] == row).all() for row in range(50))


def blocks() -> Iterator[np.ndarray]:
    yield IMAGES[:4]
    yield IMAGES[4:]


def no_blocks() -> Iterator[np.ndarray]:
    raise AssertionError("the cache should have been used")


def test_a_store_is_built_once_and_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.npy"
    np.testing.assert_array_equal(open_store(path, IMAGES.shape, blocks), IMAGES)
    again = open_store(path, IMAGES.shape, no_blocks)
    np.testing.assert_array_equal(again, IMAGES)
    for rows in (3, -1, slice(1, 6, 2), [4, 0, 4], np.array([2]), IMAGES[:, 0, 0, 0] > 100):
        np.testing.assert_array_equal(again[rows], IMAGES[rows])
    with pytest.raises(IndexError):
        again[7]
    with pytest.raises(IndexError, match="a number, a slice, a list or an array"):
        again[2, 0, 1]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again))[2], IMAGES[2])
    assert [file.name for file in path.parent.iterdir()] == ["store.npy"]


@pytest.mark.parametrize("damage", ["truncated", "header", "empty", "text", "shape", "type"])
def test_a_store_that_cannot_be_used_is_built_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.npy"
    open_store(path, IMAGES.shape, blocks)
    whole = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[:-1])
    elif damage == "header":
        path.write_bytes(whole[:20])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not an array")
    elif damage == "shape":
        np.save(path, IMAGES[:3])
    else:
        np.save(path, IMAGES.astype(np.float32))
    np.testing.assert_array_equal(open_store(path, IMAGES.shape, blocks), IMAGES)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("what", ["a pipe", "an archive"])
def test_what_is_no_store_is_replaced(tmp_path: Path, what: str) -> None:
    path = tmp_path / "store.npy"
    if what == "a pipe":
        os.mkfifo(path)
    else:
        with path.open("wb") as file:
            np.savez(file, IMAGES)
    np.testing.assert_array_equal(open_store(path, IMAGES.shape, blocks), IMAGES)


def test_a_store_that_becomes_shorter_while_it_is_open_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.npy"
    store = open_store(path, IMAGES.shape, blocks)
    os.truncate(path, path.stat().st_size - 1)
    np.testing.assert_array_equal(store[:6], IMAGES[:6])
    with pytest.raises(
        HashprobeError, match=r"store\.npy became shorter while it was read; run the command again"
    ):
        store[:]
    np.testing.assert_array_equal(open_store(path, IMAGES.shape, blocks), IMAGES)


def test_what_killed_builds_left_in_the_cache_is_removed_unless_somebody_holds_it(tmp_path: Path) -> None:
    left, working, new = (tmp_path / f".{name}.npy.x.part" for name in ("left", "working", "new"))
    for part in (left, working, new):
        part.write_bytes(b"half")
    for part in (left, working):
        os.utime(part, (0, 0))
    with held(working):
        open_store(tmp_path / "store.npy", IMAGES.shape, blocks)
    assert not left.exists()
    assert working.exists()
    assert new.exists()  # its writer may be about to hold it


def test_nothing_is_left_of_a_build_that_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield IMAGES[:4]
        raise HashprobeError("the fifth image is damaged.")

    with pytest.raises(HashprobeError, match="fifth"):
        open_store(tmp_path / "store.npy", IMAGES.shape, failing)
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_yields_too_few_images_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="4 images were made for a store of 7"):
        open_store(tmp_path / "store.npy", IMAGES.shape, lambda: [IMAGES[:4]])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    def full() -> Iterator[np.ndarray]:
        yield IMAGES[:4]
        raise OSError(28, "No space left on device")  # as write() raises it between two blocks

    with pytest.raises(HashprobeError, match=r"could not write .*store\.npy: No space left on device"):
        open_store(tmp_path / "store.npy", IMAGES.shape, full)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HashprobeError, match=r"cache folder .*file/cache cannot be written \(Not a dir"):
        open_store(tmp_path / "file" / "cache" / "store.npy", IMAGES.shape, no_blocks)


def test_a_read_only_cache_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The superuser may write anywhere, so the operating system's answer is given here.
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(HashprobeError, match=r"cannot be written \(permission denied\); name another one"):
        open_store(tmp_path / "store.npy", IMAGES.shape, no_blocks)


def test_the_cache_folder_is_that_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hashprobe"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hashprobe"
    assert cache_folder("~/here") == Path.home() / "here"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_two_processes_build_the_same_store(tmp_path: Path) -> None:
    marks = [tmp_path / "one", tmp_path / "two"]
    path = tmp_path / "cache" / "store.npy"
    fork = multiprocessing.get_context("fork")
    runs = [fork.Process(target=build_in_step, args=(*order, path)) for order in (marks, marks[::-1])]
    for run in runs:
        run.start()
    for run in runs:
        run.join(timeout=600)
        assert run.exitcode == 0
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["store.npy"]
    store = open_store(path, (50, 3, 16, 16), no_blocks)
    assert all((store[row] == row).all() for row in range(50))
