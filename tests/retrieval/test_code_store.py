from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import store as store_module
from retrieval import plain

CASE = plain.random_case(0, queries=4, items=50, bits=12, classes=9)
CODES, LABELS = retrieval.pack(CASE["database"]), CASE["database_labels"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "database.codes"
    retrieval.write_code_store(path, CODES, LABELS, bits=12, model="abc")
    return path


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (None, [0, 49, 7]),
        ([10**12 + row for row in range(50)], [10**12, 10**12 + 49, 10**12 + 7]),
        (np.arange(50, dtype=np.int32) * 2, [0, 98, 14]),
        ([f"bild_ä{row}.jpg" for row in range(50)], ["bild_ä0.jpg", "bild_ä49.jpg", "bild_ä7.jpg"]),
        (["", "x"] * 25, ["", "x", "x"]),
    ],
)
def test_what_is_written_is_read(
    tmp_path: Path, ids: Any, found: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ROWS_AT_ONCE", 7)
    path = tmp_path / "new" / "database.codes"
    retrieval.write_code_store(path, CODES, LABELS, bits=12, model="abc", ids=ids)
    store = retrieval.open_code_store(path, bits=12, model="abc")
    store.verify()
    assert (len(store), store.bits, store.model) == (50, 12, "abc")
    assert isinstance(store.codes, np.memmap)
    assert not store.codes.flags.writeable
    np.testing.assert_array_equal(store.codes, CODES)
    np.testing.assert_array_equal(store.labels.unpack(), LABELS)
    assert store.ids([0, 49, 7]) == found


def test_a_store_is_ranked_as_its_arrays_are(path: Path, small_blocks: None) -> None:
    store = retrieval.open_code_store(path)
    queries, labels = retrieval.pack(CASE["queries"]), CASE["query_labels"]
    np.testing.assert_array_equal(
        retrieval.average_precision(queries, store.codes, labels, store.labels, bits=12),
        retrieval.average_precision(queries, CODES, labels, LABELS, bits=12),
    )


def test_equal_input_gives_equal_bytes(path: Path, tmp_path: Path) -> None:
    retrieval.write_code_store(tmp_path / "again", CODES, LABELS, bits=12, model="abc")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def damaged(path: Path, start: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + len(data)] = data
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "could not read .*database.codes: No such file"),
        (lambda path: path.write_bytes(b""), "is not a code store"),
        (lambda path: path.write_bytes(b"\x93NUMPY" * 400), "is not a code store"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:500]),
            "is truncated: 500 bytes, not even a header",
        ),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"is truncated: \d+ bytes instead of \d+"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "has something behind its end"),
        (lambda path: damaged(path, 8, b"\x02"), "of version 2; this hashprobe reads version 1"),
        (lambda path: damaged(path, 20, b"\xff\xff"), "has a damaged header"),
    ],
)
def test_a_damaged_store_is_refused(path: Path, damage: Any, message: str) -> None:
    damage(path)
    with pytest.raises(HashprobeError, match=message):
        retrieval.open_code_store(path)


def test_changed_contents_fail_the_check(path: Path) -> None:
    damaged(path, store_module.HEADER_BYTES + 3, b"\x00" if CODES[1, 1] else b"\x10")
    with pytest.raises(HashprobeError, match="does not match its checksum"):
        retrieval.open_code_store(path).verify()


def test_codes_of_another_kind_are_refused(path: Path) -> None:
    with pytest.raises(HashprobeError, match="holds codes of 12 bits, but 32 bits are wanted"):
        retrieval.open_code_store(path, bits=32)
    with pytest.raises(HashprobeError, match="was made by model abc, not by xyz"):
        retrieval.open_code_store(path, model="xyz")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": LABELS[:3]}, "codes has 50 rows but labels has 3"),
        ({"labels": LABELS * 2}, "labels must hold 0 and 1 alone"),
        ({"codes": CODES | 1}, "codes: the last 4 bits of a row must be 0"),
        ({"ids": [1, 2]}, "ids has 2 entries but there are 50 codes"),
        ({"ids": [1, "a"] * 25}, "all whole numbers or all texts"),
        ({"model": ""}, "model must be the model's hash"),
    ],
)
def test_a_failed_writing_leaves_the_old_file(path: Path, changed: dict[str, Any], message: str) -> None:
    before = path.read_bytes()
    given = {"codes": CODES, "labels": LABELS, "bits": 12, "model": "new"} | changed
    with pytest.raises(HashprobeError, match=message):
        retrieval.write_code_store(path, **given)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_rows_beyond_the_store_have_no_id(path: Path) -> None:
    with pytest.raises(HashprobeError, match="rows must be a list of numbers from 0 to 49"):
        retrieval.open_code_store(path).ids([50])
