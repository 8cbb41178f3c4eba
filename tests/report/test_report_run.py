"""Reading a run directory: what must be there, what may be absent, what is said of faults."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from synthetic import write_run

from hashprobe.errors import HashprobeError
from hashprobe.report import write_report
from hashprobe.report.run import RunRecord


def minimal_row(**changes: Any) -> dict[str, Any]:
    row = {"row": "a", "attack": "FGSM", "goal": "targeted", "protocol": "paper", "epsilon": 0.03}
    return {**row, "t_map": 0.6, "chance": 0.5, **changes}


def write_rows(directory: Path, *rows: dict[str, Any]) -> Path:
    (directory / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory


def test_a_whole_run_is_read(run_directory: Path) -> None:
    run = RunRecord.read(run_directory)
    assert len(run.rows) == 24
    assert run.rows[0].protocol == "disjoint"
    assert set(run.curves) == {row.row for row in run.rows}
    assert set(run.training) == {"hash-model", "prosgan"}
    assert run.gallery is not None
    assert run.gallery.queries == [0, 1, 2, 3]
    assert len(run.transfer) == 4


def test_results_alone_are_enough(tmp_path: Path) -> None:
    run = RunRecord.read(write_rows(tmp_path, minimal_row()))
    assert run.gallery is None
    assert not run.curves
    assert write_report(tmp_path).is_file()


def test_rows_in_memory_are_enough() -> None:
    assert RunRecord.from_rows([minimal_row()]).rows[0].attack == "FGSM"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no result row"),
        ([{"attack": "FGSM", "goal": "targeted"}], "row 1 lacks protocol, t_map, chance, epsilon"),
        ([minimal_row(), minimal_row(row="b", t_map="high")], "row 2: t_map must be a number; found 'high'"),
        ([minimal_row(t_map=61.0)], r"t_map must be a fraction in \[0, 1\]; found 61.0. A percentage\?"),
        ([minimal_row(chance=None)], "row 1 lacks chance"),
        ([minimal_row(rms=-1)], "rms must not be negative"),
        ([minimal_row(bits="many")], "bits must be a whole number; found 'many'"),
        ([minimal_row(), minimal_row()], "ids must be unique"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    write_rows(tmp_path, *rows)
    with pytest.raises(HashprobeError, match=said) as caught:
        write_report(tmp_path)
    assert "results.jsonl" in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def test_rows_of_an_earlier_version_are_refused_where_a_folder_is_read(tmp_path: Path) -> None:
    old = {name: value for name, value in minimal_row().items() if name != "goal"}
    write_rows(tmp_path, old)
    with pytest.raises(HashprobeError, match=r"results.jsonl was written by an earlier version of hashprobe"):
        RunRecord.read(tmp_path)
    assert RunRecord.from_rows([old]).rows[0].goal == "targeted"


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(json.dumps(minimal_row()) + "\n{half")
    with pytest.raises(HashprobeError, match=r"results.jsonl, line 2 is not JSON"):
        RunRecord.read(tmp_path)


def test_missing_results_are_said(tmp_path: Path) -> None:
    with pytest.raises(HashprobeError, match=r"results\.jsonl does not exist"):
        write_report(tmp_path)
    with pytest.raises(HashprobeError, match="is not a folder"):
        write_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entry: entry.pop("row"), "entry 1 is malformed"),
        (
            lambda entry: entry.update(query_image="images/gone.png"),
            "'images/gone.png', which does not exist",
        ),
        (lambda entry: entry.update(query_image="../results.jsonl"), "which lies outside"),
        (lambda entry: entry.update(goal="both"), "entry 1 is malformed"),
        (
            lambda entry: entry["after"][0].update(distance="near"),
            r"entry 1 is malformed \(after\.0\.distance: ",
        ),
        (lambda entry: entry["after"][0].update(hit=1), r"malformed \(after\.0\.hit: .*; found 1\)"),
        (lambda entry: entry.update(query=1.5), r"malformed \(query: .*; found 1\.5\)"),
        (lambda entry: entry.update(query_labels="cat"), r"malformed \(query_labels: "),
        (lambda entry: entry.update(query_name=["a"]), r"malformed \(query_name: "),
        (lambda entry: entry.update(target_average_precision=7), r"malformed \(target_average_precision: "),
        (lambda entry: entry.update(query_image="a\0b"), "which is no path"),
        (lambda entry: entry.update(query_image="x" * 5000), "does not exist"),
    ],
)
def test_a_wrong_gallery_is_named(tmp_path: Path, change: Any, said: str) -> None:
    write_run(tmp_path, queries=1)
    path = tmp_path / "gallery" / "gallery.json"
    gallery = json.loads(path.read_text())
    change(gallery["entries"][0])
    path.write_text(json.dumps(gallery))
    with pytest.raises(HashprobeError, match=said):
        RunRecord.read(tmp_path)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, queries=1)
    (tmp_path / "gallery/images/q0.png").write_text("not a picture")
    with pytest.raises(HashprobeError, match=r"q0\.png could not be read as a picture"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        ({"recall": [0, 1], "precision": [1]}, "row 1: recall has 2 values and precision 1"),
        (
            {"recall": [0, 1], "precision": [1, "x"]},
            r"row 1: precision must be a list of fractions in \[0, 1\]",
        ),
        ({"recall": [0, True], "precision": [1, 1]}, "row 1: recall must be a list of fractions"),
        ({"at": [1], "precision_at": [float("nan")]}, r"line 1 is not JSON \(it holds the number NaN\)"),
        ({"at": [0], "precision_at": [0.5]}, "row 1: at must be a list of numbers of at least 1"),
        ({"at": [10**400], "precision_at": [0.5]}, r"line 1 is not JSON \(it holds the number 1000"),
        ({"at": 5, "precision_at": [0.5]}, "row 1: at must be a list"),
        ({"row": None}, "row 1 lacks row"),
    ],
)
def test_a_wrong_curve_is_named(tmp_path: Path, curve: dict[str, Any], said: str) -> None:
    write_rows(tmp_path, minimal_row())
    values = {name: value for name, value in {"row": "a", **curve}.items() if value is not None}
    (tmp_path / "curves.jsonl").write_text(json.dumps(values))
    with pytest.raises(HashprobeError, match=said):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"t_map": None}, "row 1 lacks t_map"),
        ({"goal": "untargeted"}, "row 1 lacks map, map_chance"),
        ({"goal": "neither"}, "row 1: goal must be targeted or untargeted; found 'neither'"),
        ({"t_map": "0.6"}, r"row 1: t_map must be a fraction in \[0, 1\]; found '0.6'"),
        ({"chance": float("nan")}, r"line 1 is not JSON \(it holds the number NaN\)"),
        ({"chance": True}, "row 1: chance must be a fraction"),
        ({"epsilon": "8/255"}, "row 1: epsilon must be a number of at least 0, or null; found '8/255'"),
    ],
)
def test_a_wrong_transfer_row_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    write_rows(tmp_path, minimal_row())
    values = {"from": "a", "to": "b", "t_map": 0.6, "chance": 0.5, **change}
    (tmp_path / "transfer.jsonl").write_text(json.dumps(values))
    with pytest.raises(HashprobeError, match=said):
        RunRecord.read(tmp_path)


def test_an_old_report_survives_a_failure(tmp_path: Path, run_directory: Path) -> None:
    shutil.copytree(run_directory, tmp_path / "run")
    (tmp_path / "run/report.html").write_text("old")
    (tmp_path / "run/results.jsonl").write_text("{")
    with pytest.raises(HashprobeError):
        write_report(tmp_path / "run")
    assert (tmp_path / "run/report.html").read_text() == "old"
