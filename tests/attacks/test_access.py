"""What an attack may see of the attacked search, what it is refused, and what it is charged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import FGSM, IFGSM, Access, Cost, Victim
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.retrieval import unpack
from helpers import conv_model, linear_model, random_codes, random_images

BITS, COUNT = 12, 3
IMAGES = random_images(COUNT)
LABELS = np.eye(4, dtype=np.uint8)


def victim(access: Access = Access.GRADIENTS, model: HashModel | None = None, **given: Any) -> Victim:
    search = {"search": lambda codes, k: np.tile(np.arange(k), (len(codes), 1)), "database_labels": LABELS}
    return Victim(model or linear_model(BITS), COUNT, access, **{**search, **given})


def ask(one: Victim, needed: Access, rows: np.ndarray | None = None, images: torch.Tensor = IMAGES) -> Any:
    return {
        Access.FOUND: lambda: one.found(images, random_codes(len(images), BITS), 3, rows),
        Access.RANKING: lambda: one.ranked(images, 2, rows),
        Access.CODES: lambda: one.codes(images, rows),
        Access.GRADIENTS: lambda: one.relaxed(images, rows=rows),
    }[needed]()


class TestAccess:
    @pytest.mark.parametrize("has", Access)
    @pytest.mark.parametrize("needed", list(Access)[1:])
    def test_is_a_ladder_and_a_refusal_costs_nothing(self, has: Access, needed: Access) -> None:
        ladder, one = list(Access), victim(has)
        tells_no_distance = (has, needed) == (Access.RANKING, Access.FOUND)
        if ladder.index(has) >= ladder.index(needed) and not tells_no_distance:
            assert len(ask(one, needed)) == COUNT
            return
        message = f"access to {has.value} may not ask for .*; it must state access '{needed.value}'"
        with pytest.raises(HashprobeError, match=message):
            ask(one, needed)
        assert (one.cost.questions + one.cost.forward).sum() == 0

    def test_answers_are_the_models(self) -> None:
        model = linear_model(BITS)
        one = victim(model=model)
        assert torch.equal(one.logits(IMAGES), model.logits(IMAGES))
        assert torch.equal(one.relaxed(IMAGES, 0.3), model.relaxed(IMAGES, 0.3))
        assert np.array_equal(one.codes(IMAGES), model.codes(IMAGES))
        asked = []
        seen = victim(
            Access.RANKING, model, search=lambda codes, k: asked.append((codes, k)) or np.zeros((3, k), int)
        )
        assert seen.ranked(IMAGES, 2).shape == (COUNT, 2)
        assert np.array_equal(asked[0][0], model.codes(IMAGES))
        assert asked[0][1] == 2

    def test_labels_of_what_was_found_and_none_for_nothing(self) -> None:
        found = victim(Access.RANKING).labels_of(np.array([[2, -1], [0, 3]]))
        assert found.tolist() == [[LABELS[2].tolist(), [0] * 4], [LABELS[0].tolist(), LABELS[3].tolist()]]
        with pytest.raises(HashprobeError, match=r"give run\(database_labels=…\)"):
            victim(Access.RANKING, database_labels=None).labels_of(np.array([[0]]))

    def test_nothing_to_search_is_said(self) -> None:
        with pytest.raises(HashprobeError, match=r"give run\(search=…\) a database to search"):
            victim(Access.RANKING, search=None).ranked(IMAGES, 2)


class TestCost:
    def test_counts_by_rows_however_many_pictures_an_image_has(self) -> None:
        one = victim()
        rows = np.array([0, 0, 2, 0])
        pictures = IMAGES[torch.from_numpy(rows)]
        one.codes(pictures, rows)
        one.ranked(IMAGES, 1)
        one.logits(pictures[:2], rows[:2])
        assert one.cost.questions.tolist() == [4, 1, 2]
        assert one.cost.forward.tolist() == [2, 0, 0]

    @pytest.mark.parametrize("needed", list(Access)[1:])
    def test_pictures_without_rows_must_be_the_images(self, needed: Access) -> None:
        with pytest.raises(HashprobeError, match="2 pictures are not the 3 attacked images; say with rows="):
            ask(victim(), needed, images=IMAGES[:2])

    def test_backward_passes_are_those_that_a_gradient_takes(self) -> None:
        one, images = victim(), IMAGES.clone().requires_grad_(True)
        with torch.no_grad():
            one.logits(images)
        first, second = one.relaxed(images), one.logits(images[:2], np.array([0, 1]))
        assert one.cost.forward.tolist() == [3, 3, 2]
        assert one.cost.backward.tolist() == [0, 0, 0]
        torch.autograd.grad(first.sum() + second.sum(), images)
        assert one.cost.backward.tolist() == [2, 2, 1]
        third = one.logits(images)
        torch.autograd.grad(third.sum(), images, retain_graph=True)
        torch.autograd.grad(third.sum(), images)
        assert one.cost.backward.tolist() == [4, 4, 3]

    def test_a_network_of_the_attacks_own_is_counted_inside_the_block_alone(self) -> None:
        one, own = victim(Access.NOTHING), torch.nn.Conv2d(3, 3, 1)

        def failing() -> None:
            with one.counting(own):
                own(IMAGES).sum().backward()
                own(IMAGES)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            failing()
        own(IMAGES)
        assert one.cost.forward.tolist() == [2] * COUNT
        assert one.cost.backward.tolist() == [1] * COUNT

    def test_costs_of_batches_are_put_together(self) -> None:
        whole = Cost.none(4)
        whole.put(slice(1, 3), Cost(np.array([1, 2]), np.array([3, 4]), np.array([5, 6])))
        assert (whole.forward.tolist(), whole.backward.tolist()) == ([0, 1, 2, 0], [0, 3, 4, 0])
        assert whole.questions.tolist() == [0, 5, 6, 0]


class TestQuestions:
    def test_may_be_asked_until_none_is_left_and_a_refused_one_is_not_answered(self) -> None:
        asked: list[int] = []
        one = victim(Access.RANKING, questions=3, search=lambda codes, k: asked.append(len(codes)) or codes)
        assert one.left.tolist() == [3, 3, 3]
        one.ranked(IMAGES[[0, 0]], 1, np.array([0, 0]))
        assert one.left.tolist() == [1, 3, 3]
        one.ranked(IMAGES, 1)
        assert one.left.tolist() == [0, 2, 2]
        for pictures, rows in ((IMAGES, None), (IMAGES[[1, 1, 1]], np.array([1, 1, 1]))):
            with pytest.raises(HashprobeError, match="asked more than the 3 questions an image that it may"):
                one.ranked(pictures, 1, rows)
        assert asked == [2, 3]
        assert one.left.tolist() == [0, 2, 2]

    def test_without_a_limit_very_many_are_left(self) -> None:
        one = victim(Access.CODES)
        one.codes(IMAGES)
        assert (one.left > 10**15).all()

    def test_a_search_that_is_missing_costs_no_question(self) -> None:
        one = victim(Access.RANKING, search=None)
        with pytest.raises(HashprobeError):
            one.ranked(IMAGES, 1)
        assert one.cost.questions.sum() == 0


def negative(images: torch.Tensor) -> torch.Tensor:
    """Return the negative of images: a transform that turns every gradient round."""
    return 1 - images


class TestTransform:
    @pytest.mark.parametrize("seen", [True, False])
    def test_answers_come_through_it_and_gradients_only_where_attacks_see_it(self, seen: bool) -> None:
        bare = linear_model(BITS)
        model = bare.with_transform(negative, seen_by_attacks=seen)
        one = victim(model=model)
        assert np.array_equal(one.codes(IMAGES), bare.codes(1 - IMAGES))
        torch.testing.assert_close(one.logits(IMAGES), bare.logits(1 - IMAGES if seen else IMAGES))

    def test_an_attack_that_does_not_see_it_does_what_it_does_to_the_bare_model(self) -> None:
        bare, codes = conv_model(BITS), random_codes(COUNT, BITS)
        hidden, shown = (bare.with_transform(negative, seen_by_attacks=seen) for seen in (False, True))
        attack = FGSM()
        assert torch.equal(attack(hidden, IMAGES, codes), attack(bare, IMAGES, codes))
        assert not torch.equal(attack(shown, IMAGES, codes), attack(bare, IMAGES, codes))

    def test_through_it_or_not_decides_whether_the_codes_come_nearer(self) -> None:
        bare, codes = linear_model(BITS), random_codes(COUNT, BITS)

        def agreement(seen: bool) -> float:
            model = bare.with_transform(negative, seen_by_attacks=seen)
            adversarial = IFGSM(epsilon=0.1, steps=10)(model, IMAGES, codes)
            return float((unpack(model.codes(adversarial), BITS) == unpack(codes, BITS)).mean())

        assert agreement(seen=True) > 0.9
        assert agreement(seen=False) < 0.1
