"""The result row: what it refuses, in which words, and which of its numbers is the score."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hashprobe.errors import HashprobeError
from hashprobe.results import ResultRow, epsilon_text

TARGETED = {"attack": "FGSM", "epsilon": 8 / 255, "protocol": "paper", "t_map": 0.6, "chance": 0.5}
UNTARGETED = {"attack": "FGSM", "epsilon": 8 / 255, "goal": "untargeted", "map": 0.3, "map_chance": 0.25}


def read(values: dict[str, Any], **changes: Any) -> ResultRow:
    return ResultRow.read({**values, **changes}, "results.jsonl, row 3", 3)


def test_the_score_is_that_of_the_goal() -> None:
    interval = {"t_map_low": 0.5, "t_map_high": 0.7, "t_map_png": 0.59, "map": 0.9, "map_low": 0.8}
    row = read(TARGETED, **interval)
    assert (row.score, row.score_low, row.score_high, row.score_chance) == (0.6, 0.5, 0.7, 0.5)
    assert (row.score_png, row.score_name, row.group, row.is_untargeted) == (0.59, "t-MAP", "paper", False)
    row = read(UNTARGETED, map_low=0.2, map_high=0.4, map_png=0.31, top_k=50)
    assert (row.score, row.score_low, row.score_high, row.score_chance) == (0.3, 0.2, 0.4, 0.25)
    assert (row.score_png, row.score_name, row.group, row.is_untargeted) == (
        0.31,
        "MAP@50",
        "untargeted",
        True,
    )


def test_less_map_is_the_stronger_untargeted_attack() -> None:
    assert read(TARGETED, t_map=0.7).strength > read(TARGETED).strength
    assert read(UNTARGETED, map=0.2).strength > read(UNTARGETED).strength


def test_what_is_not_given_has_a_default_and_what_no_row_has_is_passed_over() -> None:
    row = read(TARGETED, device=None, from_elsewhere="1")
    assert (row.row, row.goal, row.index, row.bits, row.device) == ("row-3", "targeted", "scan", None, "")


@pytest.mark.parametrize(
    ("values", "changes", "said"),
    [
        ({"attack": "FGSM"}, {}, "lacks protocol, t_map, chance, epsilon; every result row must have it"),
        ({"attack": "FGSM", "goal": "untargeted"}, {}, "lacks map, map_chance, epsilon;"),
        (TARGETED, {"chance": None}, "lacks chance;"),
        (TARGETED, {"t_map": "high"}, "t_map must be a number; found 'high'."),
        (TARGETED, {"t_map": True}, "t_map must be a number; found True."),
        (TARGETED, {"t_map": 61.0}, "t_map must be a fraction in [0, 1]; found 61.0. A percentage?"),
        (TARGETED, {"t_map_low": -0.5}, "t_map_low must be a fraction in [0, 1]; found -0.5. A percentage?"),
        (TARGETED, {"rms": -1}, "rms must not be negative; found -1."),
        (TARGETED, {"linf": float("inf")}, "linf must be a number; found inf."),
        (TARGETED, {"epsilon": float("nan")}, "epsilon must be a number; found nan."),
        (TARGETED, {"bits": "many"}, "bits must be a whole number; found 'many'."),
        (TARGETED, {"seed": 0.5}, "seed must be a whole number; found 0.5."),
        (TARGETED, {"data": 5}, "data must be text; found 5."),
        (TARGETED, {"goal": "both"}, "goal must be 'targeted' or 'untargeted'; found 'both'."),
        (TARGETED, {"goal": ["both"]}, "goal must be 'targeted' or 'untargeted'; found ['both']."),
        (TARGETED, {"protocol": "untargeted"}, "no target label protocol may be named untargeted."),
        (UNTARGETED, {"t_map": 0.5, "chance": 0.1}, "a row that is untargeted has no t_map, chance."),
        (UNTARGETED, {"protocol": "paper"}, "a row that is untargeted has no protocol."),
    ],
)
def test_a_fault_is_one_sentence_that_names_the_place(
    values: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(HashprobeError) as caught:
        read(values, **changes)
    assert str(caught.value).startswith("results.jsonl, row 3")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_made_in_python_is_held_to_its_goal_too() -> None:
    with pytest.raises(ValidationError, match="a row that is targeted must have protocol, chance"):
        ResultRow(attack="FGSM", epsilon=None, t_map=0.5)
    with pytest.raises(ValidationError, match="not permitted"):
        ResultRow(**TARGETED, speed=3)


@pytest.mark.parametrize("values", [TARGETED, UNTARGETED])
def test_a_row_is_read_back_from_json_as_it_was(values: dict[str, Any]) -> None:
    row = read(values, forward_passes=20, questions=3, versions={"torch": "2"}, seconds_per_image=0.5)
    assert ResultRow(**json.loads(json.dumps(row.model_dump(mode="json")))) == row
    assert (row.forward_passes, row.passes, row.questions) == (20.0, 20.0, 3.0)
    faster = row.model_copy(update={"seconds_per_image": 0.1})
    assert faster != row
    assert faster.without_times() == row.without_times()


@pytest.mark.parametrize(
    ("attack", "epsilon", "said"),
    [
        ("Original", None, "none"),
        ("Noise", 0, "none"),
        ("Anchor code", None, "no picture"),
        ("ProS-GAN", None, "unbounded"),
        ("FGSM", 8 / 255, "8/255"),
        ("FGSM", 0.0313, "0.0313"),
    ],
)
def test_budget_in_words(attack: str, epsilon: float | None, said: str) -> None:
    assert read(TARGETED, attack=attack, epsilon=epsilon).budget == said


@given(st.integers(1, 255))
def test_whole_grey_levels_are_written_over_255(levels: int) -> None:
    assert epsilon_text(levels / 255) == f"{levels}/255"


def test_passes_are_those_that_are_known() -> None:
    assert read(TARGETED).passes is None
    assert read(TARGETED, backward_passes=2).passes == 2


def test_a_budget_says_its_norm() -> None:
    assert read(TARGETED, epsilon=1.5, norm="l2").budget == "1.5 L2"
    assert read(TARGETED, epsilon=None, norm="l2").budget == "unbounded"
    assert (read(TARGETED).norm, read(TARGETED).budget) == ("linf", "8/255")
    with pytest.raises(HashprobeError, match=r"norm must be 'linf' or 'l2'; found 'l0'"):
        read(TARGETED, norm="l0")
