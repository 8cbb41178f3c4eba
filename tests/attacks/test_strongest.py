"""The strongest of a set: on every query at least as strong as each member, and it says which member won."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from hashprobe.attacks import Strongest
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import average_precision, unpack
from hashprobe.targets import Goal
from helpers import conv_model, random_codes, random_images

BITS, IMAGES, ITEMS = 16, 6, 60
LABELS = np.eye(3, dtype=np.uint8)[np.arange(IMAGES) % 3]
DATABASE = random_codes(ITEMS, BITS, seed=5), np.eye(3, dtype=np.uint8)[np.arange(ITEMS) % 3]


def judge(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return average_precision(codes, DATABASE[0], labels, DATABASE[1], bits=BITS)


def goal(objective: str) -> Goal:
    return Goal(objective=objective, codes=random_codes(IMAGES, BITS), labels=LABELS, training=DATABASE)


@pytest.mark.parametrize("objective", ["targeted", "untargeted"])
def test_no_member_is_stronger_on_any_query(objective: str) -> None:
    model, images, attack = conv_model(BITS), random_images(IMAGES), Strongest(steps=5)
    result = attack.run(
        model, images, goal(objective), judge=judge, generator=torch.Generator().manual_seed(1)
    )
    sign = 1 if objective == "targeted" else -1
    reached = sign * judge(model.codes(result.images), LABELS)
    generator = torch.Generator().manual_seed(1)  # members draw one after another
    winners = np.array(result.winners)
    assert set(winners) <= set(attack.members)
    for name, member in attack.attacks.items():
        images_of = member.run(model, images, goal(objective), generator=generator).images
        own = sign * judge(model.codes(images_of), LABELS)
        assert (reached >= own).all()
        assert np.array_equal(reached[winners == name], own[winners == name])


def test_the_cost_is_that_of_all_members() -> None:
    model, images, attack = conv_model(BITS), random_images(IMAGES), Strongest(steps=5)
    cost = attack.run(model, images, goal("targeted"), judge=judge).cost
    alone = [member.run(model, images, goal("targeted")).cost for member in attack.attacks.values()]
    assert np.array_equal(cost.backward, np.sum([own.backward for own in alone], axis=0))
    assert np.array_equal(cost.questions, np.full(IMAGES, len(attack.members)))


def test_without_a_database_the_nearest_code_counts_and_without_labels_pta_is_left_out() -> None:
    model, images, attack = conv_model(BITS), random_images(IMAGES), Strongest(steps=3, restarts=1)
    aim = dataclasses.replace(goal("targeted"), labels=None)
    result = attack.run(model, images, aim)
    assert "pta" not in result.winners
    wanted = unpack(aim.codes, BITS)
    reached = (unpack(model.codes(result.images), BITS) == wanted).sum(axis=1)
    for name, member in attack.attacks.items():
        if name != "pta":
            own = member.run(model, images, aim).images
            assert (reached >= (unpack(model.codes(own), BITS) == wanted).sum(axis=1)).all()


def test_it_has_no_unbounded_form() -> None:
    with pytest.raises(
        HashprobeError, match="strongest steps by shares of epsilon, so it has no unbounded form"
    ):
        Strongest(epsilon=None)
    assert "pta" not in Strongest(norm="l2", epsilon=1.0).members
