"""What the report claims: names, budgets, which row is best, and the sentences at its head."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.report.rows import best_rows, row_names
from hashprobe.report.run import Curve, RunRecord
from hashprobe.report.summary import summarise
from hashprobe.results import ResultRow, epsilon_text


def row(attack: str, t_map: float, **changes: Any) -> dict[str, Any]:
    values = {
        "row": f"{attack}-{t_map}-{len(changes)}",
        "attack": attack,
        "protocol": "disjoint",
        "epsilon": 8 / 255,
    }
    return (
        values
        | {"t_map": t_map, "t_map_low": t_map - 0.01, "t_map_high": t_map + 0.01, "chance": 0.5}
        | changes
    )


ORIGINAL = row("Original", 0.52, epsilon=None)


def made(*rows: dict[str, Any]) -> list[ResultRow]:
    return RunRecord.from_rows(rows).rows


@pytest.mark.parametrize(
    ("attack", "epsilon", "said"),
    [
        ("Original", None, "none"),
        ("Anchor code", None, "no picture"),
        ("ProS-GAN", None, "unbounded"),
        ("FGSM", 8 / 255, "8/255"),
        ("FGSM", 0.0313, "0.0313"),
    ],
)
def test_budget_in_words(attack: str, epsilon: float | None, said: str) -> None:
    assert made(row(attack, 0.6, epsilon=epsilon))[0].budget == said


@given(st.integers(1, 255))
def test_whole_grey_levels_are_written_over_255(levels: int) -> None:
    assert epsilon_text(levels / 255) == f"{levels}/255"


def test_best_is_chosen_among_equal_budgets_alone() -> None:
    rows = made(
        ORIGINAL,
        row("FGSM", 0.6),
        row("I-FGSM", 0.8),
        row("ProS-GAN", 0.95, epsilon=None),
        row("Prototype code", 0.99, epsilon=None),
        row("DHTA", 0.9, epsilon=4 / 255),
        row("DHTA", 0.97, protocol="paper"),
    )
    assert best_rows(rows) == {"I-FGSM-0.8-0"}


def test_equal_rows_to_the_shown_digit_are_all_best_or_none() -> None:
    rows = made(row("P2P", 0.70001), row("DHTA", 0.70002), row("FGSM", 0.6))
    assert best_rows(rows) == {"P2P-0.70001-0", "DHTA-0.70002-0"}
    assert best_rows(rows[:2]) == set()


def test_names_tell_rows_apart_and_say_unbounded() -> None:
    rows = made(
        row("ProS-GAN", 0.7, epsilon=None),
        row("I-FGSM", 0.7, code="anchor"),
        row("I-FGSM", 0.8, code="prototype", seed=0),
    )
    assert row_names(rows) == ["ProS-GAN (unbounded)", "I-FGSM, anchor", "I-FGSM, prototype"]


@given(st.lists(st.sampled_from([8 / 255, 4 / 255, None]), min_size=1, max_size=6))
def test_names_are_unique(budgets: list[float | None]) -> None:
    rows = made(*(row("ProS-GAN", 0.7, epsilon=epsilon, row=f"r{i}") for i, epsilon in enumerate(budgets)))
    assert len(set(row_names(rows))) == len(rows)


def test_the_headline_is_the_strongest_bounded_attack() -> None:
    run = RunRecord.from_rows(
        [
            ORIGINAL,
            row("FGSM", 0.6),
            row("I-FGSM", 0.8),
            row("ProS-GAN", 0.9, epsilon=None, linf=0.4, rms=0.06),
        ]
    )
    findings = summarise(run).findings
    assert [finding.row.attack for finding in findings] == ["I-FGSM", "ProS-GAN"]
    assert all(finding.works for finding in findings)
    assert "8 of 255" in findings[0].sentence
    assert "not bounded" in findings[1].sentence
    assert "102 of 255" in findings[1].sentence


def test_an_attack_within_chance_is_said_to_have_failed() -> None:
    finding = summarise(RunRecord.from_rows([ORIGINAL, row("FGSM", 0.525)])).findings[0]
    assert not finding.works
    assert "does not get measurably above chance" in finding.sentence


def test_the_headline_counts_returned_pictures_where_the_curve_is_known() -> None:
    rows = [ORIGINAL, row("FGSM", 0.8)]
    curves = {
        line["row"]: Curve([], [], [1, 10, 100, 1000], [0.9, share, share, 0.5])
        for line, share in zip(rows, (0.53, 0.87), strict=True)
    }
    sentence = summarise(RunRecord(rows=made(*rows), curves=curves)).findings[0].sentence
    for said in ("87 of the first 100", "before the attack 53", "in random order about 50"):
        assert said in sentence


def test_a_run_without_attacks_claims_nothing() -> None:
    assert summarise(RunRecord.from_rows([ORIGINAL])).findings == []
