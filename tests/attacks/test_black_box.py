"""Black-box attacks on a linear hash model whose optimum is known, and what each asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.attacks import NES, Access, Attack, RandomSearch, RankNES, RayS, Square, Victim
from hashprobe.attacks.rays import _blocks
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.retrieval import open_index, pack, unpack
from hashprobe.targets import Goal
from helpers import SIZE, conv_model, random_codes, random_images

BITS, EPSILON = 8, 0.1
SHARES = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 1.1, 1.5])
"""How far each bit is from its other side, as a share of what the budget can move it."""
REACHABLE = int((SHARES < 1).sum())
IMAGES = torch.full((2, 3, SIZE, SIZE), 0.5)
EVERY_CODE = np.arange(2**BITS, dtype=np.uint8)[:, None]


def banded_model() -> HashModel:
    """Every bit looks at four rows of its own; ``ε‖w‖₁`` is 1, so that the budget moves each bit by 1 at once, and no further."""
    layer = nn.Linear(3 * SIZE * SIZE, BITS)
    weights = torch.zeros(BITS, 3, SIZE, SIZE)
    signs = torch.from_numpy(np.random.default_rng(0).choice((-1.0, 1.0), size=(BITS, 3, SIZE // 4)))
    for bit in range(BITS):
        rows = slice(bit * SIZE // BITS, (bit + 1) * SIZE // BITS)
        weights[bit, :, rows] = signs[bit].repeat_interleave(4, dim=1)[:, None]
    weights /= EPSILON * weights.abs().sum(dim=(1, 2, 3), keepdim=True)
    with torch.no_grad():
        layer.weight.copy_(weights.flatten(1))
        layer.bias.copy_(-torch.from_numpy(SHARES))
    return HashModel.wrap(nn.Sequential(nn.Flatten(), layer), bits=BITS, mean=(0.5,) * 3)


def opposite(objective: Any) -> Goal:
    """The goal of turning every bit: all codes are 0; wanted are items with five ones or more, those of class 0."""
    ones = np.full((2, 1), 255 if objective == "targeted" else 0, dtype=np.uint8)
    labels = np.array([[1, 0] if objective == "targeted" else [0, 1]] * 2, dtype=np.uint8)
    return Goal(objective=objective, codes=ones, labels=labels)


SEARCH: dict[str, Any] = {
    "search": lambda codes, k: open_index("scan", EVERY_CODE, bits=BITS).search(codes, k).ids,
    "database_labels": np.eye(2, dtype=np.uint8)[(np.bitwise_count(EVERY_CODE[:, 0]) < 5).astype(int)],
}


@pytest.mark.parametrize("objective", ["targeted", "untargeted"])
@pytest.mark.parametrize(
    ("attack", "within"),
    [
        (NES(epsilon=EPSILON, sigma=EPSILON, questions=600, grid=8), 0),
        (RankNES(epsilon=EPSILON, sigma=EPSILON, questions=600, grid=8), 1),
        (Square(epsilon=EPSILON, questions=600), 2),
        (RandomSearch(epsilon=EPSILON, questions=600), 2),
    ],
    ids=lambda own: type(own).__name__ if isinstance(own, Attack) else str(own),
)
def test_reaches_all_but_so_many_of_the_bits_that_can_be_reached(
    attack: Any, within: int, objective: str
) -> None:
    model = banded_model()
    assert not model.codes(IMAGES).any()
    result = attack.run(model, IMAGES, opposite(objective), **SEARCH)
    turned = unpack(model.codes(result.images), BITS) > 0
    assert not turned[:, REACHABLE:].any(), "the budget does not allow it"
    assert (turned.sum(axis=1) >= REACHABLE - within).all()
    assert (result.cost.questions <= 600).all()


class TestNES:
    def test_without_noise_enough_no_bit_moves_and_the_image_stays(self) -> None:
        """The reason for a large sigma: the agreement of codes has no gradient but a smoothed one."""
        result = NES(sigma=1e-6, questions=60).run(banded_model(), IMAGES, opposite("targeted"))
        assert torch.equal(result.images, IMAGES)
        assert result.cost.questions.tolist() == [60, 60]

    def test_the_estimate_is_the_smoothed_gradient(self) -> None:
        """Of a linear score ``Σ a x`` the expected estimate is 2σ times its mean over each cell, times the pairs."""
        attack, pairs = NES(grid=2, sigma=0.01), 4000
        slope = torch.tensor([[1.0, -2.0], [0.5, 0.0]]).repeat(3, 1, 1)
        cells = slope.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)

        def score(pictures: torch.Tensor, rows: np.ndarray) -> np.ndarray:
            return (pictures * cells).sum(dim=(1, 2, 3)).double().numpy()

        images, rows = torch.full((1, 3, 8, 8), 0.5), np.array([0])
        found, told = attack._estimate(
            images, score, rows, [np.random.default_rng(0)], pairs, np.array([0.01])
        )
        assert told.tolist() == [1.0]
        expected = 2 * 0.01 * 16 * cells * pairs  # 16 pixels a cell
        assert (found[0] - expected).abs().max() < 0.15 * expected.abs().max()

    def test_an_image_at_its_goal_asks_once(self) -> None:
        model = banded_model()
        goal = Goal(codes=np.array([[0], [255]], dtype=np.uint8))
        result = NES(questions=50).run(model, IMAGES, goal)
        assert result.cost.questions[0] == 1
        assert result.cost.questions[1] > 40
        assert torch.equal(result.images[0], IMAGES[0])

    @pytest.mark.parametrize("questions", [1, 2, 3, 4, 20, 23, 47])
    def test_no_question_is_asked_that_the_budget_lacks(self, questions: int) -> None:
        cost = NES(questions=questions).run(banded_model(), IMAGES, opposite("targeted")).cost
        assert questions - 2 <= cost.questions.max() <= questions

    @pytest.mark.parametrize("kind", [NES, Square])
    def test_an_image_draws_alike_whatever_the_others_do(self, kind: Any) -> None:
        model, images, codes = conv_model(BITS).double(), random_images(3).double(), random_codes(3, BITS)
        others = torch.cat([images[:1], random_images(2, seed=9).double()])
        attack = kind(questions=60, epsilon=0.3)
        first, second = (attack(model, some, codes) for some in (images, others))
        torch.testing.assert_close(first[0], second[0])
        assert not torch.equal(first[1], second[1])


class TestSquare:
    def test_starts_at_stripes_and_keeps_what_is_no_worse(self) -> None:
        model, codes = banded_model(), np.full((2, 1), 255, dtype=np.uint8)
        moved = Square(epsilon=EPSILON, questions=2)(model, IMAGES, codes) - IMAGES
        assert torch.equal(moved, moved[:, :, :1].expand_as(moved)), "a column is of one colour"
        torch.testing.assert_close(moved.abs(), torch.full_like(moved, EPSILON))
        assert not torch.equal(moved[0], moved[1])

    def test_an_image_that_has_reached_its_goal_stays_while_others_go_on(self) -> None:
        model, codes = banded_model(), np.array([[0b10000000], [255]], dtype=np.uint8)
        attack = Square(epsilon=EPSILON, questions=600)
        result = attack.run(model, IMAGES, Goal(codes=codes))
        alone = attack.run(model, IMAGES[:1], Goal(codes=codes[:1]))
        assert result.cost.questions[0] == alone.cost.questions[0] < result.cost.questions[1] == 600
        assert torch.equal(result.images[0], alone.images[0])
        assert model.codes(result.images)[0] == codes[0]


class TestRayS:
    @pytest.mark.parametrize("objective", ["targeted", "untargeted"])
    def test_finds_the_nearest_picture_of_a_linear_bit_to_its_tolerance(self, objective: Any) -> None:
        """One bit with weights of one sign in each eighth: the smallest radius is ``|z| / ‖w‖₁`` along ``sign w``."""
        signs = torch.tensor([1.0, -1, -1, 1, -1, 1, 1, -1]).repeat_interleave(3 * SIZE * SIZE // 8)
        layer = nn.Linear(3 * SIZE * SIZE, 1)
        with torch.no_grad():
            layer.weight.copy_(signs[None] / len(signs))
            layer.bias.fill_(-0.03)
        model = HashModel.wrap(nn.Sequential(nn.Flatten(), layer), bits=1, mean=(0.5,) * 3)
        codes = np.full((2, 1), 128 if objective == "targeted" else 0, dtype=np.uint8)
        attack = RayS(questions=150, threshold=0, tolerance=1e-3, epsilon=None)
        result = attack.run(model, IMAGES, Goal(objective=objective, codes=codes))
        assert model.codes(result.images).tolist() == [[128], [128]]
        assert float((result.images - IMAGES).abs().max()) == pytest.approx(0.03, abs=1.1e-3)
        assert result.cost.questions.tolist() == [150, 150]

    def test_asks_no_more_once_the_radius_is_within_the_budget(self) -> None:
        model, goal = banded_model(), opposite("untargeted")
        result = RayS(questions=400, threshold=1, epsilon=EPSILON).run(model, IMAGES, goal)
        assert (result.cost.questions < 400).all()
        assert ((unpack(model.codes(result.images), BITS) > 0).sum(axis=1) > 1).all()

    def test_what_no_ray_reaches_is_left_as_it_was(self) -> None:
        """Bits are 8 at most, and no picture differs in more."""
        goal = opposite("untargeted")
        result = RayS(questions=30, threshold=8).run(banded_model(), IMAGES, goal)
        assert torch.equal(result.images, IMAGES)
        assert result.cost.questions.tolist() == [30, 30]

    def test_an_image_at_its_goal_asks_once(self) -> None:
        result = RayS(threshold=0).run(banded_model(), IMAGES, Goal(codes=np.zeros((2, 1), dtype=np.uint8)))
        assert result.cost.questions.tolist() == [1, 1]
        assert torch.equal(result.images, IMAGES)

    def test_runs_are_halved_until_each_value_is_its_own(self) -> None:
        runs = _blocks(5)
        assert [next(runs) for _ in range(1 + 1 + 2 + 4 + 5 + 1)] == [
            *[(0, 0), (0, 5), (0, 2), (2, 5), (0, 1), (1, 2), (2, 4), (4, 5)],
            *[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)],
        ]

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"questions": 0}, "questions must be a whole number of at least 1; found 0"),
            ({"threshold": -1}, "threshold must be a whole number of at least 0; found -1"),
            ({"tolerance": 0.0}, r"tolerance must be in \(0, 1\); found 0.0"),
        ],
    )
    def test_numbers_that_search_nothing_are_refused(self, wrong: dict[str, Any], message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            RayS(**wrong)

    def test_one_bit_an_answer_is_all_that_it_may_see(self) -> None:
        assert RayS.access is Access.FOUND
        with pytest.raises(HashprobeError, match="needs the code that it is to reach or to leave"):
            RayS().run(banded_model(), IMAGES, Goal(objective="untargeted"))


def test_what_is_found_is_what_differs_in_so_many_bits() -> None:
    model = banded_model()
    items = pack(np.array([[-1] * 8, [1] + [-1] * 7, [1, 1, 1] + [-1] * 5, [1] * 8]))
    victim = Victim(model, 2, Access.FOUND, questions=4)
    rows = np.array([0, 0, 1, 0])
    found = victim.found(IMAGES[torch.from_numpy(rows)], items, 1, rows)
    assert found.tolist() == [True, True, False, False]
    assert victim.cost.questions.tolist() == [3, 1]
