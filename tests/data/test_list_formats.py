"""List formats 2, 3 and 4, tables, VOC 2007 and CIFAR-10: what is understood, and what is said of the rest."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_pictures import CLASSES, LABELS, LISTED, jpeg, picture, write_until_seen
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.data import RetrievalData, audit_folder, load
from hashprobe.data.formats.line_lists import _PATH
from hashprobe.data.formats.listing import Listing
from hashprobe.data.formats.reading import read_listing
from hashprobe.data.formats.voc import CLASS_NAMES
from hashprobe.data.images.decoding import decode_image
from hashprobe.data.images.image_files import ImageFiles, source_text
from hashprobe.errors import HashprobeError

IntoTar = Callable[[Path, str, list[str]], None]


def read(folder: Path) -> Listing:
    return read_listing(folder, ImageFiles(folder))


def clear(folder: Path) -> None:
    """Remove the lists of format 1, and keep the images and the names of the classes."""
    for path in folder.glob("*_*.txt"):
        path.unlink()


def write_lines(folder: Path, prefix: str, names: list[str], before: str = "images/", file: str = "") -> None:
    lines = [f"{before}{name}.jpg {LABELS[name]}\n" for name in names]
    (folder / (file or f"{prefix}.txt")).write_text("".join(lines))


def as_format_2(folder: Path, before: str = "images/") -> None:
    clear(folder)
    for prefix, names in LISTED.items():
        write_lines(folder, prefix, names, before)


def as_format_3(folder: Path) -> None:
    for prefix, names in LISTED.items():
        (folder / f"{prefix}_label.txt").rename(folder / f"{prefix}_label_onehot.txt")
        numbers = [[str(n) for n, one in enumerate(LABELS[name].split()) if one == "1"] for name in names]
        (folder / f"{prefix}_label.txt").write_text("".join(" ".join(row) + "\n" for row in numbers))


def as_format_4(folder: Path) -> None:
    as_format_2(folder)
    for prefix, cut in (("database", 3), ("test", 1)):
        (folder / f"{prefix}.txt").unlink()
        write_lines(folder, prefix, LISTED[prefix][:cut], file=f"{prefix}0.txt")
        write_lines(folder, prefix, LISTED[prefix][cut:], file=f"{prefix}1.txt")


def as_table(folder: Path, delimiter: str = ",") -> None:
    clear(folder)
    (folder / "classes.txt").unlink()
    rows = [["path", "split", *CLASSES]]
    for name, labels in LABELS.items():
        split = "query" if name in LISTED["test"] else "database"
        rows.append([f"images/{name}.jpg", split + " train" * (name in LISTED["train"]), *labels.split()])
    (folder / "my images.csv").write_text("".join(delimiter.join(row) + "\n" for row in rows))


FORMATS: dict[str, Callable[[Path], None]] = {
    "2": as_format_2,
    "3": as_format_3,
    "4": as_format_4,
    "table": as_table,
}


def by_name(data: RetrievalData | Listing, split: str) -> dict[str, list[int]]:
    part = getattr(data, split)
    return dict(zip(part.names, part.labels.tolist(), strict=True))


@pytest.mark.parametrize("change", ["", "crlf", "trailing spaces", "mark", "blank end", "windows", "dots"])
@pytest.mark.parametrize("name", list(FORMATS))
def test_each_format_gives_what_format_1_does(folder: Path, tmp_path: Path, name: str, change: str) -> None:
    expected = load(folder, image_size=32, cache_dir=tmp_path / "one")
    FORMATS[name](folder)
    for path in [*folder.glob("*.txt"), *folder.glob("*.csv")]:
        text, is_label = path.read_text(), "_label" in path.name
        if change == "windows" and not is_label:
            text = text.replace("images/", "images\\")
        elif change == "dots" and not is_label:
            text = text.replace("images/", "./images//")
        elif change == "trailing spaces":
            text = text.replace("\n", "  \n")
        elif change == "blank end":
            text += "\n \n"
        text = text.replace("\n", "\r\n") if change == "crlf" else text
        path.write_bytes(b"\xef\xbb\xbf" * (change == "mark") + text.encode())
    data = load(folder, image_size=32, cache_dir=tmp_path / "other")
    assert data.class_names == expected.class_names
    for split in ("query", "database", "train"):
        assert by_name(data, split) == by_name(expected, split)
        part = getattr(data, split)
        for row, image in enumerate(part.names):
            np.testing.assert_array_equal(part.images[row], decode_image((folder / image).read_bytes(), 32))


PREFIXES = [
    "./data/pets/images/",
    "../pets/images/",
    "/home/someone/run/pets/images/",
    "D:\\data\\images\\",
    "x/",
]


@pytest.mark.parametrize("packed", [False, True], ids=["files", "tar"])
@pytest.mark.parametrize("before", PREFIXES)
def test_what_other_machines_put_before_a_path_is_left_out(
    folder: Path, into_tar: IntoTar, before: str, packed: bool
) -> None:
    as_format_2(folder, before)
    if before == "x/":
        for image in (folder / "images").iterdir():
            image.rename(folder / image.name)
    where = "" if before == "x/" else "images/"
    if packed:
        into_tar(folder, "images.tar", [f"{where}{name}.jpg" for name in LABELS])
    listing = read(folder)
    assert listing.query.names == (f"{where}t0.jpg", f"{where}t1.jpg")
    assert listing.train.names == (f"{where}d2.jpg", f"{where}d0.jpg")


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1e"])
@pytest.mark.parametrize("name", ["1", *FORMATS])
def test_a_path_may_hold_what_ends_a_line_elsewhere(folder: Path, name: str, odd: str) -> None:
    if name != "1":
        FORMATS[name](folder)
    before = read(folder).database
    (folder / "images/d1.jpg").rename(folder / f"images/d{odd}1.jpg")
    for path in [*folder.glob("*.txt"), *folder.glob("*.csv")]:
        path.write_text(path.read_text().replace("d1.jpg", f"d{odd}1.jpg"))
    after = read(folder).database
    assert after.names == tuple(image.replace("d1.jpg", f"d{odd}1.jpg") for image in before.names)
    assert after.labels.tolist() == before.labels.tolist()


def test_each_split_may_have_another_prefix(folder: Path) -> None:
    as_format_2(folder)
    write_lines(folder, "train", LISTED["train"], "C:\\photos\\images\\")
    assert set(read(folder).train.names) <= set(read(folder).database.names)


def test_no_more_is_left_out_than_it_takes(folder: Path) -> None:
    for image in (folder / "images").iterdir():
        (folder / image.name).write_bytes(b"another image of the same name")
    assert read(folder).query.names == ("images/t0.jpg", "images/t1.jpg")


def test_a_prefix_stays_where_no_image_is_found(folder: Path, tmp_path: Path) -> None:
    as_format_2(folder, "coco/images/")
    for image in (folder / "images").iterdir():
        image.unlink()
    with pytest.raises(
        HashprobeError, match=r"test\.txt, line 1: the image coco/images/t0\.jpg does not exist"
    ):
        load(folder, image_size=32, cache_dir=tmp_path)
    as_format_2(folder, "/home/someone/")
    with pytest.raises(HashprobeError, match=r"test\.txt, line 1: '/home/someone/t0\.jpg' leads out"):
        load(folder, image_size=32, cache_dir=tmp_path)


def test_shards_are_joined_in_the_order_of_their_numbers(folder: Path) -> None:
    as_format_2(folder)
    (folder / "database.txt").unlink()
    for number in range(11):
        write_lines(folder, "", [f"d{number % 4}"], f"images/{number}-", f"database{number}.txt")
    listing = read(folder)
    assert listing.database.names == tuple(f"images/{number}-d{number % 4}.jpg" for number in range(11))
    assert listing.where("images/10-d2.jpg") == f"{folder / 'database10.txt'}, line 1"


@given(
    path=st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=9),
    extension=st.sampled_from([".jpg", ".JPEG", ".png", ".webp"]),
    labels=st.lists(st.sampled_from("01"), min_size=1, max_size=30),
)
def test_a_path_with_spaces_ends_where_its_extension_does(
    path: str, extension: str, labels: list[str]
) -> None:
    path = path.strip() + extension
    line = f"{path} {' '.join(labels)}"
    match = _PATH.match(line)
    assert match
    assert (match[1], line[match.end() :].split()) == (path, labels)


def test_a_cell_in_quotes_may_hold_a_line_end_and_lines_are_still_named(folder: Path) -> None:
    as_table(folder, ";")
    table = folder / "my images.csv"
    table.write_text('path;split;"cat\nbig";dog;sun\n"images/t0.jpg";query;1;0;2\n')
    with pytest.raises(HashprobeError, match=r"my images\.csv, line 3 has the value '2'"):
        read(folder)


def test_without_a_training_list_format_3_trains_on_the_database(folder: Path) -> None:
    as_format_3(folder)
    for path in folder.glob("train_*"):
        path.unlink()
    listing = read(folder)
    assert listing.train.names == listing.database.names
    assert listing.notes == ("there is no training list; the whole database is the training split",)


# format, file, what it becomes (None: removed), what the message must say
WRONG = {
    "no row": ("2", "test.txt", "images/t0.jpg 1 0 0\nimages/t1.jpg\n", "test.txt, line 2 has no label row"),
    "wrong token": ("2", "train.txt", "images/d0.jpg 1 x 0\n", "train.txt, line 1 has the value 'x'"),
    "short row": (
        "2",
        "test.txt",
        "images/t0.jpg 1 0\n",
        "test.txt, line 1 has 2 values; expected 3 as in FOLDER/database.txt",
    ),
    "blank line": (
        "2",
        "database.txt",
        "images/d0.jpg 1 1 0\n\nimages/d1.jpg 0 0 0\n",
        "line 2 has no label row",
    ),
    "missing list": (
        "2",
        "train.txt",
        None,
        "FOLDER/train.txt does not exist; a folder of lists needs database",
    ),
    "query in database": (
        "2",
        "test.txt",
        "images/d2.jpg 0 1 1\n",
        "FOLDER/database.txt, line 3: images/d2.jpg is a query image too (FOLDER/test.txt, line 1)",
    ),
    "numbers disagree": (
        "3",
        "database_label.txt",
        "0 1\n\n1\n0\n",
        "FOLDER/database_label.txt, line 3 gives the classes 1, but FOLDER/database_label_onehot.txt, "
        "line 3 gives 1 2 (counted from 0)",
    ),
    "missing shard": (
        "4",
        "database0.txt",
        None,
        "FOLDER/database0.txt does not exist, but database1.txt does",
    ),
    "list and shards": (
        "4",
        "test.txt",
        "images/t0.jpg 1 0 0\n",
        "test.txt stands beside its shards (test0.txt, ",
    ),
    "row of a later shard": (
        "4",
        "database1.txt",
        "images/d3.jpg 1 0\n",
        "FOLDER/database1.txt, line 1 has 2 values; expected 3 as in FOLDER/database0.txt, line 1",
    ),
    "twice in two shards": (
        "4",
        "database1.txt",
        "images/d0.jpg 1 1 0\n",
        "FOLDER/database1.txt, line 1: images/d0.jpg is listed already in FOLDER/database0.txt, line 1",
    ),
    "unknown split": (
        "table",
        "my images.csv",
        "path,split,cat\nimages/t0.jpg,query,1\nimages/d0.jpg,test,1\n",
        "my images.csv, line 3 has 'test' in the column split; expected query, database, train",
    ),
    "no split": (
        "table",
        "my images.csv",
        "path,split,cat\nimages/t0.jpg,,1\n",
        "line 2 has nothing in the column",
    ),
    "no class": ("table", "my images.csv", "path,split\nimages/t0.jpg,query\n", "line 1 names no class"),
    "class twice": ("table", "my images.csv", "path,split,a,a\n", "line 1 names the class 'a' twice"),
    "nameless class": (
        "table",
        "my images.csv",
        "path,split,a,\n",
        "line 1 has a column without a name (column 4)",
    ),
    "short table row": (
        "table",
        "my images.csv",
        "path,split,a,b\nimages/t0.jpg,query,1\n",
        "line 2 has 1 values; expected 2 as in line 1, which names the classes",
    ),
    "no query": (
        "table",
        "my images.csv",
        "path,split,a\nimages/d0.jpg,database train,1\n",
        "my images.csv lists no query image; every split needs at least one",
    ),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_is_one_sentence(folder: Path, case: str) -> None:
    name, file, content, message = WRONG[case]
    FORMATS[name](folder)
    (folder / file).unlink() if content is None else (folder / file).write_text(content)
    with pytest.raises(HashprobeError, match=re.escape(message.replace("FOLDER", str(folder)))) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def test_no_format_and_two_formats_are_one_sentence(folder: Path) -> None:
    write_lines(folder, "database", LISTED["database"])
    with pytest.raises(
        HashprobeError, match=r"holds lists in 2 formats: database_img\.txt and .*; database\.txt"
    ):
        read(folder)
    clear(folder)
    (folder / "database.txt").unlink()
    (folder / "prices.csv").write_text("fruit,price\n")
    with pytest.raises(HashprobeError, match=r"pets holds no lists; expected one of: .*official archive"):
        read(folder)
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text("path,split,cat\n")
    with pytest.raises(
        HashprobeError, match=r"one CSV file with the columns path and split; found a\.csv, b\.csv"
    ):
        read(folder)


def test_source_names_the_folder_of_the_images(folder: Path, tmp_path: Path) -> None:
    expected = load(folder, image_size=32, cache_dir=tmp_path / "cache")
    lists = tmp_path / "lists"
    lists.mkdir()
    for path in folder.glob("*.txt"):
        path.rename(lists / path.name)
    for written in ("../pets", str(folder), f"{folder}\n"):
        (lists / "source.txt").write_text(written)
        with pytest.raises(
            HashprobeError, match=r"source\.txt names .*, a folder elsewhere, and was not written by"
        ):
            load(lists, image_size=32, cache_dir=tmp_path / "cache")
        data = load(lists, image_size=32, cache_dir=tmp_path / "cache", elsewhere=True)
        assert data.split_sha256 == expected.split_sha256
        np.testing.assert_array_equal(data.query.images[:], expected.query.images[:])
    for written in ("../nowhere", "", "../pets\n../pets"):
        (lists / "source.txt").write_text(written)
        with pytest.raises(HashprobeError, match=r"source\.txt names .*, which is no folder; write into it"):
            load(lists, image_size=32, cache_dir=tmp_path / "cache")


def test_a_source_within_the_folder_or_marked_by_this_machine_needs_no_leave(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load(folder, image_size=32, cache_dir=tmp_path / "cache").split_sha256
    (folder / "source.txt").write_text(".")
    assert load(folder, image_size=32, cache_dir=tmp_path / "cache").split_sha256 == expected
    (lists := tmp_path / "lists").mkdir()
    for path in folder.glob("*.txt"):
        path.rename(lists / path.name)
    (lists / "source.txt").write_text(source_text(folder))
    assert load(lists, image_size=32, cache_dir=tmp_path / "cache").split_sha256 == expected
    monkeypatch.setattr("os.getuid", lambda: 12345)  # as if it came from another machine or user
    with pytest.raises(HashprobeError, match="not written by hashprobe data build on this machine"):
        load(lists, image_size=32, cache_dir=tmp_path / "cache")
    with pytest.raises(HashprobeError, match="allow that by the data set's option elsewhere=true"):
        audit_folder(lists, 32)
    assert audit_folder(lists, 32, elsewhere=True).split_sha256 == expected


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Three images in trainval and two in test, as the archives unpack."""
    root = tmp_path / "voc"
    main, images = root / "VOCdevkit/VOC2007/ImageSets/Main", root / "VOCdevkit/VOC2007/JPEGImages"
    main.mkdir(parents=True)
    images.mkdir()
    for name, numbers in (("trainval", ["000005", "000007", "000009"]), ("test", ["000001", "000002"])):
        (main / f"{name}.txt").write_text("".join(f"{number}\n" for number in numbers))
        for number in numbers:
            (images / f"{number}.jpg").write_bytes(jpeg(picture(int(number))))
        for column, class_name in enumerate(CLASS_NAMES):
            flags = {0: " 1", 1: "-1", 2: " 0"}
            lines = [f"{number} {flags[(int(number) + column) % 3]}\n" for number in numbers]
            (main / f"{class_name}_{name}.txt").write_text("".join(lines))
    return root


