"""A CSV table that is given itself: its own splits, drawn ones, its audit, and what is said of other files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from data_pictures import CLASSES, LABELS, LISTED
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hashprobe.cli.main import app
from hashprobe.data import RetrievalData, audit_data, audit_folder, load, load_folder
from hashprobe.data.formats.drawing import draw_splits
from hashprobe.errors import HashprobeError
from hashprobe.seeds import numpy_generator


def splits_of(name: str) -> str:
    return "query" if name in LISTED["test"] else "database" + " train" * (name in LISTED["train"])


def write_table(
    path: Path, *, split: bool = True, delimiter: str = ",", names: list[str] | None = None
) -> Path:
    rows = [["path", *["split"][:split], *CLASSES]]
    for name in names or LABELS:
        rows.append([f"images/{name}.jpg", *[splits_of(name)][:split], *LABELS[name].split()])
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))
    return path


def labels_by_name(data: RetrievalData) -> dict[str, dict[str, list[int]]]:
    return {split: dict(zip(part.names, part.labels.tolist(), strict=True)) for split, part in data.splits()}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def unsplit(folder: Path) -> Path:
    return write_table(folder / "pictures.csv", split=False)


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    ("name", "delimiter"), [("table.csv", ","), ("my table.csv", ";"), ("table.tsv", "\t")]
)
def test_a_table_gives_what_its_folder_does(
    folder: Path, cache: Path, name: str, delimiter: str, as_text: bool
) -> None:
    expected = {
        split: dict(zip(part.names, part.labels.tolist(), strict=True))
        for split, part in load(folder, 32, cache_dir=cache).splits()
    }
    table = write_table(
        folder / name, delimiter=delimiter
    )  # beside lists in another format, which it leaves alone
    data = load(str(table) if as_text else table, image_size=32, cache_dir=cache)
    assert (data.name, data.class_names) == (table.stem, CLASSES)
    assert labels_by_name(data) == expected
    for path in folder.glob("*.txt"):
        path.unlink()
    if table.suffix == ".csv":
        alone = load(folder, image_size=32, cache_dir=cache)
        assert alone.split_sha256 == data.split_sha256
        np.testing.assert_array_equal(alone.query.images[:], data.query.images[:])


def test_a_name_alone_is_a_table_of_the_working_folder(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(folder / "table.csv")
    monkeypatch.chdir(folder)
    assert len(load("table.csv", 32, cache_dir=cache).query) == 2
    assert len(load_folder("table.csv", 32, cache_dir=cache).database) == 4


def test_a_table_may_lie_elsewhere_and_name_the_folder_of_its_images(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "lists").mkdir()
    table = write_table(tmp_path / "lists" / "table.csv")
    with pytest.raises(HashprobeError, match=r"table\.csv, line 2: the image images/t0\.jpg does not exist"):
        load(table, 32, cache_dir=cache)
    (tmp_path / "lists" / "source.txt").write_text("../pets")
    assert len(load(table, 32, cache_dir=cache, elsewhere=True).query) == 2


def test_of_two_tables_one_is_given(folder: Path, cache: Path) -> None:
    one, other = write_table(folder / "a.csv"), write_table(folder / "b.csv")
    for path in folder.glob("*.txt"):
        path.unlink()
    with pytest.raises(HashprobeError, match=r"found a\.csv, b\.csv: give one of them itself"):
        load(folder, 32, cache_dir=cache)
    assert load(one, 32, cache_dir=cache).split_sha256 == load(other, 32, cache_dir=cache).split_sha256


def test_splits_are_drawn_where_the_table_has_none(unsplit: Path, cache: Path) -> None:
    data = load(unsplit, 32, seed=5, cache_dir=cache, queries=2, train=3)
    listed = [f"images/{name}.jpg" for name in LABELS]
    order = numpy_generator(5, "splits", "table").permutation(6)
    assert data.query.names == tuple(listed[row] for row in sorted(order[:2]))
    assert data.database.names == tuple(listed[row] for row in sorted(order[2:]))
    assert data.train.names == tuple(listed[row] for row in sorted(order[2:5]))
    for _, part in data.splits():
        written = [[int(value) for value in LABELS[Path(name).stem].split()] for name in part.names]
        assert part.labels.tolist() == written
    assert load(unsplit, 32, seed=5, cache_dir=cache, queries=2, train=3).split_sha256 == data.split_sha256
    others = {load(unsplit, 32, seed=seed, cache_dir=cache, queries=2).split_sha256 for seed in range(6)}
    assert len(others) > 1
    whole = load(unsplit, 32, cache_dir=cache, queries=1)
    assert whole.train.names == whole.database.names


@given(
    images=st.integers(2, 60), queries=st.integers(1, 59), train=st.integers(1, 59), seed=st.integers(0, 9)
)
def test_a_draw_parts_all_images(images: int, queries: int, train: int, seed: int) -> None:
    if queries + train > images:
        with pytest.raises(HashprobeError, match=f"cannot be drawn from {images} images"):
            draw_splits(images, queries, train, seed, "x")
        return
    drawn = draw_splits(images, queries, train, seed, "x")
    assert [len(drawn[split]) for split in ("query", "database", "train")] == [
        queries,
        images - queries,
        train,
    ]
    assert sorted([*drawn["query"], *drawn["database"]]) == list(range(images))
    assert set(drawn["train"]) <= set(drawn["database"])


def test_an_image_that_is_listed_twice_is_never_drawn_into_two_splits(folder: Path, cache: Path) -> None:
    table = write_table(folder / "twice.csv", split=False, names=[*LABELS, *LABELS])
    for seed in range(4):
        with pytest.raises(HashprobeError, match=r"is listed already in line \d+; remove one of them"):
            load(table, 32, seed=seed, cache_dir=cache, queries=2)


def test_what_cannot_be_loaded_is_one_sentence(folder: Path, unsplit: Path, cache: Path) -> None:
    def refused(path: Path, message: str, **options: int) -> None:
        with pytest.raises(HashprobeError, match=message) as caught:
            load(path, 32, cache_dir=cache, **options)
        assert "\n" not in str(caught.value)

    no_split = r"pictures\.csv has no column split; write query, database or train .* as in queries=100\."
    refused(unsplit, no_split)
    refused(unsplit, no_split, train=3)
    refused(unsplit, "6 queries and 0 training images cannot be drawn from 6 images", queries=6)
    refused(unsplit, "2 queries and 5 training images cannot be drawn from 6 images", queries=2, train=5)
    refused(unsplit, "no option of the data set .* is named 'querys'; did you mean 'queries'", querys=2)
    split = write_table(folder / "split.csv")
    refused(
        split,
        r"split\.csv says which images each split has; leave the options queries and train out",
        train=1,
    )
    behind = folder / "behind.csv"
    behind.write_text("path,cat,split\nimages/t0.jpg,1,query\n")
    refused(
        behind, r"behind\.csv, line 1 has the column split behind a class; expected it behind path", queries=1
    )
    expected = (
        "is a file; expected a folder of lists, or a CSV table whose first line is path, split and the names"
    )
    (folder / "prices.csv").write_text("fruit,price\n")
    (folder / "empty.csv").write_text("")
    for name in ("images/t0.jpg", "classes.txt", "prices.csv", "empty.csv"):
        refused(folder / name, f"{name} {expected}")
    refused(folder / "nowhere.csv", r"nowhere\.csv does not exist; expected a folder of lists or a CSV table")
    refused(Path("nowhere.csv"), "^nowhere.csv does not exist")
    unsplit.write_text("path,cat\nimages/t0.jpg\n")
    refused(unsplit, r"pictures\.csv, line 2 is empty; expected a row of 0 and 1", queries=1)


def test_the_audit_of_a_table_is_that_of_its_folder(folder: Path, cache: Path) -> None:
    table = write_table(folder / "table.csv")
    alone = folder.parent / "alone"
    shutil.copytree(folder / "images", alone / "images")
    shutil.copy(table, alone / "table.csv")
    one, other = audit_folder(str(table), 32), audit_folder(alone, 32)
    assert (one.data, other.data) == ("table", "alone")
    assert one.split_sha256 == other.split_sha256 == load(table, 32, cache_dir=cache).split_sha256
    assert [finding.message for finding in one.findings] == [finding.message for finding in other.findings]
    table.write_text(table.read_text() + "images/d9.jpg,database,1,0,2\n,query,1,0,0\n")
    found = [finding.message for finding in audit_folder(table, 32).findings if finding.severity == "error"]
    assert found == [
        f"{table}, line 8 has the value '2'; expected only 0 and 1.",
        f"{table}, line 9 is empty; expected the path of an image.",
    ]


def test_the_audit_of_a_table_without_splits_draws_those_of_load(unsplit: Path, cache: Path) -> None:
    audited = audit_data(unsplit, image_size=32, seed=3, queries=2, train=2)
    assert audited.split_sha256 == load(unsplit, 32, 3, cache_dir=cache, queries=2, train=2).split_sha256
    notes = [finding.message for finding in audited.findings if finding.check == "lists"]
    assert notes == ["There is no column split; the splits are drawn with seed 3."]
    with pytest.raises(HashprobeError, match=r"pictures\.csv has no column split"):
        audit_data(unsplit)
    with pytest.raises(HashprobeError, match="is named 'query'; did you mean 'queries'"):
        audit_data(unsplit, query=2)


def test_the_verbs_take_a_table(unsplit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = ["--image-size", "32", "--data-option", "queries=2", "--data-option", "train=2"]
    shown = CliRunner().invoke(
        app, ["data", "show", str(unsplit), "--out", str(tmp_path / "sheet.png"), *options]
    )
    assert "pictures: 2 queries, 4 database, 2 train, 3 classes" in shown.stdout
    checked = CliRunner().invoke(app, ["data", "check", str(unsplit), *options])
    assert checked.exit_code == 0
    assert "pictures: query 2, database 4, train 2 images, 3 classes" in checked.stdout
