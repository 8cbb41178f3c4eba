"""List format 1: what is understood, and one clear sentence for each thing that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashprobe.data.formats.listing import Listing
from hashprobe.data.formats.paths import clean_path
from hashprobe.data.formats.reading import read_listing
from hashprobe.data.images.image_files import ImageFiles
from hashprobe.errors import HashprobeError


def read_lists(folder: Path) -> Listing:
    return read_listing(folder, ImageFiles(folder))


def test_lists_are_read_in_their_order(folder: Path) -> None:
    listing = read_lists(folder)
    assert listing.class_names == ("cat", "dog", "sun")
    assert listing.query.names == ("images/t0.jpg", "images/t1.jpg")
    assert listing.train.names == ("images/d2.jpg", "images/d0.jpg")
    assert listing.database.labels.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]]
    assert listing.database.labels.dtype == np.uint8
    assert listing.distinct_names() == tuple(
        f"images/{name}.jpg" for name in ("t0", "t1", "d0", "d1", "d2", "d3")
    )
    assert listing.where("images/d1.jpg") == f"{folder / 'database_img.txt'}, line 2"


@pytest.mark.parametrize(
    "change", ["crlf", "trailing spaces", "tabs", "mark", "blank end", "windows", "dots"]
)
def test_harmless_differences_do_not_matter(folder: Path, change: str) -> None:
    expected = read_lists(folder)
    for path in folder.glob("*.txt"):
        text = path.read_text()
        is_labels, is_images = path.name.endswith("_label.txt"), path.name.endswith("_img.txt")
        if change == "crlf":
            path.write_bytes(text.replace("\n", "\r\n").encode())
        elif change == "trailing spaces":
            path.write_text(text.replace("\n", "  \n"))
        elif change == "tabs" and is_labels:
            path.write_text(text.replace(" ", "\t"))
        elif change == "mark":
            path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        elif change == "blank end":
            path.write_text(text + "\n \n")
        elif change == "windows" and is_images:
            path.write_text(text.replace("/", "\\"))
        elif change == "dots" and is_images:
            path.write_text(text.replace("images/", "./images//"))
    found = read_lists(folder)
    assert found.class_names == expected.class_names
    for split in ("query", "database", "train"):
        assert getattr(found, split).names == getattr(expected, split).names
        np.testing.assert_array_equal(getattr(found, split).labels, getattr(expected, split).labels)


def test_a_last_line_without_a_line_end_counts(folder: Path) -> None:
    path = folder / "test_img.txt"
    path.write_text(path.read_text().rstrip("\n"))
    assert len(read_lists(folder).query.names) == 2


def test_classes_without_a_list_are_numbered(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    assert read_lists(folder).class_names == ("class 1", "class 2", "class 3")


def test_training_images_may_repeat_and_may_be_outside_the_database(folder: Path) -> None:
    (folder / "train_img.txt").write_text("images/d0.jpg\nimages/new.jpg\nimages/d0.jpg\n")
    (folder / "train_label.txt").write_text("1 1 0\n0 0 1\n1 1 0\n")
    listing = read_lists(folder)
    assert listing.train.names == ("images/d0.jpg", "images/new.jpg", "images/d0.jpg")
    assert listing.distinct_names()[-1] == "images/new.jpg"


# file, what it becomes, what the message must say (FOLDER stands for the folder)
WRONG = {
    "missing image list": (
        "test_img.txt",
        None,
        "FOLDER/test_img.txt does not exist; a folder of lists needs",
    ),
    "missing label list": ("train_label.txt", None, "FOLDER/train_label.txt does not exist"),
    "empty split": ("test_*", "", "FOLDER/test_img.txt lists no image; every split needs at least one"),
    "empty database": ("database_*", "", "FOLDER/database_img.txt lists no image"),
    "short row": (
        "database_label.txt",
        "1 1 0\n0 0 0\n0 1\n1 0 0\n",
        "FOLDER/database_label.txt, line 3 has 2 values; expected 3 as in line 1",
    ),
    "long row in another list": (
        "test_label.txt",
        "1 0 0\n0 0 1 1\n",
        "FOLDER/test_label.txt, line 2 has 4 values; expected 3 as in FOLDER/database_label.txt",
    ),
    "blank row": (
        "database_label.txt",
        "1 1 0\n\n0 1 1\n1 0 0\n",
        "FOLDER/database_label.txt, line 2 is empty; expected a row of 0 and 1",
    ),
    "blank first row": (
        "database_label.txt",
        "\n1 1 0\n0 1 1\n1 0 0\n",
        "line 1 is empty; expected a row of 0 and 1",
    ),
    "minus one": (
        "train_label.txt",
        "0 1 1\n1 -1 0\n",
        "FOLDER/train_label.txt, line 2 has the value '-1'; expected only 0 and 1",
    ),
    "two": ("train_label.txt", "0 1 2\n1 1 0\n", "line 1 has the value '2'; expected only 0 and 1"),
    "double digit": ("train_label.txt", "0 1 1\n1 11 0\n", "line 2 has the value '11'"),
    "other digit": ("train_label.txt", "0 1 ١\n1 1 0\n", "line 1 has the value '١'"),
    "fewer rows": (
        "database_label.txt",
        "1 1 0\n0 0 0\n0 1 1\n",
        "FOLDER/database_img.txt lists 4 images but FOLDER/database_label.txt has 3 rows",
    ),
    "blank path": (
        "test_img.txt",
        "images/t0.jpg\n\nimages/t1.jpg\n",
        "FOLDER/test_img.txt, line 2 is empty; expected the path of an image",
    ),
    "outside": (
        "test_img.txt",
        "images/t0.jpg\nimages/../../secret.jpg\n",
        "FOLDER/test_img.txt, line 2: 'images/../../secret.jpg' leads out of the folder",
    ),
    "outside for Windows": (
        "test_img.txt",
        "images/t0.jpg\n..\\t1.jpg\n",
        "line 2: '..\\\\t1.jpg' leads out of the folder",
    ),
    "absolute": (
        "test_img.txt",
        "/etc/passwd\nimages/t1.jpg\n",
        "line 1: '/etc/passwd' leads out of the folder",
    ),
    "drive": (
        "test_img.txt",
        "C:\\t0.jpg\nimages/t1.jpg\n",
        "line 1: 'C:\\\\t0.jpg' leads out of the folder",
    ),
    "folder": ("test_img.txt", "./\nimages/t1.jpg\n", "line 1: './' is a folder"),
    "query in database": (
        "test_img.txt",
        "images/t0.jpg\nimages/d2.jpg\n",
        "FOLDER/database_img.txt, line 3: images/d2.jpg is a query image too "
        "(FOLDER/test_img.txt, line 2); 1 such in all",
    ),
    "query in train": (
        "train_img.txt",
        "images/t1.jpg\nimages/d0.jpg\n",
        "FOLDER/train_img.txt, line 1: images/t1.jpg is a query image too (FOLDER/test_img.txt, line 2)",
    ),
    "twice in the database": (
        "database_img.txt",
        "images/d0.jpg\nimages/d1.jpg\nimages/d2.jpg\n./images/d0.jpg\n",
        "FOLDER/database_img.txt, line 4: images/d0.jpg is listed already in line 1",
    ),
    "twice in the query": (
        "test_img.txt",
        "images/t0.jpg\nimages/t0.jpg\n",
        "line 2: images/t0.jpg is listed already",
    ),
    "two labels": (
        "train_label.txt",
        "0 1 1\n1 1 1\n",
        "FOLDER/train_label.txt, line 2 and FOLDER/database_label.txt, line 1 give the same image, "
        "images/d0.jpg, different labels",
    ),
    "too few classes": (
        "classes.txt",
        "cat\ndog\n",
        "FOLDER/classes.txt names 2 classes but the rows of FOLDER/database_label.txt have 3 values",
    ),
    "blank class": (
        "classes.txt",
        "cat\n\nsun\n",
        "FOLDER/classes.txt, line 2 is empty; expected the name of a class",
    ),
    "class twice": ("classes.txt", "cat\ndog\ncat\n", "line 3 names the class 'cat' again (line 1)"),
    "not text": ("classes.txt", b"\xff\xfe\x00", "FOLDER/classes.txt is not a UTF-8 text file (byte 0)"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_is_one_sentence(folder: Path, case: str) -> None:
    pattern, content, message = WRONG[case]
    for path in list(folder.glob(pattern)):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(HashprobeError, match=re.escape(message.replace("FOLDER", str(folder)))) as caught:
        read_lists(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_list_that_is_a_folder_is_one_sentence(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    (folder / "classes.txt").mkdir()
    with pytest.raises(HashprobeError, match=r"classes\.txt cannot be read \(Is a directory\)"):
        read_lists(folder)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    labels=st.integers(1, 90).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 1), min_size=width, max_size=width), min_size=1, max_size=5
        )
    )
)
def test_label_rows_of_any_width_are_read_as_they_are_written(
    tmp_path: Path, labels: list[list[int]]
) -> None:
    for prefix in ("test", "database", "train"):
        (tmp_path / f"{prefix}_img.txt").write_text(
            "".join(f"{prefix}{row}.png\n" for row in range(len(labels)))
        )
        (tmp_path / f"{prefix}_label.txt").write_text(
            "".join(" ".join(map(str, row)) + " \n" for row in labels)
        )
    assert read_lists(tmp_path).query.labels.tolist() == labels


@given(parts=st.lists(st.sampled_from(["a", "b.jpg", "..", ".", "", "c d"]), min_size=1, max_size=6))
def test_a_cleaned_path_never_leaves_the_folder(parts: list[str]) -> None:
    try:
        cleaned = clean_path("/".join(parts), "list, line 1")
    except HashprobeError:
        return
    assert ".." not in cleaned.split("/")
    assert not cleaned.startswith("/")
    assert clean_path(cleaned, "list, line 1") == cleaned
