"""What the command line prints of result rows."""

from __future__ import annotations

import pytest

from hashprobe.cli.printing import print_rows
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


def test_rows_of_one_goal_are_printed_with_its_score(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([TARGETED])
    text = capsys.readouterr().out
    assert "t-MAP in percent" in text
    assert "protocol" in text
    assert "8/255" in text
    assert "61.0" in text
    print_rows([UNTARGETED])
    text = capsys.readouterr().out
    assert "t-MAP" not in text
    for said in ("MAP in percent", "goal", "untargeted", "unbounded", "32.0", "30.0–35.0", "40.0"):
        assert said in text


def test_mixed_rows_say_their_goal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([TARGETED, UNTARGETED])
    text = " ".join(capsys.readouterr().out.split())
    assert "t-MAP or MAP in percent" in text
    assert "│ targeted │ paper │ FGSM" in text.replace("  ", " ")
    assert "│ untargeted │ – │ FGSM" in text
