"""What the command line prints of result rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import write_run

from hashprobe.cli.printing import print_results, print_rows
from hashprobe.files import read_json_lines, write_json_lines
from hashprobe.results import ResultRow

TARGETED = ResultRow(attack="FGSM", epsilon=8 / 255, linf=0.03, protocol="paper", t_map=0.61, chance=0.5)
UNTARGETED = ResultRow(
    attack="FGSM",
    epsilon=None,
    linf=0.3,
    goal="untargeted",
    map=0.32,
    map_low=0.3,
    map_high=0.35,
    map_chance=0.4,
)


def test_each_goal_is_printed_as_a_table_with_its_score(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([TARGETED, UNTARGETED, TARGETED])
    text = capsys.readouterr().out
    targeted, untargeted = text.split("Untargeted: MAP in percent")
    assert "t-MAP in percent" in targeted
    for said in ("protocol", "paper", "8/255", "61.0", "50.0"):
        assert said in targeted
    assert targeted.count("FGSM") == 2
    assert "t-MAP" not in untargeted
    for said in ("goal", "untargeted", "unbounded", "32.0", "30.0–35.0", "40.0", "less is stronger"):
        assert said in untargeted


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