@pytest.mark.parametrize("below", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_voc_2007_is_read_as_torchvision_lays_it_out(voc: Path, tmp_path: Path, below: str) -> None:
    data = load(voc / below, image_size=32, cache_dir=tmp_path / "cache")
    assert [len(data.query), len(data.database), len(data.train)] == [2, 3, 3]
    assert (data.classes, data.class_names[0], data.class_names[-1]) == (20, "aeroplane", "tvmonitor")
    assert data.database.names[0].endswith("JPEGImages/000005.jpg")
    expected = [[int((number + column) % 3 == 0) for column in range(20)] for number in (5, 7, 9)]
    assert data.database.labels.tolist() == expected


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("test.txt", None, "test.txt does not exist; VOC 2007 has it in VOCtrainval"),
        (
            "cat_test.txt",
            "000001  1\n000003 -1\n",
            "cat_test.txt, line 2 is '000003 -1'; expected an image of",
        ),
        ("cat_test.txt", "000001  2\n000002 -1\n", "cat_test.txt, line 1 is '000001  2'"),
        ("cat_test.txt", "000001  1\n", "cat_test.txt has 1 of 2 images"),
        ("cat_test.txt", None, "cat_test.txt does not exist"),
    ],
)
def test_a_damaged_voc_2007_is_one_sentence(voc: Path, file: str, content: str | None, message: str) -> None:
    path = voc / "VOCdevkit/VOC2007/ImageSets/Main" / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(HashprobeError, match=re.escape(message)):
        read(voc)


