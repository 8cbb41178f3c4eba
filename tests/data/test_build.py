"""Data sets built from small archives that look like the official ones, and from generated scenes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_pictures import jpeg, picture

import hashprobe.data.building.writing as writing_module
from hashprobe.data import audit_folder, build_data_set, load, names_to_build
from hashprobe.data.building import OFFICIAL_DATA_SETS
from hashprobe.data.building.mirflickr import RELEVANT, TOPICS
from hashprobe.errors import HashprobeError

COUNT = 12


def put(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(picture(number)))


def mirflickr(root: Path) -> Path:
    """Image i has the topic i - 1; CRLF, trailing spaces, and a README among the lists."""
    for number in range(1, COUNT + 1):
        put(root / "mirflickr" / f"im{number}.jpg", number)
    annotations = root / "mirflickr25k_annotations_v080"
    annotations.mkdir()
    for column, topic in enumerate(TOPICS):
        line = f"{column + 1} \r\n" if column < COUNT - 1 else ""  # the last image has no topic
        (annotations / f"{topic}.txt").write_bytes(line.encode())
    for topic in RELEVANT:
        (annotations / f"{topic}.txt").write_text("2\n" if topic == "baby_r1" else "")
    (annotations / "README.txt").write_text("not a list")
    return root


def nus_wide(root: Path) -> Path:
    """81 concepts: concept c is in image i if i < c; image 0 shows only the most frequent ones."""
    listed = [f"actor\\{number:04d}_{number * 7}.jpg" for number in range(COUNT)]
    for number, path in enumerate(listed):
        put(root / "Flickr" / path.replace("\\", "/"), number)
    (root / "ImageList").mkdir()
    (root / "ImageList" / "Imagelist.txt").write_bytes("".join(f"{path} \r\n" for path in listed).encode())
    labels = root / "Groundtruth" / "AllLabels"
    labels.mkdir(parents=True)
    for concept in range(81):
        shown = min(concept, COUNT - 1) if concept < 40 else 0
        rows = [str(int(number < shown)) for number in range(COUNT)]
        (labels / f"Labels_c{concept:02d}.txt").write_text("".join(f"{row}\r\n" for row in rows))
    return root


def coco(root: Path) -> Path:
    """Six images each in train and val; the last of each has no annotation."""
    categories = [{"id": 3 * number + 1, "name": f"thing {number}"} for number in range(80)]
    (root / "annotations").mkdir(parents=True)
    for first, part in ((0, "train"), (6, "val")):
        images, annotations = [], []
        for number in range(first, first + 6):
            name = f"COCO_{part}2014_{number:012d}.jpg"
            put(root / f"{part}2014" / name, number)
            images.append({"id": number, "file_name": name})
            if number != first + 5:
                for category in (number, number, 79):
                    annotations.append(
                        {"image_id": number, "category_id": 3 * category + 1, "segmentation": [[0.5] * 6]}
                    )
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations" / f"instances_{part}2014.json").write_text(json.dumps(content))
    return root


ARCHIVES: dict[str, Callable[[Path], Path]] = {"flickr25k": mirflickr, "nus-wide": nus_wide, "ms-coco": coco}


@pytest.fixture
def archive(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    name: str = request.param
    return name, ARCHIVES[name](tmp_path / "archive")


every_archive = pytest.mark.parametrize("archive", list(ARCHIVES), indirect=True)


@every_archive
def test_what_is_built_loads_with_the_right_images(archive: tuple[str, Path], tmp_path: Path) -> None:
    name, source = archive
    built = build_data_set(name, source, tmp_path / "out", seed=1, queries=3, train=4)
    assert built.queries + built.database == len(OFFICIAL_DATA_SETS[name].read(source).names)
    assert (built.queries, built.train) == (3, 4)
    data = load(tmp_path / "out", image_size=32, cache_dir=tmp_path / "cache")
    assert [len(data.query), len(data.database), len(data.train)] == [3, built.database, 4]
    assert set(data.train.names) <= set(data.database.names)
    assert all((source / image).is_file() for image in data.database.names)
    assert audit_folder(tmp_path / "out", 32).sound
    assert not list(tmp_path.glob(".*part"))


@every_archive
def test_the_seed_draws_the_splits(archive: tuple[str, Path], tmp_path: Path) -> None:
    name, source = archive

    def lists(out: str, seed: int) -> dict[str, bytes]:
        build_data_set(name, source, tmp_path / out, seed=seed, queries=4, train=3)
        return {path.name: path.read_bytes() for path in (tmp_path / out).glob("*.txt")}

    first = lists("a", 0)
    assert lists("b", 0) == first
    assert lists("c", 1)["test_img.txt"] != first["test_img.txt"]


def labels_by_image(name: str, source: Path) -> dict[str, set[str]]:
    read = OFFICIAL_DATA_SETS[name].read(source)
    return {
        image.rsplit("/", 1)[-1]: {read.class_names[column] for column in np.flatnonzero(row)}
        for image, row in zip(read.names, read.labels, strict=True)
    }


def test_mirflickr_has_24_topics_and_14_more_and_keeps_images_of_no_topic(tmp_path: Path) -> None:
    source = mirflickr(tmp_path)
    assert (len(TOPICS), len(RELEVANT)) == (24, 14)
    labels = labels_by_image("flickr25k", source)
    assert labels["im1.jpg"] == {"animals"}
    assert labels["im2.jpg"] == {"baby", "baby_r1"}
    assert labels[f"im{COUNT}.jpg"] == set()


@pytest.mark.real_data
def test_the_classes_of_mirflickr_are_those_of_the_real_pack(real_data_root: Path) -> None:
    names = (real_data_root / "data" / "flickr25k-128-mini" / "classes.txt").read_text().split()
    assert (*TOPICS, *RELEVANT) == tuple(names)


def test_nus_wide_takes_the_21_most_frequent_concepts_and_the_images_that_show_one(tmp_path: Path) -> None:
    read = OFFICIAL_DATA_SETS["nus-wide"].read(nus_wide(tmp_path))
    assert read.class_names[0] == "c11"  # 29 concepts are equally frequent; then by name
    assert len(read.class_names) == 21
    assert set(read.class_names) == {f"c{concept}" for concept in range(11, 32)}
    assert len(read.names) == COUNT - 1  # the last image shows nothing
    assert read.names[0] == "Flickr/actor/0000_0.jpg"


def test_coco_drops_images_without_annotation_and_numbers_categories_by_their_id(tmp_path: Path) -> None:
    labels = labels_by_image("ms-coco", coco(tmp_path))
    assert len(labels) == 10
    assert labels["COCO_train2014_000000000002.jpg"] == {"thing 2", "thing 79"}
    assert "COCO_val2014_000000000011.jpg" not in labels


@every_archive
def test_a_partial_copy_is_built_in_proportion_with_a_warning(
    archive: tuple[str, Path], tmp_path: Path
) -> None:
    name, source = archive
    removed = next(path for path in sorted(source.rglob("*.jpg")) if "12" not in path.name)
    removed.unlink()
    built = build_data_set(name, source, tmp_path / "out")
    assert built.queries == 1
    assert 1 <= built.train <= built.database
    text = " ".join(built.warnings)
    assert "in the official archive are" in text
    assert "reduced in proportion" in text
    assert re.search(r"1 (of 1\d (listed|annotated) images have|annotated images have) no image file", text)


def test_given_lists_give_the_splits_and_the_archive_the_labels(tmp_path: Path) -> None:
    source, lists = mirflickr(tmp_path / "archive"), tmp_path / "lists"
    lists.mkdir()
    for prefix, numbers in (("test", [3]), ("database", [2, 1]), ("train", [1])):
        rows = (f"/home/someone/flickr/im{number}.jpg {'0 ' * 38}\r\n" for number in numbers)
        (lists / f"{prefix}.txt").write_bytes("".join(rows).encode())
    built = build_data_set("flickr25k", source, tmp_path / "out", lists=lists)
    data = load(tmp_path / "out", image_size=32, cache_dir=tmp_path / "cache")
    assert data.database.names == ("mirflickr/im2.jpg", "mirflickr/im1.jpg")
    assert data.train.labels.argmax(axis=1).tolist() == [0]
    assert any("in 4 rows the given lists have other labels" in warning for warning in built.warnings)
    (lists / "train.txt").write_text(f"x/im99.jpg {'0 ' * 38}\n")
    with pytest.raises(HashprobeError, match=r"train\.txt, line 1: im99\.jpg is no image of the archive"):
        build_data_set("flickr25k", source, tmp_path / "other", lists=lists)


# archive, file, what it becomes (None: removed), what the message must say
WRONG: dict[str, tuple[str, str, str | None, str]] = {
    "no topic list": (
        "flickr25k",
        "mirflickr25k_annotations_v080/dog_r1.txt",
        None,
        "dog_r1.txt does not exist; MIRFLICKR has it in mirflickr25k_annotations_v080.zip",
    ),
    "no annotations": (
        "flickr25k",
        "mirflickr25k_annotations_v080/plant_life.txt",
        None,
        "no plant_life.txt: a list",
    ),
    "no number": (
        "flickr25k",
        "mirflickr25k_annotations_v080/dog.txt",
        "1\nim2\n",
        "dog.txt, line 2 is 'im2'; expected",
    ),
    "large number": (
        "flickr25k",
        "mirflickr25k_annotations_v080/dog.txt",
        "25001\n",
        "line 1 is '25001'; expected",
    ),
    "no image list": (
        "nus-wide",
        "ImageList/Imagelist.txt",
        None,
        "no Imagelist.txt: the list of all images",
    ),
    "short concept": (
        "nus-wide",
        "Groundtruth/AllLabels/Labels_c05.txt",
        "0\n",
        "Imagelist.txt lists 12 images but",
    ),
    "wrong value": (
        "nus-wide",
        "Groundtruth/AllLabels/Labels_c05.txt",
        "0\n2\n" + "0\n" * 10,
        "Labels_c05.txt, line 2 has the value '2'; expected 0 or 1",
    ),
    "no instances": (
        "ms-coco",
        "annotations/instances_val2014.json",
        None,
        "no instances_val2014.json: the annotations",
    ),
    "cut JSON": ("ms-coco", "annotations/instances_val2014.json", '{"images": [', "is not a JSON file"),
    "other JSON": (
        "ms-coco",
        "annotations/instances_val2014.json",
        "{}",
        "is not a file of instances of MS-COCO",
    ),
    "a list": ("ms-coco", "annotations/instances_val2014.json", "[]", "holds no JSON object"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(tmp_path: Path, case: str) -> None:
    name, file, content, message = WRONG[case]
    source = ARCHIVES[name](tmp_path / "archive")
    (source / file).unlink() if content is None else (source / file).write_text(content)
    with pytest.raises(HashprobeError, match=re.escape(message)) as caught:
        build_data_set(name, source, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_missing_concept_is_a_warning(tmp_path: Path) -> None:
    source = nus_wide(tmp_path / "archive")
    (source / "Groundtruth/AllLabels/Labels_c80.txt").unlink()
    built = build_data_set("nus-wide", source, tmp_path / "out")
    assert any(
        "has lists of 80 concepts, the official archive of 81" in warning for warning in built.warnings
    )


@pytest.mark.parametrize(("queries", "train"), [(0, 1), (1, 0), (12, 1), (6, 7)])
def test_numbers_that_cannot_be_drawn_are_refused(tmp_path: Path, queries: int, train: int) -> None:
    source = mirflickr(tmp_path / "archive")
    with pytest.raises(
        HashprobeError, match=f"{queries} queries and {train} training images cannot be drawn from 12"
    ):
        build_data_set("flickr25k", source, tmp_path / "out", queries=queries, train=train)


def test_the_same_build_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    source, out = mirflickr(tmp_path / "archive"), tmp_path / "out"
    out.mkdir()  # an empty folder is taken
    built = build_data_set("flickr25k", source, out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert build_data_set("flickr25k", source, out) == built
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    with pytest.raises(
        HashprobeError, match="out exists and holds something else; name a new or empty folder"
    ):
        build_data_set("flickr25k", source, out, seed=1)


def test_a_full_disk_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing_module, "write_json", full)
    with pytest.raises(HashprobeError, match="No space left on device; nothing was left there"):
        build_data_set("flickr25k", mirflickr(tmp_path / "archive"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_written_scenes_load_to_the_same_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    small = load("openmoji", 32, 5, queries=2, database=4, train=3)
    monkeypatch.setattr("hashprobe.data.building.build.load", lambda *_, **__: small)
    build_data_set("openmoji", None, tmp_path / "scenes", seed=5, image_size=32)
    data = load(tmp_path / "scenes", image_size=32, cache_dir=tmp_path / "cache")
    for split in ("query", "database", "train"):
        np.testing.assert_array_equal(getattr(data, split).images[:], getattr(small, split).images[:])
        np.testing.assert_array_equal(getattr(data, split).labels, getattr(small, split).labels)
    assert data.train.names == data.database.names[:3]
    assert len(list((tmp_path / "scenes" / "images").rglob("*.png"))) == 6


def test_what_cannot_be_built_is_one_sentence(tmp_path: Path) -> None:
    assert {"flickr25k", "nus-wide", "ms-coco", "openmoji"} <= set(names_to_build())
    with pytest.raises(HashprobeError, match="no data set to build is named 'coco'; did you mean 'ms-coco'"):
        build_data_set("coco", tmp_path, tmp_path / "out")
    with pytest.raises(HashprobeError, match="ms-coco needs --source"):
        build_data_set("ms-coco", None, tmp_path / "out")
    with pytest.raises(
        HashprobeError, match="nowhere does not exist; expected the unpacked archives of ms-coco"
    ):
        build_data_set("ms-coco", tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(HashprobeError, match="openmoji is generated; it takes neither a source nor lists"):
        build_data_set("openmoji", tmp_path, tmp_path / "out")
    with pytest.raises(HashprobeError, match="holds no image; expected the images as the archive unpacks"):
        build_data_set("flickr25k", tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content["categories"][0].update(id="one"), "a category with a number and a name"),
        (lambda content: content["categories"][0].update(id=1.5), "a category with a number and a name"),
        (lambda content: content["categories"][0].update(name=None), "a category with a number and a name"),
        (
            lambda content: content["categories"][0].update(name="a\nb"),
            r"the class 'a\\nb' cannot be written into a list",
        ),
        (
            lambda content: content.update(annotations=[{"image_id": [1], "category_id": 1}]),
            "has another form",
        ),
        (lambda content: content.update(images=5), "has another form"),
    ],
)
def test_annotations_that_are_none_are_one_sentence(
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    source = coco(tmp_path / "archive")
    for path in source.rglob("instances_*.json"):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
    with pytest.raises(HashprobeError, match=said) as caught:
        build_data_set("ms-coco", source, tmp_path / "out", queries=1, train=1)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"categories": [{"id": ' + "9" * 5000 + "}]}", "{", "\ufeff"]
)
def test_annotations_that_are_no_json_are_one_sentence(content: str, tmp_path: Path) -> None:
    source = coco(tmp_path / "archive")
    next(source.rglob("instances_train2014.json")).write_text(content)
    with pytest.raises(HashprobeError, match=r"instances_train2014\.json is not a JSON file"):
        build_data_set("ms-coco", source, tmp_path / "out")


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    source = mirflickr(tmp_path / "archive")
    left, another = tmp_path / ".out.x1.part", tmp_path / ".other.x1.part"
    for folder in (left, another):
        folder.mkdir()
        (folder / "test_img.txt").write_text("half")
        os.utime(folder, (0, 0))
    build_data_set("flickr25k", source, tmp_path / "out", queries=1, train=1)
    assert not left.exists()
    assert another.exists()
