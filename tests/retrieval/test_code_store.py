from __future__ import annotations

import hashlib
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashprobe import retrieval
from hashprobe.errors import HashprobeError
from hashprobe.retrieval.store import code_store as store_module
from hashprobe.retrieval.store import ids as ids_module
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
        (np.array(["a", "bc"] * 25), ["a", "bc", "bc"]),
        ([f"{row}\udcff" for row in range(50)], ["0\udcff", "49\udcff", "7\udcff"]),
        (np.arange(50, dtype=np.uint64) + 2**62, [2**62, 2**62 + 49, 2**62 + 7]),
        (torch.arange(50) - 2**63, [-(2**63), -(2**63) + 49, -(2**63) + 7]),
    ],
)
def test_what_is_written_is_read(
    tmp_path: Path, ids: Any, found: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(ids_module, "IDS_AT_ONCE", 7)
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


def old_version() -> bytes:
    return struct.pack("<8sII", b"hashcode", 1, 2) + b"{}".ljust(1200, b"\0")


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
        (lambda path: path.write_bytes(old_version()), "of version 1; this hashprobe reads version 2"),
        (lambda path: damaged(path, 8, b"\x03"), "of version 3; this hashprobe reads version 2"),
        (lambda path: damaged(path, 20, b"\xff\xff"), "has a damaged header"),
    ],
)
def test_a_damaged_store_is_refused(path: Path, damage: Any, message: str) -> None:
    damage(path)
    with pytest.raises(HashprobeError, match=message):
        retrieval.open_code_store(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(place=st.integers(0, 200) | st.integers(0, store_module.HEADER_BYTES - 1), change=st.integers(1, 255))
def test_a_header_with_one_other_byte_is_refused(path: Path, place: int, change: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= change
    other = path.with_name("other")
    other.write_bytes(bytes(content))
    with pytest.raises(HashprobeError):
        retrieval.open_code_store(other)


HEADER = {"bits": 12, "classes": 9, "items": 50, "model": "a", "ids": "rows", "text_bytes": 0, "sha256": ""}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((json.dumps({k: v for k, v in HEADER.items() if k != name}), "damaged header") for name in HEADER),
        *((json.dumps(HEADER | {name: None}), "damaged header") for name in HEADER),
        *((json.dumps(HEADER | {name: -1}), "damaged header") for name in HEADER),
        *((json.dumps(HEADER | {"bits": bits}), "damaged header") for bits in (0, 1025, 12.0, True)),
        (json.dumps(HEADER | {"other": 1}), "damaged header"),
        ("[1]", "damaged header"),
        ("[" * 4000, "damaged header"),
        (json.dumps(HEADER | {"items": 10}), "has something behind its end"),
        (json.dumps(HEADER | {"items": 10**30}), "is truncated"),
        (json.dumps(HEADER | {"classes": 100}), "is truncated"),
        (json.dumps(HEADER | {"ids": "numbers"}), "is truncated"),
    ],
)
def test_a_header_that_does_not_fit_the_file_is_refused(path: Path, text: str, message: str) -> None:
    head = (struct.pack("<8sI", b"hashcode", 2) + text.encode()).ljust(store_module.HEADER_BYTES - 32, b"\0")
    damaged(path, 0, head + hashlib.sha256(head).digest())
    with pytest.raises(HashprobeError, match=message):
        retrieval.open_code_store(path)


@pytest.mark.parametrize("model", ["é" * 200, "😀" * 200, "\0" * 200])
def test_a_long_model_hash_fits_the_header(path: Path, model: str) -> None:
    retrieval.write_code_store(path, CODES, LABELS, bits=12, model=model)
    store = retrieval.open_code_store(path, model=model)
    store.verify()
    np.testing.assert_array_equal(store.codes, CODES)


def test_sizes_may_be_numbers_of_numpy(path: Path) -> None:
    labels = retrieval.PackedLabels(retrieval.pack_labels(LABELS).packed, np.int64(9))  # type: ignore[arg-type]
    retrieval.write_code_store(path, CODES, labels, bits=np.int64(12), model="abc")  # type: ignore[arg-type]
    store = retrieval.open_code_store(path, bits=12)
    np.testing.assert_array_equal(store.labels.unpack(), LABELS)


