"""A list of many lines is audited with little memory a line, with each row read once, and with progress."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from hashprobe.data import audit_folder
from hashprobe.data.audit.findings import number_names
from hashprobe.data.faults import MOST_PLACES
from hashprobe.data.formats import text_lists

LINES = 20_000
MOST_BYTES_A_LINE = 330
"""About 200 are taken; there were 655 when each line was a list of values, a path in parts and a sentence."""


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    rows = [" ".join("1" if column == number else "0" for column in range(24)) for number in range(24)]
    for split, count in {"database": LINES, "train": 20, "test": 20}.items():
        names = "".join(f"img/{split}{number:06d}.jpg\n" for number in range(count))
        (tmp_path / f"{split}_img.txt").write_text(names)
        (tmp_path / f"{split}_label.txt").write_text("".join(f"{rows[n % 24]}\n" for n in range(count)))
    return tmp_path


def test_a_line_takes_little_memory(lists: Path) -> None:
    audit_folder(lists, 32)  # what is imported and compiled is not of the list
    tracemalloc.start()
    try:
        audit_folder(lists, 32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / LINES < MOST_BYTES_A_LINE


def test_a_label_row_is_read_once_however_often_it_is_written(
    lists: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, values_of = [], text_lists.values_of

    def counted(text: str, separator: str | None = None) -> list[str]:
        read.append(text)
        return values_of(text, separator)

    monkeypatch.setattr(text_lists, "values_of", counted)
    audit_folder(lists, 32)
    assert len(set(read)) == 24
    assert len(read) < 200


def test_of_many_faults_the_first_are_said_and_all_are_counted(
    lists: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashprobe.progress.SECONDS_BETWEEN_LINES", 0.0)
    (found,) = (one for one in audit_folder(lists, 32, progress=True).findings if one.severity == "error")
    assert found.check == "images that do not exist"
    assert found.message.startswith(
        f"{LINES + 40} images that do not exist; the first: {lists}/test_img.txt, line 1:"
    )
    assert (found.count, len(found.locations)) == (LINES + 40, MOST_PLACES)
    assert found.as_dict()["count"] == LINES + 40
    assert f"finding images: {LINES + 40} of {LINES + 40}" in capsys.readouterr().err


def test_names_are_numbered_alike_in_all_splits() -> None:
    query, database, train = number_names(["b", "a"], ["c", "b", "c"], [])
    assert query.tolist() == [0, 1]
    assert database.tolist() == [2, 0, 2]
    assert len(train) == 0
