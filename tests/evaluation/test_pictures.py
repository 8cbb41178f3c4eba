"""Attacks on single pictures: what is measured of each, beside what a search of the same codes finds."""

from __future__ import annotations

import numpy as np
import pytest

from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, Evaluator, attack_pictures, target_label
from helpers import linear_model, tiny_data

BITS, NEAREST = 12, 5
LABEL = np.array([0, 1, 0], dtype=np.uint8)


@pytest.mark.parametrize("label", [LABEL, None])
def test_each_is_measured_as_a_file_holds_it(label: np.ndarray | None) -> None:
    evaluator, goal = (
        Evaluator(linear_model(BITS), tiny_data(), seed=0),
        "untargeted" if label is None else "targeted",
    )
    images, database = tiny_data(seed=5).query.images[:3], evaluator.data.database.labels
    made = attack_pictures(evaluator, images, CellSpec(attack="FGSM", goal=goal), label, nearest=NEAREST)
    assert len(made) == 3
    for image, one in zip(images, made, strict=True):
        change = (one.adversarial.astype(float) - image) / 255
        assert one.linf == pytest.approx(np.abs(change).max()) == pytest.approx(8 / 255)
        assert one.rms == pytest.approx(np.sqrt((change**2).mean()))
        before, after = (evaluator.model.codes(own[None]) for own in (image, one.adversarial))
        assert one.bits_moved == np.unpackbits(before ^ after).sum() > 0
        assert one.goal_bits is not None
        assert one.goal_bits_before is not None
        assert abs(one.goal_bits_before - one.goal_bits) <= one.bits_moved
        assert one.goal_bits < one.goal_bits_before
        found_before, found = (evaluator.ranking.ids(codes, NEAREST)[0] for codes in (before, after))
        assert one.nearest == tuple(found)
        if label is None:
            assert (one.hits_before, one.hits) == (NEAREST, len(set(found) & set(found_before)))
        else:
            carriers = [(database[ids] & label).any(axis=1).sum() for ids in (found_before, found)]
            assert [one.hits_before, one.hits] == carriers
        assert one.questions == 0
    alone = attack_pictures(evaluator, images[:1], CellSpec(attack="FGSM", goal=goal), label, nearest=NEAREST)
    assert np.array_equal(alone[0].adversarial, made[0].adversarial)


def test_the_strongest_is_chosen_by_average_precision_over_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluator, judged = Evaluator(linear_model(BITS), tiny_data(), seed=0), list[float]()
    judge = evaluator.searched["judge"]

    def worst(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Prefer what ranks worst, which no distance of codes does."""
        assert labels.tolist() == [LABEL.tolist()]
        judged.append(float(judge(codes, labels)[0]))
        return -np.array(judged[-1:])

    monkeypatch.setattr(evaluator, "_average_precision", worst)
    spec = CellSpec(attack="strongest", settings={"epsilon": 0.2, "steps": 3, "restarts": 1})
    (made,) = attack_pictures(evaluator, tiny_data(seed=5).query.images[:1], spec, LABEL)
    assert len(judged) == 6, "one question a member"
    assert len(set(judged)) > 1
    code = evaluator.model.codes(made.adversarial[None])
    assert judge(code, LABEL[None])[0] == pytest.approx(min(judged), abs=0.02)


def test_a_target_is_named_by_its_classes() -> None:
    assert target_label(["b", "c"], ("a", "b", "c")).tolist() == [0, 1, 1]
    with pytest.raises(HashprobeError, match="name at least one target label"):
        target_label([], ("a",))
    with pytest.raises(HashprobeError, match="no class is named 'hous'; did you mean 'house'"):
        target_label(["hous"], ("house", "tree"))
