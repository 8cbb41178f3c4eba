"""Binary indexes of faiss in files: read as a database, searched as they are, and never trusted."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import check_index, open_index, read_faiss_codes
from helpers import random_codes

CODES, QUERIES = random_codes(200, 16), random_codes(5, 16, seed=1)


def filled(text: str, codes: np.ndarray = CODES) -> Any:
    index = faiss.index_binary_factory(codes.shape[1] * 8, text)
    index.train(codes)
    index.add(codes)
    return index


def with_map(kind: type, ids: np.ndarray, text: str) -> Any:
    inner = faiss.index_binary_factory(16, text)
    index = kind(inner)
    index.inner = inner  # faiss refers to it but does not keep it alive
    index.add_with_ids(CODES, ids)
    return index


def mapped_lists() -> Any:
    index = filled("BIVF4")
    index.make_direct_map()
    return index


IN_ORDER = np.arange(200)
KINDS: dict[str, Callable[[], Any]] = {
    "flat": lambda: filled("BFlat"),
    "a graph": lambda: filled("BHNSW4"),
    "lists": lambda: filled("BIVF4"),
    "lists with a map": mapped_lists,
    "lists under a graph": lambda: filled("BIVF4_HNSW4"),
    "ids over flat": lambda: with_map(faiss.IndexBinaryIDMap, IN_ORDER, "BFlat"),
    "ids over a graph": lambda: with_map(faiss.IndexBinaryIDMap2, IN_ORDER, "BHNSW4"),
}


def written(index: Any, folder: Path) -> str:
    path = str(folder / "own.faiss")
    faiss.write_index_binary(index, path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_as_a_database_and_searched_as_faiss_searches_it(kind: str, tmp_path: Path) -> None:
    index = KINDS[kind]()
    path = written(index, tmp_path)
    codes, ids = read_faiss_codes(path, bits=16)
    np.testing.assert_array_equal(codes, CODES)
    np.testing.assert_array_equal(ids, IN_ORDER)
    check_index("faiss-file", bits=16, path=path)
    found = open_index("faiss-file", codes, bits=16, path=path).search(QUERIES, 10)
    wanted, _ = index.search(QUERIES, 10)
    np.testing.assert_array_equal(found.distances, np.sort(wanted, axis=1))


def test_lists_most_of_which_are_empty(tmp_path: Path) -> None:
    index = filled("BIVF30")
    index.reset()
    index.add(CODES[:3])
    codes, _ = read_faiss_codes(written(index, tmp_path), bits=16)
    np.testing.assert_array_equal(codes, CODES[:3])


def test_ids_that_somebody_gave_come_along_and_are_no_rows_of_a_database(tmp_path: Path) -> None:
    given = np.random.default_rng(0).permutation(1000)[:200] - 500
    path = written(with_map(faiss.IndexBinaryIDMap2, given, "BFlat"), tmp_path)
    codes, ids = read_faiss_codes(path, bits=16)
    np.testing.assert_array_equal(ids, np.sort(given))
    np.testing.assert_array_equal(codes, CODES[np.argsort(given)])
    with pytest.raises(
        HashprobeError, match=r"the index has 200 items with ids from -\d+ to \d+, and the database has 200"
    ):
        open_index("faiss-file", codes, bits=16, path=path)


def test_the_settings_of_a_graph_and_of_lists(tmp_path: Path) -> None:
    path = written(filled("BIVF20"), tmp_path)
    narrow, wide = (
        open_index("faiss-file", CODES, bits=16, path=path, probes=probes).recall(QUERIES, 10).mean()
        for probes in (1, 2**31 - 1)
    )
    assert narrow < wide == 1
    with pytest.raises(
        HashprobeError, match=r"the index has no setting search_width; it is of another kind\."
    ):
        open_index("faiss-file", CODES, bits=16, path=path, search_width=3)
    path = written(filled("BHNSW4"), tmp_path)
    assert (
        open_index("faiss-file", CODES, bits=16, path=path, search_width=2**31 - 1).recall(QUERIES, 10).mean()
        > 0.9
    )


@pytest.mark.parametrize(
    ("index", "bits", "message"),
    [
        (
            lambda: filled("BFlat"),
            32,
            r"the index has codes of 16 bits, and 32 bits are searched; is it of this model\?$",
        ),
        (lambda: filled("BFlat"), 12, r"the index: the last 4 bits of a row must be 0 for 12 bits"),
        (
            lambda: filled("BFlat", CODES[::-1].copy()),
            16,
            r"200 of 200 codes of the index are not those of the database",
        ),
        (
            lambda: filled("BFlat", CODES[:9]),
            16,
            r"the index has 9 items with ids from 0 to 8, and the database has 200",
        ),
        (lambda: faiss.IndexBinaryFlat(16), 16, r"the index is empty; there is nothing to search"),
        (
            lambda: faiss.IndexBinaryHash(16, 4),
            16,
            r"can be read: it is a hash table\. Flat, IVF and HNSW are",
        ),
        (lambda: faiss.IndexBinaryFlat(2048), 16, r"its codes have 2048 bits in 256 bytes"),
    ],
)
def test_an_index_of_others(index: Callable[[], Any], bits: int, message: str, tmp_path: Path) -> None:
    codes = CODES if bits == 16 else np.zeros((200, -(-bits // 8)), np.uint8)
    with pytest.raises(HashprobeError, match=message):
        open_index("faiss-file", codes, bits=bits, path=written(index(), tmp_path))


def test_what_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no index")
    for path, message in (
        ("", r"^faiss-file needs the setting path: a file that faiss\.write_index_binary wrote\.$"),
        (str(tmp_path), r"^cannot read .*: Is a directory\.$"),
        (str(tmp_path / "nowhere"), r"^cannot read .*: No such file or directory\.$"),
        (str(tmp_path / "text"), r"is no binary index of faiss that can be read: it is something else\. "),
    ):
        with pytest.raises(HashprobeError, match=message):
            open_index("faiss-file", CODES, bits=16, path=path)


@pytest.mark.parametrize("kind", ["BHNSW2", "BIVF2_HNSW2"])
@pytest.mark.parametrize("number", [0x7FFFFFFF, -1, 30])
def test_whatever_number_is_wrong_faiss_is_given_nothing_that_leads_it_astray(
    kind: str, number: int, tmp_path: Path
) -> None:
    codes = random_codes(30, 16)
    path = written(filled(kind, codes), tmp_path)
    whole = Path(path).read_bytes()
    answered, said = 0, []
    for place in (4, 8, 12, *range(1, len(whole) - 4, 4)):  # where its numbers are
        Path(path).write_bytes(whole[:place] + struct.pack("<i", number) + whole[place + 4 :])
        try:
            found = open_index("faiss-file", codes, bits=16, path=path).search(QUERIES, 5)
        except HashprobeError as error:
            said.append(str(error))
            continue
        answered += 1
        there = found.ids >= 0
        apart = np.unpackbits(QUERIES[:, None] ^ codes[found.ids], axis=2).sum(axis=2)
        np.testing.assert_array_equal(found.distances[there], apart[there])
    assert all(re.fullmatch(r"[^\n]+[.?]", sentence) for sentence in said)
    assert answered  # links that are missing, and numbers that no search looks at
