"""SDHA and PTA, which look at all relevant codes: their losses beside slow readings of the formulas, and what they reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hashprobe.attacks import PTA, SDHA, Attack
from hashprobe.attacks.pta import smooth_average_precision
from hashprobe.attacks.sdha import weighted_distance
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal
from helpers import linear_model, random_codes, random_images

BITS, IMAGES, CODES = 12, 5, 40
LABELS = np.eye(3, dtype=np.uint8)[np.arange(IMAGES) % 3]
TRAINING = random_codes(CODES, BITS, seed=4), np.eye(3, dtype=np.uint8)[np.arange(CODES) % 3]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("targeted", [True, False])
def test_sdha_weighs_each_relevant_code_by_its_distance(targeted: bool) -> None:
    draw = np.random.default_rng(0)
    relaxed = draw.uniform(-1, 1, (IMAGES, BITS))
    codes = unpack(TRAINING[0], BITS).astype(float)
    codes[3] = np.sign(relaxed[0])  # at distance 0, which counts as 1
    relevant = LABELS @ TRAINING[1].T > 0
    expected = []
    for h, own in zip(relaxed, relevant, strict=True):
        parts = []
        for b in codes[own]:
            distance = max(1, (np.sign(h) != b).sum())
            if targeted:
                d = sum(0.5 * abs(x - y) * sigmoid(-10 * x * y) for x, y in zip(h, b, strict=True))
                parts.append(d * distance**0.3)
            else:
                d = sum(
                    0.5 * abs(x - y) * sigmoid(5 * x * y) + 1 - sigmoid(5 * x * y)
                    for x, y in zip(h, b, strict=True)
                )
                parts.append(d * distance**-0.5)
        expected.append(np.mean(parts))
    share = torch.from_numpy(relevant / relevant.sum(axis=1, keepdims=True))
    found = weighted_distance(torch.from_numpy(relaxed), torch.from_numpy(codes), share, targeted=targeted)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def slow_smooth_average_precision(scores: np.ndarray, positive: np.ndarray, temperature: float) -> float:
    parts = []
    for i in np.flatnonzero(positive):
        ahead = {j: sigmoid((scores[j] - scores[i]) / temperature) for j in range(len(scores)) if j != i}
        parts.append(
            (1 + sum(value for j, value in ahead.items() if positive[j])) / (1 + sum(ahead.values()))
        )
    return float(np.mean(parts))


def test_smooth_average_precision_reads_like_its_formula() -> None:
    draw = np.random.default_rng(1)
    scores = draw.normal(size=(3, 9))
    counts, there = (4, 2, 0), (9, 6, 9)  # rows are filled up where an image has fewer codes
    positive = np.array([np.arange(9) < count for count in counts])
    is_there = np.array([np.arange(9) < count for count in there])
    found = smooth_average_precision(*map(torch.from_numpy, (scores, positive, is_there)), 0.3).numpy()
    for row in (0, 1):
        own = is_there[row]
        expected = slow_smooth_average_precision(scores[row][own], positive[row][own], 0.3)
        assert found[row] == pytest.approx(expected, rel=1e-9)
    assert found[2] == 0


def test_smooth_average_precision_becomes_average_precision() -> None:
    scores = torch.tensor([[0.9, 0.1, 0.5, 0.3]])
    positive = torch.tensor([[True, True, False, False]])  # at places 1 and 4 of the ranking
    found = smooth_average_precision(scores, positive, torch.ones_like(positive), 1e-3)
    assert float(found) == pytest.approx((1 / 1 + 2 / 4) / 2)


@pytest.mark.parametrize("attack", [SDHA(steps=60), PTA(), PTA(temperature=0.01)], ids=repr)
@pytest.mark.parametrize("objective", ["targeted", "untargeted"])
def test_relevant_codes_come_nearer_or_move_away(attack: Attack, objective: str) -> None:
    model, images = linear_model(BITS), random_images(IMAGES)
    codes, relevant = unpack(TRAINING[0], BITS), LABELS @ TRAINING[1].T > 0

    def agreement(pictures: torch.Tensor) -> np.ndarray:
        own = unpack(model.codes(pictures), BITS).astype(int) @ codes.T.astype(int)
        return np.array(
            [row[there].mean() - row[~there].mean() for row, there in zip(own, relevant, strict=True)]
        )

    goal = Goal(objective=objective, labels=LABELS, training=TRAINING)
    change = agreement(attack.run(model, images, goal).images) - agreement(images)
    assert (change > 0).all() if objective == "targeted" else (change < 0).all()


@pytest.mark.parametrize(
    ("attack", "wrong", "message"),
    [
        (SDHA, {"steps": 0}, "steps must be a whole number of at least 1"),
        (SDHA, {"rate": 0.0}, "rate must be positive"),
        (PTA, {"temperature": 0.0}, "temperature must be positive"),
        (PTA, {"positives": 0}, "positives must be a whole number of at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    attack: type[Attack], wrong: dict[str, float], message: str
) -> None:
    with pytest.raises(HashprobeError, match=message):
        attack(**wrong)