def test_a_store_that_has_gone_cannot_be_checked(path: Path) -> None:
    store = retrieval.open_code_store(path)
    path.unlink()
    with pytest.raises(HashprobeError, match=r"could not read .*database.codes: No such file"):
        store.verify()


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
        ({"ids": [1, "a"] * 25}, "all whole numbers or all texts; row 1 holds 'a'"),
        ({"ids": ["a"] * 49 + [3]}, "all whole numbers or all texts; row 49 holds 3"),
        ({"ids": np.ones(50)}, r"all whole numbers or all texts; row 0 holds .*1\.0"),
        ({"ids": [True] * 50}, "all whole numbers or all texts; row 0 holds True"),
        (
            {"ids": np.ones((50, 2), dtype=int)},
            r"all whole numbers or all texts; row 0 holds array\(\[1, 1\]\)",
        ),
        (
            {"ids": [0, 2**63] * 25},
            "ids must lie from .* found 0 to 9223372036854775808. Give such numbers as texts",
        ),
        ({"ids": np.arange(50, dtype=np.uint64) + 2**63}, "ids must lie from .* to 9223372036854775857"),
        ({"ids": "a" * 50}, "ids must be a list or an array, an id for each code; found str"),
        ({"ids": (row for row in range(50))}, "ids must be a list or an array, .* found generator"),
        ({"ids": 7}, "ids must be a list or an array, .* found int"),
        ({"model": ""}, "model must be the model's hash"),
        ({"model": "a" * 201}, "model must be the model's hash, a text of 1 to 200 characters"),
        ({"model": b"abc"}, "model must be the model's hash, a text .* found b'abc'"),
        ({"model": 7}, "model must be the model's hash, a text .* found 7"),
    ],
)
def test_a_failed_writing_leaves_the_old_file(path: Path, changed: dict[str, Any], message: str) -> None:
    before = path.read_bytes()
    given = {"codes": CODES, "labels": LABELS, "bits": 12, "model": "new"} | changed
    with pytest.raises(HashprobeError, match=message):
        retrieval.write_code_store(path, **given)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "rows", [[50], [-2], [0.0], [True], ["a"], [[0], [1, 2]], 7, np.zeros((1, 1, 1), int), [2**64 - 1]]
)
def test_rows_that_are_not_in_the_store_have_no_id(path: Path, rows: Any) -> None:
    with pytest.raises(HashprobeError, match=r"rows must be whole numbers of shape .* each below 50, or -1"):
        retrieval.open_code_store(path).ids(rows)


@pytest.mark.parametrize("ids", [None, np.arange(50) * 2, [f"{row}.jpg" for row in range(50)]])
def test_neighbours_get_their_ids_in_the_same_shape(path: Path, ids: Any) -> None:
    retrieval.write_code_store(path, CODES, LABELS, bits=12, model="abc", ids=ids)
    store = retrieval.open_code_store(path)
    written = list(range(50)) if ids is None else list(ids)
    rows, _ = retrieval.top_k(retrieval.pack(CASE["queries"]), store.codes, 3, bits=12)
    assert store.ids(rows) == [[written[row] for row in found] for found in rows]
    assert store.ids([[7, -1], [-1, -1]]) == [[written[7], None], [None, None]]
    assert (store.ids([]), store.ids(rows[:0])) == ([], [])
    assert store.ids(torch.tensor([7])) == [written[7]]
    assert type(store.ids([7])[0]) is (str if isinstance(ids, list) else int)


