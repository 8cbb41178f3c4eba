"""The report on its own rows: what checks find, which rows are not significantly weaker, and training seeds as one line."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from synthetic import write_run

from hashprobe.cli.printing import print_results
from hashprobe.files import read_json_lines, write_json_lines
from hashprobe.report import markdown_report, text_report
from hashprobe.report.page import render
from hashprobe.report.run import RunRecord
from hashprobe.results import ResultRow


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    """Rows of which one moved no bit, one is not significantly weaker than the best, and two are seeds of one attack."""
    write_run(tmp_path, protocols=("disjoint",), queries=1, database=12)
    rows: list[dict[str, Any]] = read_json_lines(tmp_path / "results.jsonl")
    scores = {line["row"]: line for line in read_json_lines(tmp_path / "queries.jsonl")}
    named = {row["row"]: row for row in rows}
    named["fgsm-anchor-8of255-disjoint"] |= {"bits_moved": 0.0, "goal_bits": 20.0, "goal_bits_before": 20.0}
    best = named["i-fgsm-prototype-8of255-disjoint"]
    near = scores["dhta-anchor-8of255-disjoint"]
    near["ap"] = [value - 0.02 * (-1) ** place for place, value in enumerate(scores[best["row"]]["ap"])]
    seed = {
        **named["pros-gan-prototype-8of255-disjoint"],
        "row": "second",
        "training_seed": 1,
        "trained": True,
    }
    named["pros-gan-prototype-8of255-disjoint"]["trained"] = True
    rows.append({**seed, "t_map": seed["t_map"] - 0.1})
    write_json_lines(tmp_path / "results.jsonl", rows)
    write_json_lines(tmp_path / "queries.jsonl", list(scores.values()))
    return RunRecord.read(tmp_path)


def test_what_was_planted_is_in_the_run(run: RunRecord) -> None:
    assert run.not_weaker == {"dhta-anchor-8of255-disjoint"}
    assert run.best == {"i-fgsm-prototype-8of255-disjoint"}
    assert len(run.lines) == len(run.rows) - 1
    assert {finding.check for finding in run.findings} >= {"codes did not move", "seeds scatter"}


def test_the_page_says_findings_near_its_top_with_why_and_what_to_do(run: RunRecord) -> None:
    page = render(run)
    section = page[page.index('<section id="checks"') : page.index('<section id="gallery"')]
    for finding in run.findings:
        for text in (finding.check, finding.said, finding.why, finding.do):
            assert text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;") in section
    assert f"{len(run.findings)} reasons not to trust" in section


def test_the_page_marks_what_is_not_weaker_and_shows_seeds_as_one_line(run: RunRecord) -> None:
    page = render(run)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    table = json.loads(found[1])["table"]
    texts, index = table["columns"]["row"]["texts"], table["columns"]["row"]["index"]
    assert [texts[index[place]] for place in table["near"]] == ["dhta-anchor-8of255-disjoint"]
    assert len(table["shown"]) == len(run.lines)
    seeds = [table["columns"]["training_seeds"][place] for place in table["shown"]]
    assert [number for number in seeds if number is not None] == [2]
    still = page[page.index('<div id="table">') : page.index("</table>", page.index('<div id="table">'))]
    assert still.count("≈") == 1
    assert "mean of 2 training seeds" in still


def test_the_terminal_says_the_same(run: RunRecord) -> None:
    assert run.directory is not None
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    text_report(run.directory, console)
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    assert "! codes did not move: No bit that moves is no answer" in text
    assert "FGSM (anchor, 8/255) moved 0 of 32 bits (disjoint)." in text
    assert text.count("≈") == 2, "the row, and the line below the table that explains it"
    assert "mean of 2 training seeds" in text


def test_a_run_without_faults_says_so(tmp_path: Path) -> None:
    row = {
        "attack": "FGSM",
        "goal": "targeted",
        "protocol": "disjoint",
        "epsilon": 0.03,
        "t_map": 0.6,
        "chance": 0.3,
    }
    write_json_lines(tmp_path / "results.jsonl", [row])
    run = RunRecord.read(tmp_path)
    assert run.findings == []
    assert "speaks against these results" in render(run)


def test_results_are_printed_with_marks_and_with_what_speaks_against_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, protocols=("disjoint",), queries=1, database=8)
    lines = read_json_lines(tmp_path / "queries.jsonl")
    (best,) = [line for line in lines if line["row"] == "i-fgsm-prototype-8of255-disjoint"]
    (near,) = [line for line in lines if line["row"] == "dhta-anchor-8of255-disjoint"]
    near["ap"] = [value - 0.02 * (-1) ** place for place, value in enumerate(best["ap"])]
    write_json_lines(tmp_path / "queries.jsonl", lines)
    rows = [ResultRow(**line) for line in read_json_lines(tmp_path / "results.jsonl")]
    print_results([row.model_copy(update={"duplicates": 3}) for row in rows], tmp_path)
    text = capsys.readouterr().out
    assert [line.split()[1] for line in text.splitlines() if "≈" in line and "8/255" in line] == ["DHTA"]
    assert "Checks: nothing of what" in text, "the folder's own rows are looked at"
    write_json_lines(
        tmp_path / "results.jsonl", [{**row.model_dump(mode="json"), "duplicates": 3} for row in rows]
    )
    print_results(rows, tmp_path)
    assert "! leaking split" in capsys.readouterr().out


def test_the_markdown_table_compares_every_attack_with_the_best(run: RunRecord) -> None:
    assert run.directory is not None
    table = [
        line.split(" | ") for line in markdown_report(run.directory).splitlines() if line.startswith("| ")
    ]
    assert len({len(cells) for cells in table}) == 1
    head, rows = table[0], table[2:]
    assert len(rows) == len(run.lines)
    best = [cells for cells in rows if "the best" in cells]
    assert [cells[0] for cells in best] == ["| I-FGSM"]
    compared = [
        cells for cells in rows if re.fullmatch(r"[+-]0\.\d{3}", cells[head.index("beside the best")])
    ]
    assert {float(cells[head.index("p (Holm)")]) <= 1 for cells in compared} == {True}
    assert len(compared) == sum(row.is_attack and row.budget == "8/255" for row in run.lines) - 1
