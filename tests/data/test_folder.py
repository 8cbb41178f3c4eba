"""Folders of lists: images in files and tar files, decoded once, and errors that name the line."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_pictures import jpeg, picture, write_until_seen
from PIL import Image

import hashprobe.data.formats.folder as folder_module
from hashprobe.data import RetrievalData, load, load_folder
from hashprobe.data.images.decoding import decode_image
from hashprobe.errors import HashprobeError

IntoTar = Callable[[Path, str, list[str]], None]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def assert_same(one: RetrievalData, other: RetrievalData) -> None:
    assert one.split_sha256 == other.split_sha256
    for split in ("query", "database", "train"):
        np.testing.assert_array_equal(getattr(one, split).images[:], getattr(other, split).images[:])


def test_images_and_labels_belong_together(folder: Path, cache: Path) -> None:
    data = load(folder, image_size=32, cache_dir=cache)
    assert (data.name, data.class_names) == ("pets", ("cat", "dog", "sun"))
    assert [len(split) for split in (data.query, data.database, data.train)] == [2, 4, 2]
    for split in (data.query, data.database, data.train):
        for index, name in enumerate(split.names):
            expected = decode_image((folder / name).read_bytes(), 32)
            np.testing.assert_array_equal(split.images[index], expected)
    assert data.train.labels.tolist() == [[0, 1, 1], [1, 1, 0]]


def test_each_image_is_stored_once(folder: Path, cache: Path) -> None:
    load(folder, image_size=32, cache_dir=cache)
    (stored,) = cache.iterdir()
    assert np.load(stored).shape == (6, 3, 32, 32)


def test_tar_files_hold_the_same_images(folder: Path, cache: Path, into_tar: IntoTar) -> None:
    from_files = load(str(folder), image_size=32, cache_dir=cache / "files")
    into_tar(folder, "part-1.tar", ["images/t0.jpg", "images/d2.jpg"])
    into_tar(folder, "part-0.tar", ["images/d0.jpg", "images/t1.jpg", "images/d3.jpg"])
    assert_same(load(folder, image_size=32, cache_dir=cache / "tars"), from_files)


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_do_not_change_the_images(
    folder: Path, cache: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "IMAGES_A_BLOCK", 1)
    expected = load(folder, image_size=32, cache_dir=cache)
    assert_same(load(folder, image_size=32, cache_dir=cache / "other", workers=workers), expected)


def test_the_cache_is_used_until_something_changes(
    folder: Path, cache: Path, into_tar: IntoTar, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counting(data: bytes, size: int) -> np.ndarray:
        decoded.append(size)
        return decode_image(data, size)

    def decodings() -> int:
        decoded.clear()
        load(folder, image_size=32, cache_dir=cache)
        return len(decoded)

    monkeypatch.setattr(folder_module, "decode_image", counting)
    assert decodings() == 6
    assert decodings() == 0
    (folder / "train_label.txt").write_text("0 1 1\n1 1 0\n")  # labels are not part of the pixels
    assert decodings() == 0
    (folder / "images" / "d1.jpg").write_bytes(jpeg(picture(99)))
    assert decodings() == 6
    into_tar(folder, "some.tar", ["images/d1.jpg"])
    assert decodings() == 6
    assert decodings() == 0
    os.utime(folder / "some.tar", ns=(1, 1))
    assert decodings() == 6
    (folder / "unrelated.txt").write_text("nothing")
    assert decodings() == 0
    monkeypatch.setattr(folder_module, "DECODING", 10**6)
    assert decodings() == 6


def test_another_image_of_the_same_size_and_time_of_modification_is_seen(folder: Path, cache: Path) -> None:
    changed = folder / "images" / "t0.jpg"

    def put(colour: str) -> None:
        Image.new("RGB", (40, 40), colour).save(changed, format="BMP")
        os.utime(changed, ns=(1, 1))

    put("black")
    size = changed.stat().st_size
    assert load(folder, image_size=32, cache_dir=cache).query.images[0].max() == 0
    write_until_seen(changed, lambda: put("white"))
    assert changed.stat().st_size == size
    assert load(folder, image_size=32, cache_dir=cache).query.images[0].min() == 255


@pytest.mark.parametrize("name", ["images/t\0.jpg", "x" * 5000 + ".jpg"])
def test_a_name_that_no_file_can_have_is_an_image_that_does_not_exist(
    folder: Path, cache: Path, name: str
) -> None:
    (folder / "test_img.txt").write_text(f"images/t0.jpg\n{name}\n")
    with pytest.raises(
        HashprobeError, match=r"test_img\.txt, line 2: the image .* does not exist; looked in"
    ):
        load(folder, image_size=32, cache_dir=cache)


def test_a_truncated_cache_is_built_again(folder: Path, cache: Path) -> None:
    expected = load(folder, image_size=32, cache_dir=cache)
    before = expected.query.images[:], expected.database.images[:]
    (stored,) = cache.iterdir()
    whole = stored.read_bytes()
    stored.unlink()
    stored.write_bytes(whole[:-100])
    again = load(folder, image_size=32, cache_dir=cache)
    np.testing.assert_array_equal(again.query.images[:], before[0])
    np.testing.assert_array_equal(again.database.images[:], before[1])
    assert stored.read_bytes() == whole


def test_training_images_outside_the_database_are_loaded(folder: Path, cache: Path) -> None:
    (folder / "images" / "new.jpg").write_bytes(jpeg(picture(50)))
    (folder / "train_img.txt").write_text("images/new.jpg\nimages/d0.jpg\nimages/new.jpg\n")
    (folder / "train_label.txt").write_text("1 0 1\n1 1 0\n1 0 1\n")
    data = load(folder, image_size=32, cache_dir=cache)
    expected = decode_image((folder / "images" / "new.jpg").read_bytes(), 32)
    np.testing.assert_array_equal(data.train.images[[0, 2]], np.stack([expected, expected]))
    assert len(data.database) == 4


def spoil(folder: Path, name: str) -> None:
    """Make one thing wrong with an image of the folder."""
    image = folder / "images" / "d1.jpg"
    if name == "missing":
        image.unlink()
    elif name == "two missing":
        image.unlink()
        (folder / "images" / "d3.jpg").unlink()
    elif name == "a folder":
        image.unlink()
        image.mkdir()
    elif name == "text":
        image.write_text("not a picture")
    elif name == "truncated":
        image.write_bytes(image.read_bytes()[:-700])
    else:
        image.write_bytes(jpeg(picture(0, 31, 64)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "line 2: the image images/d1.jpg does not exist; looked in FOLDER and no tar file."),
        (
            "two missing",
            "line 2: the image images/d1.jpg does not exist (2 images are missing in all); looked in FOLDER",
        ),
        ("a folder", "line 2: the image images/d1.jpg does not exist"),
        (
            "text",
            "line 2: the image images/d1.jpg is not a whole JPEG, PNG, WebP, GIF, BMP, TIFF or PPM image",
        ),
        ("truncated", "line 2: the image images/d1.jpg is truncated; copy it again."),
        ("small", "line 2: the image images/d1.jpg is 31 x 64 pixels; at least 32 x 32 are needed."),
    ],
)
def test_an_image_that_cannot_be_used_is_named(folder: Path, cache: Path, name: str, message: str) -> None:
    load(folder, image_size=32, cache_dir=cache)  # an older cache does not hide the fault
    spoil(folder, name)
    message = f"{folder / 'database_img.txt'}, " + message.replace("FOLDER", str(folder))
    with pytest.raises(HashprobeError, match=re.escape(message)):
        load(folder, image_size=32, cache_dir=cache)
    assert len(list(cache.iterdir())) == 1


def test_an_image_missing_in_tar_files_is_named(folder: Path, cache: Path, into_tar: IntoTar) -> None:
    into_tar(folder, "images.tar", ["images/t0.jpg"])
    (folder / "images" / "t1.jpg").unlink()
    message = rf"line 2: the image images/t1\.jpg does not exist; looked in {folder} and images\.tar\."
    with pytest.raises(HashprobeError, match=message):
        load(folder, image_size=32, cache_dir=cache)


@pytest.mark.parametrize("damage", ["header", "middle of a member", "compressed"])
def test_a_damaged_tar_file_is_named(folder: Path, cache: Path, into_tar: IntoTar, damage: str) -> None:
    into_tar(folder, "images.tar", [f"images/{name}.jpg" for name in ("t0", "t1", "d0", "d1", "d2", "d3")])
    tar = folder / "images.tar"
    whole = tar.read_bytes()
    if damage == "compressed":
        tar.write_bytes(gzip.compress(whole))
    elif damage == "header":
        tar.write_bytes(whole[:300])
    else:
        tar.write_bytes(whole[: whole.rindex(b"\xff\xd9")])
    with pytest.raises(HashprobeError, match=r"images\.tar is not a whole, uncompressed tar file"):
        load(folder, image_size=32, cache_dir=cache)
    assert list(cache.glob("*")) == []


def test_a_folder_goes_by_its_path_and_a_data_set_by_its_name(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(folder.parent / "openmoji")
    monkeypatch.chdir(folder.parent)
    assert load("./openmoji", image_size=32, cache_dir=cache).class_names == ("cat", "dog", "sun")
    assert load(Path("openmoji"), image_size=32, cache_dir=cache).class_names == ("cat", "dog", "sun")
    scenes = load("openmoji", image_size=32, cache_dir=cache, queries=1, database=1, train=1)
    assert scenes.classes == 21


def test_unknown_data_are_one_sentence(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(
        HashprobeError, match="no data set or folder is named 'openmojis'; did you mean 'openmoji'"
    ):
        load("openmojis", cache_dir=cache)
    with pytest.raises(
        HashprobeError, match="no/where does not exist; expected a folder of lists or a CSV table"
    ):
        load("no/where", cache_dir=cache)
    with pytest.raises(HashprobeError, match=r"classes\.txt is a file; expected a folder of lists"):
        load(folder / "classes.txt", cache_dir=cache)
    with pytest.raises(
        HashprobeError, match="no option of the data set 'pets' is named 'query'; did you mean 'queries'"
    ):
        load("pets", cache_dir=cache, query=5)
    with pytest.raises(
        HashprobeError, match="pets says which images each split has; leave the options queries"
    ):
        load("pets", cache_dir=cache, queries=5)
    with pytest.raises(HashprobeError, match="image_size must be at least 32 pixels; found 16"):
        load_folder(folder, 16, cache_dir=cache)
    assert not cache.exists()


@pytest.mark.real_data
def test_the_real_pack_loads(real_data_root: Path, cache: Path) -> None:
    pack = real_data_root / "data" / "flickr25k-128-mini"
    data = load(pack, image_size=64, cache_dir=cache)
    assert [len(split) for split in (data.query, data.database, data.train)] == [64, 512, 256]
    assert (data.name, data.classes, data.image_size) == ("flickr25k-128-mini", 38, 64)
    assert data.class_names[:3] == ("animals", "baby", "bird")
    assert set(data.train.names) <= set(data.database.names)
    for split, prefix in ((data.query, "test"), (data.database, "database"), (data.train, "train")):
        ones = (pack / f"{prefix}_label.txt").read_text().count("1")
        assert split.labels.sum() == ones
        assert len(np.unique(split.images[:].reshape(len(split), -1), axis=0)) > 0.98 * len(split)
        assert 60 < split.images[:].mean() < 160
    (stored,) = cache.iterdir()
    built = stored.stat().st_mtime_ns, stored.stat().st_ino
    assert_same(load(pack, image_size=64, cache_dir=cache), data)
    assert (stored.stat().st_mtime_ns, stored.stat().st_ino) == built
