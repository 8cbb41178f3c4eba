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


def test_attacks_of_one_name_are_told_apart_by_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        TARGETED.model_copy(update={"row": f"fgsm-{steps}", "attack_settings": f"FewStep(steps={steps})"})
        for steps in (1, 20)
    ]
    print_rows(rows)
    words = capsys.readouterr().out.split()
    assert [words[at + 1] for at, word in enumerate(words) if word == "steps"] == ["1", "20"]