def cifar_batch(number: int, count: int) -> bytes:
    rng = np.random.default_rng(number)
    return b"".join(
        bytes([(number + row) % 10]) + rng.integers(0, 256, 3072, dtype=np.uint8).tobytes()
        for row in range(count)
    )


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """Two records a batch, as the binary archive unpacks."""
    root = tmp_path / "cifar"
    (root / "cifar-10-batches-bin").mkdir(parents=True)
    for number, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        (root / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(cifar_batch(number, 2))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (root / "cifar-10-batches-bin" / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    return root


def test_cifar_10_is_read_from_its_binary_version_exactly(cifar: Path, tmp_path: Path) -> None:
    data = load(cifar, image_size=32, cache_dir=tmp_path / "cache")
    assert [len(data.query), len(data.database), len(data.train)] == [2, 10, 10]
    assert data.class_names[3] == "cat"
    assert data.query.labels.argmax(axis=1).tolist() == [5, 6]
    assert data.database.labels.argmax(axis=1).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    record = cifar_batch(2, 2)[3073 + 1 :]
    np.testing.assert_array_equal(data.database.images[5], np.frombuffer(record, np.uint8).reshape(3, 32, 32))
    changed = cifar / "cifar-10-batches-bin" / "test_batch.bin"
    other = changed.read_bytes()[:3073] + b"\x06" + bytes(3072)
    write_until_seen(changed, lambda: changed.write_bytes(other))
    assert load(cifar, image_size=32, cache_dir=tmp_path / "cache").query.images[1].max() == 0


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("test_batch.bin", None, "test_batch.bin does not exist; CIFAR-10 has it in cifar-10-binary.tar.gz"),
        (
            "test_batch.bin",
            bytes(3072),
            "test_batch.bin has 3072 bytes; expected a multiple of 3073: is it truncated?",
        ),
        (
            "data_batch_2.bin",
            bytes(3073) + b"\x0a" + bytes(3072),
            "data_batch_2.bin, record 2 has the class 10",
        ),
        ("batches.meta.txt", b"cat\ndog\n", "batches.meta.txt must name 10 classes, one a line; found 2"),
    ],
)
def test_a_damaged_cifar_10_is_one_sentence(
    cifar: Path, file: str, content: bytes | None, message: str
) -> None:
    path = cifar / "cifar-10-batches-bin" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(HashprobeError, match=re.escape(message)):
        read(cifar)


class Opened(Exception):
    """Raised where a pickle is loaded."""


def _open() -> None:
    raise Opened


class Trap:
    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _open, ()


def test_a_pickle_is_refused_and_not_opened(tmp_path: Path) -> None:
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (batches / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(
        HashprobeError, match=r"holds pickles, which hashprobe does not open.*cifar-10-binary"
    ):
        load(tmp_path, cache_dir=tmp_path / "cache")
