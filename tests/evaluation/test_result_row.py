"""The numbers of a result row against each measured by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.attacks import Noise
from hashprobe.evaluation import Evaluator
from hashprobe.retrieval import levels
from helpers import linear_model, random_codes, tiny_data

BITS = 12


def test_a_row_is_counted_in_one_pass_and_equals_single_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_data(queries=9)
    evaluator = Evaluator(linear_model(BITS), data, protocol="paper", seed=0)
    attack, goal = Noise(), random_codes(9, BITS)
    attacked = evaluator.attack(attack, goal)
    evaluator.row("before", goal, attack="P2P code", code="p2p", own_labels=False)  # what all rows share

    passes = []
    once = levels.pass_over

    def counted(*arguments: Any, **named: Any) -> None:
        passes.append(named["queries"])
        once(*arguments, **named)

    monkeypatch.setattr(levels, "pass_over", counted)
    row, score = evaluator.row(
        "noise", attacked.codes, attack="Noise", code="none", by=attack, attacked=attacked
    )
    assert passes == [27]

    def alone(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        arguments = (codes, evaluator.database_codes, labels, data.database.labels)
        return retrieval.average_precision(*arguments, bits=BITS)

    by_target = alone(attacked.codes, evaluator.target_labels)
    np.testing.assert_array_equal(score.average_precision, by_target)
    assert row.t_map == score.t_map == by_target.mean()
    assert row.map == alone(attacked.codes, data.query.labels).mean()
    assert row.t_map_png == alone(attacked.codes_png, evaluator.target_labels).mean()
    assert row.map_benign == alone(evaluator.query_codes, data.query.labels).mean()
    assert score.curve["at"] == [1, 2, 5, 10, 20]
    assert len(score.curve["precision"]) == len(score.curve["recall"]) == 101
    own, _ = evaluator.row("goal", goal, attack="P2P code", code="p2p", own_labels=False)
    assert own.map is None
    assert own.t_map_png is None
