"""Codes in closed form from training codes, beside a slow reading of their formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import pack, unpack
from hashprobe.targets import CentreCode, Context, MainstayCode, MeanCode, TrainingCode
from hashprobe.targets.codes import training

KINDS = (MainstayCode, CentreCode, MeanCode)


def slowly(
    kind: type[TrainingCode], label: np.ndarray, signs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The value of each bit, image by image, and the sum of what was added up in size: what rounding is relative to."""
    near, far = np.zeros((2, signs.shape[1]))
    weight, relevant, others = 0.0, 0, 0
    for code, own in zip(signs, labels, strict=True):
        common = int((own & label).sum())
        if not common:
            far, others = far + code, others + 1
            continue
        w = {
            MainstayCode: common / (own.sum() * label.sum()) ** 0.5,
            CentreCode: common / (own | label).sum(),
            MeanCode: 1.0,
        }[kind]
        near, weight, relevant = near + w * code, weight + w, relevant + 1
    if not relevant:
        return -signs.sum(axis=0).astype(float), np.full(signs.shape[1], float(len(signs)))
    if kind is MeanCode:
        return near, np.full(signs.shape[1], weight)
    if kind is CentreCode:
        value = others * near - relevant * far if others else near
        return value, np.full(signs.shape[1], float(relevant * max(others, 1)))
    return near / weight - (far / others if others else 0), np.ones(signs.shape[1])


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 10_000), images=st.integers(1, 30), classes=st.integers(1, 5), bits=st.integers(1, 11)
)
def test_is_the_formula(kind: type[TrainingCode], seed: int, images: int, classes: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], size=(images, bits))
    labels = (rng.random((images, classes)) < 0.4).astype(np.uint8)
    asked = (rng.random((6, classes)) < 0.4).astype(np.uint8)
    codes = unpack(kind(codes=pack(signs), labels=labels, bits=bits)(asked), bits)
    for code, label in zip(codes, asked, strict=True):
        value, size = slowly(kind, label, signs, labels)
        tied = np.abs(value) < 1e-12 * size
        assert np.array_equal(code, np.where(tied, 1, np.sign(value)))


def of_two_classes() -> dict[str, object]:
    """Two images of the first class alone, one of both, two of the second alone."""
    signs = np.array([[1, 1, 1, -1], [1, 1, -1, -1], [1, -1, 1, 1], [1, -1, 1, 1], [1, -1, 1, 1]])
    labels = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1]], dtype=np.uint8)
    return {"codes": pack(signs), "labels": labels, "bits": 4}


def test_the_mainstay_code_leaves_the_irrelevant_ones_and_the_mean_does_not() -> None:
    label = np.array([[1, 0]])
    # The relevant ones sum to (3, 1, 1, -1), all others are (1, -1, 1, 1): the third bit of the mainstay tells them apart.
    assert unpack(MeanCode(**of_two_classes())(label), 4).tolist() == [[1, 1, 1, -1]]
    assert unpack(MainstayCode(**of_two_classes())(label), 4).tolist() == [[1, 1, -1, -1]]


def test_more_alike_labels_weigh_more() -> None:
    # The label has the first class: two images of all four classes against one of the first alone, whose cosine is 1, not 1/2,
    # and whose Jaccard index is 1, not 1/4; nothing is irrelevant.
    labels = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=np.uint8)
    given = {"codes": pack(np.array([[1, 1], [1, 1], [-1, 1]])), "labels": labels, "bits": 2}
    label = np.array([[1, 0, 0, 0]])
    assert unpack(MeanCode(**given)(label), 2).tolist() == [[1, 1]]
    assert unpack(MainstayCode(**given)(label), 2).tolist() == [[1, 1]]  # 1/2 + 1/2 against 1: a tie
    assert unpack(CentreCode(**given)(label), 2).tolist() == [[-1, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_that_no_training_image_has_is_far_from_all(kind: type[TrainingCode]) -> None:
    given = of_two_classes()
    given["labels"] = np.hstack([given["labels"], np.zeros((5, 1), dtype=np.uint8)])  # type: ignore[call-overload]
    for label in ([[0, 0, 1]], [[0, 0, 0]]):
        assert unpack(kind(**given)(np.array(label)), 4).tolist() == [[-1, 1, -1, -1]]


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_labels_change_nothing(kind: type[TrainingCode], monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]])
    whole = kind(**of_two_classes())(labels)
    monkeypatch.setattr(training, "ENTRIES_AT_ONCE", 1)
    assert np.array_equal(kind(**of_two_classes())(labels), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_is_made_from_the_training_images_alone(
    kind: type[TrainingCode], context_of: Callable[..., Context]
) -> None:
    given = of_two_classes()
    context = context_of(given["codes"], given["labels"], 4)
    assert np.array_equal(kind.of(context)(np.eye(2)), kind(**given)(np.eye(2)))
    with pytest.raises(
        HashprobeError, match=r"target labels must have shape \(n, 2\), as the training images'"
    ):
        kind.of(context)(np.eye(3))