@pytest.mark.parametrize(
    ("section", "data"),
    [
        ("id_ends", struct.pack("<q", 10**6)),
        ("id_ends", struct.pack("<q", -5)),
        ("id_ends", struct.pack("<q", 60)),
        ("id_text", b"\xff"),
    ],
)
def test_damaged_ids_are_refused(path: Path, section: str, data: bytes) -> None:
    retrieval.write_code_store(path, CODES, LABELS, bits=12, model="abc", ids=["ab"] * 50)
    _, places = store_module._read_header(path)
    damaged(path, places[section][0], data)
    with pytest.raises(HashprobeError, match="does not match its checksum; it is damaged"):
        retrieval.open_code_store(path).ids([0, 1])


def test_ids_are_worked_on_in_blocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, block = [f"{row:0>1000}" for row in range(5000)], 100
    monkeypatch.setattr(store_module, "ROWS_AT_ONCE", block)
    monkeypatch.setattr(ids_module, "IDS_AT_ONCE", block)
    tracemalloc.start()
    retrieval.write_code_store(
        path, np.zeros((5000, 1), np.uint8), np.ones((5000, 1)), bits=8, model="a", ids=ids
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * block * 1000
    assert retrieval.open_code_store(path).ids(range(5000)) == ids


def parts_of(ids: list[str] | None, labels: bool) -> list[retrieval.CodePart]:
    cuts = [slice(0, 20), slice(20, 20), slice(20, 50)]
    return [retrieval.CodePart(CODES[cut], LABELS[cut] if labels else None, ids and ids[cut]) for cut in cuts]


@pytest.mark.parametrize("ids", [None, [f"bild_ä{row}.jpg" for row in range(50)]])
def test_a_store_in_parts_has_the_bytes_of_a_whole_one(ids: list[str] | None, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    retrieval.write_code_store(whole, CODES, LABELS, bits=12, model="abc", ids=ids)
    retrieval.write_code_store_in_parts(parts, lambda: parts_of(ids, True), bits=12, model="abc")
    assert parts.read_bytes() == whole.read_bytes()
    retrieval.write_code_store_in_parts(parts, lambda: parts_of(ids, False), bits=12, model="abc")
    assert not retrieval.open_code_store(parts).labels.unpack().any()


def test_of_parts_one_is_held_at_a_time(tmp_path: Path) -> None:
    def parts() -> Any:
        for number in range(40):
            codes = np.full((1000, 8), number, dtype=np.uint8)
            yield retrieval.CodePart(codes, None, [f"{number:04d}-{row:04d}" for row in range(1000)])

    tracemalloc.start()
    retrieval.write_code_store_in_parts(tmp_path / "large", parts, bits=64, model="abc")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    store = retrieval.open_code_store(tmp_path / "large")
    store.verify()
    assert len(store) == 40_000
    assert store.ids([39_999, 1000]) == ["0039-0999", "0001-0000"]
    assert peak < 400_000, "40,000 codes and their ids take 3 MB"


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (lambda: [], "there is no code to write"),
        (lambda: [retrieval.CodePart(CODES[:, :1])], "codes must be packed uint8"),
        (lambda: [retrieval.CodePart(CODES, LABELS[:3])], "a part has 50 codes but 3 labels"),
        (
            lambda: [retrieval.CodePart(CODES), retrieval.CodePart(CODES, LABELS)],
            "a part has labels of 9 classes",
        ),
        (lambda: [retrieval.CodePart(CODES, None, list(range(50)))], "ids of parts must be texts"),
        (lambda: [retrieval.CodePart(CODES, None, ["x"])], "ids has 1 entries but there are 50 codes"),
    ],
)
def test_parts_that_do_not_fit_are_one_sentence(parts: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(HashprobeError, match=sentence):
        retrieval.write_code_store_in_parts(tmp_path / "store", parts, bits=12, model="abc")
    assert list(tmp_path.iterdir()) == []


def test_parts_that_change_are_not_written(tmp_path: Path) -> None:
    calls = iter([50, 50, 40, 40])

    def parts() -> Any:
        count = next(calls)
        return [retrieval.CodePart(CODES[:count], LABELS[:count])]

    with pytest.raises(HashprobeError, match="codes, labels and ids are of different numbers of items"):
        retrieval.write_code_store_in_parts(tmp_path / "store", parts, bits=12, model="abc")
