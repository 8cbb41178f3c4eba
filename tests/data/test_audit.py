"""The audit: numbers against plain counting, and every planted fault found with its file and line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_pictures import jpeg, picture

from hashprobe.data import (
    Audit,
    ImageRows,
    RetrievalData,
    Split,
    audit,
    audit_data,
    audit_folder,
    chance_by_protocol,
    load,
)
from hashprobe.data.audit import duplicates as duplicates_module
from hashprobe.errors import HashprobeError
from hashprobe.report.sections import audit_findings
from hashprobe.retrieval import chance_level


def of(audited: Audit, check: str, severity: str = "") -> list[str]:
    """The locations of all findings of a check, or their messages where there is none."""
    found = [f for f in audited.findings if check in f.check and severity in ("", f.severity)]
    return [location for finding in found for location in finding.locations or (finding.message,)]


def by_severity(audited: Audit, severity: str) -> list[str]:
    return [finding.check for finding in audited.findings if finding.severity == severity]


def test_a_sound_folder_has_no_error_and_the_right_numbers(folder: Path) -> None:
    audited = audit_folder(folder, 32)
    assert audited.sound
    assert by_severity(audited, "error") == []
    assert (audited.data, audited.image_size) == ("pets", 32)
    assert audited.images == audited.different_images == {"query": 2, "database": 4, "train": 2}
    assert audited.images_by_class == {"cat": (1, 2, 1), "dog": (0, 2, 2), "sun": (1, 1, 1)}
    assert audited.unlabelled == {"query": 0, "database": 1, "train": 0}
    assert audited.relevant_pairs == 3 / 8  # t0 (cat): d0, d3; t1 (sun): d2
    assert of(audited, "unlabelled") == [f"images/d1.jpg: {folder / 'database_img.txt'}, line 2"]
    assert of(audited, "classes without images") == ["query has no image of 1 of 3 classes: dog."]


def test_a_folder_and_its_loaded_data_agree(folder: Path, tmp_path: Path) -> None:
    data = load(folder, image_size=32, cache_dir=tmp_path / "cache")
    one, other = audit(data), audit_folder(folder, 32)
    assert one.split_sha256 == other.split_sha256 == data.split_sha256
    assert (one.relevant_pairs, one.chance, one.images) == (other.relevant_pairs, other.chance, other.images)
    assert [f.message for f in one.findings] == [f.message for f in other.findings]
    level = chance_level(data.query.labels, data.database.labels).mean()
    by_protocol = chance_by_protocol(data.query.labels, data.database.labels)
    assert one.chance == {"map": pytest.approx(level), **by_protocol}


def add_row(folder: Path, prefix: str, name: str, labels: str) -> None:
    for kind, text in (("img", f"images/{name}.jpg"), ("label", labels)):
        with (folder / f"{prefix}_{kind}.txt").open("a") as file:
            file.write(text + "\n")


def overlap(folder: Path) -> None:
    add_row(folder, "database", "t1", "0 0 1")
    add_row(folder, "train", "t0", "1 0 0")


def repeat(folder: Path) -> None:
    add_row(folder, "database", "d0", "1 1 0")
    add_row(folder, "train", "d0", "1 1 0")


def contradict(folder: Path) -> None:
    add_row(folder, "train", "d3", "0 0 1")


def rows(folder: Path) -> None:
    (folder / "database_label.txt").write_text("1 1 0\n0 2 0\n0 1\n1 0 0\n")
    (folder / "test_img.txt").write_text("images/t0.jpg\n../t1.jpg\n")


def lengths(folder: Path) -> None:
    (folder / "train_label.txt").write_text("0 1 1\n")
    (folder / "test_label.txt").unlink()


def images(folder: Path) -> None:
    (folder / "images/d0.jpg").unlink()
    (folder / "images/d1.jpg").write_bytes((folder / "images/d1.jpg").read_bytes()[:-700])
    (folder / "images/d2.jpg").write_text("no picture")


def duplicates(folder: Path) -> None:
    shutil.copy(folder / "images/t0.jpg", folder / "images/d3.jpg")
    picture(2).save(folder / "images/d1.png")
    picture(2).save(folder / "images/x.png", compress_level=0)
    for prefix in ("database", "train"):
        add_row(folder, prefix, "x", "0 0 1")
    for prefix in ("database", "train"):
        path = folder / f"{prefix}_img.txt"
        path.write_text(path.read_text().replace("x.jpg", "x.png").replace("d1.jpg", "d1.png"))


def no_relevant(folder: Path) -> None:
    (folder / "database_label.txt").write_text("1 1 0\n0 0 0\n0 1 0\n1 0 0\n")
    (folder / "train_label.txt").write_text("0 1 0\n1 1 0\n")


# how it is planted, the check that finds it, how grave, where (FOLDER/ stands for the folder)
PLANTED: list[tuple[Callable[[Path], None], str, str, list[str]]] = [
    (
        overlap,
        "overlap",
        "error",
        [
            "images/t1.jpg: FOLDER/test_img.txt, line 2 and FOLDER/database_img.txt, line 5",
            "images/t0.jpg: FOLDER/test_img.txt, line 1 and FOLDER/train_img.txt, line 3",
        ],
    ),
    (
        overlap,
        "training images outside",
        "note",
        ["images/t0.jpg: FOLDER/train_img.txt, line 3"],
    ),
    (
        repeat,
        "repeated rows",
        "error",
        ["images/d0.jpg: FOLDER/database_img.txt, line 1 and FOLDER/database_img.txt, line 5"],
    ),
    (
        repeat,
        "repeated rows",
        "note",
        ["images/d0.jpg: FOLDER/train_img.txt, line 2 and FOLDER/train_img.txt, line 3"],
    ),
    (
        contradict,
        "two labels",
        "error",
        ["images/d3.jpg: FOLDER/database_img.txt, line 4 and FOLDER/train_img.txt, line 3"],
    ),
    (
        rows,
        "label rows",
        "error",
        [
            "FOLDER/database_label.txt, line 2 has the value '2'; expected only 0 and 1.",
            "FOLDER/database_label.txt, line 3 has 2 values; expected 3 as in line 1.",
        ],
    ),
    (
        rows,
        "paths",
        "error",
        ["FOLDER/test_img.txt, line 2: '../t1.jpg' leads out of the folder; expected a path inside it."],
    ),
    (
        lengths,
        "unequal length",
        "error",
        [
            "FOLDER/train_img.txt lists 2 images but FOLDER/train_label.txt has 1 rows; expected one row an image.",
            "FOLDER/test_img.txt lists 2 images but FOLDER/test_label.txt has 0 rows; expected one row an image.",
        ],
    ),
    (lengths, "empty splits", "error", ["query: no image; every split needs at least one."]),
    (
        images,
        "do not exist",
        "error",
        ["FOLDER/database_img.txt, line 1: the image images/d0.jpg does not exist."],
    ),
    (
        duplicates,
        "under another name",
        "warning",
        [
            "images/t0.jpg (FOLDER/test_img.txt, line 1) and images/d3.jpg (FOLDER/database_img.txt, line 4): "
            "the same bytes",
            "images/d1.png (FOLDER/database_img.txt, line 2) and images/x.png (FOLDER/database_img.txt, line 5): "
            "the same pixels",
        ],
    ),
    (
        duplicates,
        "under another name",
        "note",
        [
            "images/d1.png (FOLDER/database_img.txt, line 2) and images/x.png (FOLDER/database_img.txt, line 5): the same pixels"
        ],
    ),
    (
        no_relevant,
        "without a relevant image",
        "warning",
        ["images/t1.jpg: FOLDER/test_img.txt, line 2"],
    ),
]


@pytest.mark.parametrize(
    ("plant", "check", "severity", "locations"), PLANTED, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_planted_fault_is_found_where_it_is(
    folder: Path, plant: Callable[[Path], None], check: str, severity: str, locations: list[str]
) -> None:
    assert of(audit_folder(folder, 32), check, severity) == []
    plant(folder)
    found = of(audit_folder(folder, 32), check, severity)
    assert [location.replace(str(folder), "FOLDER") for location in found] == locations


def test_every_image_that_cannot_be_used_is_named_and_the_rest_is_audited(folder: Path) -> None:
    images(folder)
    audited = audit_folder(folder, 32)
    truncated, text = of(audited, "cannot be used", "error")
    assert (
        truncated
        == f"{folder / 'database_img.txt'}, line 2: the image images/d1.jpg is truncated; copy it again."
    )
    assert text.startswith(
        f"{folder / 'database_img.txt'}, line 3: the image images/d2.jpg is not a whole JPEG"
    )
    assert not audited.sound
    assert audited.images["database"] == 4


def test_an_audit_never_makes_load_lenient(folder: Path, tmp_path: Path) -> None:
    for plant in (overlap, repeat, contradict):
        copy = tmp_path / plant.__name__
        shutil.copytree(folder, copy)
        plant(copy)
        assert not audit_folder(copy, 32).sound
        with pytest.raises(HashprobeError):
            load(copy, image_size=32, cache_dir=tmp_path / "cache")


def test_a_damaged_tar_file_is_a_finding(folder: Path) -> None:
    (folder / "images/d0.jpg").unlink()
    (folder / "images.tar").write_bytes(b"no tar file")
    audited = audit_folder(folder, 32)
    (damaged,) = of(audited, "tar files")
    assert "images.tar is not a whole, uncompressed tar file" in damaged
    assert len(of(audited, "do not exist")) == 1


def test_duplicates_in_memory_are_found_and_each_row_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    original = duplicates_module.pixel_hash

    def counting(image: np.ndarray) -> bytes:
        hashed.append(1)
        return original(image)

    monkeypatch.setattr(duplicates_module, "pixel_hash", counting)
    store = np.arange(5 * 3 * 32 * 32, dtype=np.int64).astype(np.uint8).reshape(5, 3, 32, 32)
    store[:] += np.arange(5, dtype=np.uint8)[:, None, None, None]
    store[4] = store[0]
    labels = np.eye(2, dtype=np.uint8)[[0, 1, 0, 1, 0]]

    def split(numbers: list[int]) -> Split:
        return Split(ImageRows(store, np.array(numbers)), labels[numbers], tuple(f"i{n}" for n in numbers))

    data = RetrievalData("five", ("a", "b"), split([0]), split([1, 2, 3, 4]), split([2, 3]))
    audited = audit(data)
    assert len(hashed) == 5
    assert of(audited, "under another name") == [
        "i0 (query, row 0) and i4 (database, row 3): the same pixels"
    ]


def test_chance_is_that_of_a_random_ranking_under_each_protocol(folder: Path, tmp_path: Path) -> None:
    audited = audit_data(folder, image_size=32, seed=3)
    data = load(folder, image_size=32, cache_dir=tmp_path)
    levels = chance_by_protocol(data.query.labels, data.database.labels, seed=3)
    assert audited.chance == {"map": audited.chance["map"], **levels}
    assert list(levels) == ["paper", "disjoint", "single"]
    assert all(level is not None and 0 < level < 1 for level in levels.values())
    everything = np.ones((2, 3), dtype=np.uint8)
    assert chance_by_protocol(everything, everything) == {"paper": 1.0, "disjoint": None, "single": None}


def test_the_report_understands_an_audit(folder: Path) -> None:
    overlap(folder)
    audited = audit_data(folder, image_size=32)
    shown = audit_findings(json.loads(json.dumps(audited.as_dict())))
    assert shown is not None
    assert shown[0].severity == "error"
    assert "rows of database are query images too" in shown[0].text
    assert "count: 1" in shown[0].details
    texts = [finding.text for finding in shown]
    assert "images_by_class.cat: 2, 2, 2" not in texts
    assert "images_by_class.cat: 1, 2, 2" in texts
    assert any(text.startswith("chance.disjoint: 0.") for text in texts)


def test_the_lines_for_a_terminal_name_locations_and_say_how_many_are_left_out(folder: Path) -> None:
    for number in range(4):
        (folder / "images" / f"n{number}.jpg").write_bytes(jpeg(picture(50 + number)))
        add_row(folder, "database", f"n{number}", "0 0 0")
    lines = audit_folder(folder, 32).lines(most_locations=2)
    assert lines[0] == "pets: query 2, database 8, train 2 images, 3 classes"
    assert "dog           0         2         2" in lines
    start = lines.index("note     5 of 8 rows of database have no label; they are relevant to no query.")
    assert lines[start + 1].strip().endswith("database_img.txt, line 2")
    assert lines[start + 3].strip() == "and 3 more"


def test_what_cannot_be_audited_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(HashprobeError, match="no data set or folder is named 'pet'"):
        audit_data("pet")
    with pytest.raises(
        HashprobeError, match="no/where does not exist; expected a folder of lists or a CSV table"
    ):
        audit_data("no/where")
    with pytest.raises(HashprobeError, match="image_size must be at least 32 pixels; found 16"):
        audit_folder(folder, 16)


@pytest.mark.real_data
def test_the_real_pack_is_sound(real_data_root: Path) -> None:
    audited = audit_data(real_data_root / "data" / "flickr25k-128-mini", image_size=64)
    assert audited.sound
    assert audited.images == {"query": 64, "database": 512, "train": 256}
    assert len(audited.images_by_class) == 38
    assert 0.1 < (audited.relevant_pairs or 0) < 0.9
    chance = audited.chance
    assert 0 < (chance["single"] or 0) < (chance["disjoint"] or 0) < (chance["paper"] or 0) < 1
    assert of(audited, "overlap") == ["No query image is listed in the database or in the training split."]
