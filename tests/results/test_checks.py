"""Each check finds what was planted for it, says it in a sentence, and is silent on a sound set of rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashprobe.results import CHECKS, QueryScores, ResultRow, run_checks

BITS, QUERIES = 48, 1000
CHANCE, BENIGN = 0.30, 0.80


def row(attack: str, score: float, **changes: Any) -> ResultRow:
    """A targeted row as a sound evaluation writes it."""
    values: dict[str, Any] = {
        "row": f"{attack}-{score}-{sorted(changes.items())}",
        "data": "pictures",
        "split_sha256": "5" * 64,
        "model": "a" * 64,
        "bits": BITS,
        "attack": attack,
        "attack_settings": f"{attack}()",
        "code": "anchor",
        "protocol": "disjoint",
        "seed": 0,
        "queries": QUERIES,
        "epsilon": 8 / 255,
        "t_map": score,
        "t_map_low": score - 0.02,
        "t_map_high": score + 0.02,
        "t_map_png": score - 0.001,
        "chance": CHANCE,
        "map_benign": BENIGN,
        "map_chance": CHANCE,
        "bits_moved": 20.0,
        "goal_bits": 4.0,
        "goal_bits_before": 24.0,
        "forward_passes": 10.0,
        "backward_passes": 10.0,
        "questions": 0.0,
        "access": "gradients",
        "tanh_alpha": 1.0,
        "mean_logit": 0.9,
        "tanh_scale": 1.0,
        "target_shared": 0.0,
        "duplicates": 0,
    }
    return ResultRow(**{**values, **changes})


NO_PASSES = {"forward_passes": 0.0, "backward_passes": 0.0, "tanh_alpha": None}
UNMADE = {
    "epsilon": None,
    "bits_moved": None,
    "goal_bits": None,
    "t_map_png": None,
    "access": "",
    **NO_PASSES,
}
ORIGINAL = row("Original", 0.31, **UNMADE | {"code": "none"})
CODE = row("Anchor code", 0.75, **UNMADE)
NOISE = row("Noise", 0.31, **NO_PASSES | {"access": "nothing", "code": "none", "bits_moved": 0.5})
ONE = {"forward_passes": 1.0, "backward_passes": 1.0}
STEP, STEPS = row("FGSM", 0.50, **ONE), row("I-FGSM", 0.70)
LARGE = row("I-FGSM", 0.74, epsilon=32 / 255)
ASKING = row("Asker", 0.40, **NO_PASSES | {"access": "ranking", "questions": 500.0})
TRAINED = row("ProS-GAN", 0.62, **NO_PASSES | {"access": "nothing", "trained": True})
SOUND = (ORIGINAL, CODE, NOISE, STEP, STEPS, LARGE, ASKING, TRAINED)


def away(attack: str, score: float, **changes: Any) -> ResultRow:
    """An untargeted row."""
    none = dict.fromkeys(
        ("protocol", "t_map", "t_map_low", "t_map_high", "t_map_png", "chance", "target_shared")
    )
    own = {
        "goal": "untargeted",
        "code": "own",
        "map": score,
        "map_low": score - 0.02,
        "map_high": score + 0.02,
    }
    return row(attack, score, **none | own | {"map_png": score} | changes)


AWAY = (
    away(
        "Original",
        BENIGN,
        **{k: v for k, v in UNMADE.items() if k != "t_map_png"} | {"code": "none", "map_png": None},
    ),
    away("FGSM", 0.60, **ONE),
    away("I-FGSM", 0.35),
)


def found(*rows: ResultRow, scores: dict[str, QueryScores] | None = None) -> list[str]:
    findings = run_checks(rows, scores)
    for finding in findings:
        assert finding.said.endswith(".")
        assert "\n" not in finding.said
        assert set(finding.rows) <= {own.row for own in rows}
        assert finding.rows
    return sorted({finding.check for finding in findings})


def test_a_sound_set_raises_no_alarm() -> None:
    assert found(*SOUND) == []
    assert found(*AWAY) == []
    assert found(*SOUND, *AWAY) == []
    assert found() == []


def test_rows_of_an_earlier_version_raise_none_for_what_they_do_not_say() -> None:
    needed = {"row", "attack", "epsilon", "protocol", "t_map", "chance"}
    bare = [ResultRow(**{name: getattr(one, name) for name in needed}) for one in SOUND]
    assert found(*bare) == []


def test_every_check_says_what_why_and_what_to_do() -> None:
    for name in CHECKS:
        check = CHECKS[name]
        assert check.name == name
        assert all(text.strip().endswith(".") for text in (check.title, check.why, check.do))
        assert name in PLANTED, "plant rows for it"


TRANSFERRED = {"attacked_model": "b" * 64, "bits_moved": 20.0}
PLANTED: dict[str, list[tuple[ResultRow, ...]]] = {
    "codes did not move": [
        (*SOUND, row("DHTA", 0.60, bits_moved=0.4)),
        (*SOUND, row("DHTA", 0.60, goal_bits=23.5)),
        (*AWAY, away("HAG", 0.60, bits_moved=0.0)),
    ],
    "vanishing gradients": [
        (*SOUND, row("DHTA", 0.6, mean_logit=2.8)),
        (*SOUND, row("DHTA", 0.6, mean_logit=30.0, tanh_alpha=0.1)),
    ],
    "saturated output": [(*SOUND, row("DHTA", 0.6, tanh_scale=13.0, tanh_alpha=0.1, mean_logit=0.9))],
    "one step stronger than many": [
        (ORIGINAL, CODE, row("FGSM", 0.70, **ONE), row("I-FGSM", 0.60)),
        (AWAY[0], away("FGSM", 0.30, **ONE), away("I-FGSM", 0.40)),
    ],
    "more is weaker": [
        (*SOUND, row("I-FGSM", 0.60, forward_passes=50.0, backward_passes=50.0)),
        (*SOUND, row("I-FGSM", 0.60, epsilon=16 / 255)),
        (*SOUND, row("Asker", 0.33, **NO_PASSES | {"access": "ranking", "questions": 1000.0})),
        (*AWAY, away("I-FGSM", 0.50, forward_passes=50.0, backward_passes=50.0)),
    ],
    "ceiling not reached": [
        (ORIGINAL, CODE, STEPS, row("DHTA", 0.55, epsilon=None), row("DHTA", 0.54)),
        (ORIGINAL, CODE, row("I-FGSM", 0.55, epsilon=32 / 255)),
    ],
    "blind attack stronger": [
        (ORIGINAL, STEP, row("Asker", 0.58, **NO_PASSES | {"access": "ranking", "questions": 500.0})),
        (ORIGINAL, STEP, row("DHTA", 0.58, **TRANSFERRED)),
        (ORIGINAL, STEP, row("Noise", 0.58, **NO_PASSES | {"access": "nothing", "code": "none"})),
        (AWAY[0], AWAY[1], away("Asker", 0.40, **NO_PASSES | {"access": "codes", "questions": 9.0})),
    ],
    "undertrained attack": [
        (ORIGINAL, CODE, STEP, row("ProS-GAN", 0.40, **NO_PASSES | {"trained": True, "access": "nothing"})),
        (ORIGINAL, CODE, row("ProS-GAN", 0.34, **NO_PASSES | {"trained": True, "access": "nothing"})),
        (
            *(ORIGINAL, CODE, STEP),
            row("ProS-GAN", 0.40, **NO_PASSES | {"trained": True, "access": "nothing", "epsilon": None}),
        ),
    ],
    "restarts scatter": [(*SOUND, row("DHTA", 0.60, restart_bits=5.0))],
    "seeds scatter": [
        (*SOUND, row("ProS-GAN", 0.55, **NO_PASSES | {"access": "nothing", "trained": True, "training_seed": 1})),
        (STEPS, row("I-FGSM", 0.62, seed=1)),
    ],
    "lost in rounding": [
        (*SOUND, row("DHTA", 0.60, t_map_png=0.50)),
        (*AWAY, away("HAG", 0.60, map_png=0.70)),
    ],
    "target shares with the query": [
        tuple(one.model_copy(update={"protocol": "paper", "target_shared": 0.4}) for one in SOUND),
        tuple(one.model_copy(update={"protocol": "paper", "target_shared": None}) for one in SOUND),
    ],
    "leaking split": [tuple(one.model_copy(update={"duplicates": 12}) for one in SOUND)],
    "too near chance": [
        (*SOUND, row("HAG", 0.31, **ONE)),
        (*AWAY, away("HAG", BENIGN - 0.01, **ONE)),
    ],
    "too few queries": [(*SOUND, row("HAG", 0.60, t_map_low=0.53, t_map_high=0.67, queries=QUERIES))],
    "unequal budgets": [
        (*SOUND, row("HAG", 0.72, epsilon=None)),
        (*SOUND, row("HAG", 0.60, epsilon=16 / 255)),
        (*SOUND, row("HAG", 0.60, epsilon=8 / 255, norm="l2")),
    ],
    "index hides the attack": [
        (*SOUND, *(one.model_copy(update={"row": f"{one.row} ivf", "index": "faiss-ivf", **weak}) for one, weak in (
            (ORIGINAL, {}),
            (STEPS, {"t_map": 0.36, "t_map_low": 0.34, "t_map_high": 0.38, "t_map_png": 0.36}),
        ))),
    ],
}  # fmt: skip
ALSO = {
    "undertrained attack": {"undertrained attack", "unequal budgets", "too near chance"},
}


@pytest.mark.parametrize(
    ("check", "rows"), [(check, rows) for check, planted in PLANTED.items() for rows in planted]
)
def test_what_is_planted_is_found_and_nothing_else(check: str, rows: tuple[ResultRow, ...]) -> None:
    assert check in found(*rows)
    assert set(found(*rows)) <= ALSO.get(check, {check})


def test_a_small_difference_counts_where_the_queries_agree_on_it() -> None:
    """Intervals that overlap decide nothing; the same queries, one by one, do."""
    base = np.random.default_rng(0).uniform(0.2, 0.9, QUERIES)
    pair = (row("FGSM", 0.56, **ONE), row("I-FGSM", 0.55))
    assert found(*pair) == []
    key = {"split_sha256": "5", "queries": "6", "targets": "7"}
    noise = np.random.default_rng(1).normal(0.01, 0.02, QUERIES)
    sure = {
        own.row: QueryScores.of(own.row, values, **key)
        for own, values in zip(pair, (base + noise, base), strict=True)
    }
    assert found(*pair, scores=sure) == ["one step stronger than many"]
    unsure = {**sure, pair[0].row: QueryScores.of(pair[0].row, base + 20 * (noise - 0.01) + 0.01, **key)}
    assert found(*pair, scores=unsure) == []


def test_a_budget_too_small_to_move_a_code_is_no_alarm() -> None:
    small = row("DHTA", 0.34, epsilon=1 / 255, bits_moved=0.2)
    assert found(ORIGINAL, CODE, small) == []


def test_an_epsilon_sweep_that_all_attacks_share_is_no_alarm() -> None:
    sweep = [
        row(name, 0.4 + place / 10, epsilon=e / 255)
        for name in ("DHTA", "PGD")
        for place, e in enumerate((4, 8))
    ]
    assert found(ORIGINAL, *sweep) == []


def test_one_finding_a_split_and_model_says_all_of_its_rows() -> None:
    rows = [one.model_copy(update={"duplicates": 12, "tanh_scale": 13.0}) for one in (*SOUND, *AWAY)]
    findings = run_checks(rows)
    assert [finding.check for finding in findings] == ["leaking split", "saturated output"]
    assert (
        findings[0].said
        == "12 queries of pictures, 1.2 % of them, lie in the database or the training images."
    )


def test_the_page_on_checks_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([a-z -]+) \|", page, re.MULTILINE)[2:] == list(CHECKS)
    assert f" {len(CHECKS)} checks" in page
