"""What a row says so that its score can be judged: bits moved, distance to the goal, size of outputs, queries found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hashprobe.attacks import DHTA, FGSM, HAG, Noise
from hashprobe.data import ImageRows, RetrievalData, Split
from hashprobe.evaluation import CellSpec, Evaluator, facts, measure
from hashprobe.retrieval import bits_apart, pack, unpack
from hashprobe.targets import Goal
from hashprobe.trained import load_trained
from helpers import linear_model, random_codes, tiny_data, train_tiny

BITS = 12


def test_bits_apart_is_the_number_of_signs_that_differ() -> None:
    one, other = random_codes(7, BITS), random_codes(7, BITS, seed=1)
    differ = (unpack(one, BITS) != unpack(other, BITS)).sum(axis=1)
    assert bits_apart(one, other).tolist() == differ.tolist()


@pytest.mark.parametrize("objective", ["targeted", "untargeted"])
def test_goal_bits_count_from_where_the_goal_leads(objective: str) -> None:
    codes, before, wanted = (random_codes(5, BITS, seed=seed) for seed in range(3))
    goal = Goal(objective=objective, codes=wanted)  # type: ignore[arg-type]
    end = goal.direction(BITS, torch.zeros(1)).numpy()
    said = facts.of_codes(codes, before, goal, BITS)
    assert said["goal_bits"] == pytest.approx((unpack(codes, BITS) != end).sum(axis=1).mean())
    assert said["goal_bits_before"] == pytest.approx((unpack(before, BITS) != end).sum(axis=1).mean())
    reached = facts.of_codes(pack(end), before, goal, BITS)
    assert reached["goal_bits"] == 0
    assert facts.of_codes(codes, before, Goal(), BITS).keys() == {"bits_moved"}


def test_mean_logit_is_that_of_the_outputs_and_grows_with_them() -> None:
    images = tiny_data(queries=6).query.images
    model = linear_model(BITS)
    expected = model.logits(torch.from_numpy(images[:]).float() / 255).abs().mean().item()
    assert facts.mean_logit(model, images) == pytest.approx(expected, rel=1e-5)
    assert facts.mean_logit(linear_model(BITS, scale=30.0), images) == pytest.approx(30 * expected, rel=1e-5)


def test_the_alpha_of_an_attack_is_the_smallest_that_it_takes() -> None:
    attacks = (FGSM(objective="tanh"), FGSM(), DHTA(steps=10), Noise(), HAG())
    assert [facts.tanh_alpha(attack) for attack in attacks] == [1.0, None, 0.1, None, 0.1]


def leaking(data: RetrievalData, into: str, queries: list[int]) -> RetrievalData:
    """The same data with some of the queries' images in the place of others."""
    split: Split = getattr(data, into)
    images = split.images[:]
    images[: len(queries)] = data.query.images[queries]
    return replace(data, **{into: replace(split, images=ImageRows(images))})


@pytest.mark.parametrize("into", ["database", "train"])
def test_queries_that_lie_elsewhere_are_counted(into: str) -> None:
    data = tiny_data(queries=5)
    assert facts.duplicates(data) == 0
    leaks = leaking(data, into, [1, 4])
    assert facts.duplicates(leaks) == 2
    images = getattr(leaks, into).images[:]
    images[0, 2, 0, 0] ^= 1  # the line that is compared first is the same still
    changed = replace(leaks, **{into: replace(getattr(leaks, into), images=ImageRows(images))})
    assert facts.duplicates(changed) == 1


def test_a_row_has_them(tmp_path: Path) -> None:
    data, model = tiny_data(queries=5), linear_model(BITS, scale=3.0)
    evaluator = Evaluator(model, data, seed=0)
    settings = {"epsilon": 0.5, "objective": "tanh"}
    (row,) = measure(CellSpec(attack="I-FGSM", settings=settings), "paper", evaluator).rows
    assert row.bits_moved is not None
    assert row.goal_bits is not None
    assert row.goal_bits_before is not None
    assert row.l2 is not None
    assert row.goal_bits < row.goal_bits_before <= row.goal_bits + row.bits_moved
    assert row.linf is not None
    assert row.linf <= row.l2 <= row.linf * (3 * 32 * 32) ** 0.5 + 1e-6
    assert (row.norm, row.access, row.trained, row.tanh_alpha) == ("linf", "gradients", False, 1.0)
    assert (row.tanh_scale, row.duplicates) == (1.0, 0)
    assert row.mean_logit == pytest.approx(facts.mean_logit(model, data.query.images))
    targets, own = evaluator.target_labels("paper"), data.query.labels
    shared = [
        bool(set(np.flatnonzero(a)) & set(np.flatnonzero(b))) for a, b in zip(targets, own, strict=True)
    ]
    assert row.target_shared == pytest.approx(np.mean(shared))
    (original,) = measure(CellSpec(), "disjoint", evaluator).rows
    assert (original.bits_moved, original.target_shared, original.access) == (None, 0.0, "")


def test_a_trained_attack_keeps_the_seed_of_its_training(tmp_path: Path) -> None:
    made = train_tiny("Universal", tmp_path / "universal")
    assert made.training_seed == 0
    assert load_trained(tmp_path / "universal").training_seed == 0
    attack = CellSpec(attack="Universal", settings={"epsilon": 0.01}).build({"Universal": made})
    assert facts.of_attack(attack, 0) == {
        "norm": "linf",
        "access": "nothing",
        "tanh_alpha": None,
        "trained": True,
    }
    assert facts.of_attack(attack, 1)["training_seed"] == 0
