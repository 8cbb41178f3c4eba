"""Attacks on the ranked list: what they ask, what they raise, and what they must not see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import Access, Attack, AttackResult, RandomSearch, RankNES
from hashprobe.attacks.squares import side_of
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.retrieval import open_index
from hashprobe.targets import Goal
from helpers import SIZE, linear_model, random_images

BITS, LENGTH = 8, 10


def smooth_model(bits: int = BITS) -> HashModel:
    """A linear model whose weights are constant over 8×8 pixels, so that squares move its outputs."""
    model = linear_model(bits)
    with torch.no_grad():
        blocks = torch.randn(bits, 3, 4, 4, generator=torch.Generator().manual_seed(1))
        model.network[1].weight.copy_(torch.nn.functional.interpolate(blocks, scale_factor=8).flatten(1))
    return model


class Database:
    """40 random images in four classes; it writes down every list that it returned."""

    def __init__(self, model: HashModel) -> None:
        self.labels = np.eye(4, dtype=np.uint8)[np.arange(40) % 4]
        self.index = open_index("scan", model.codes(random_images(40, seed=5)), bits=model.bits)
        self.lists: list[np.ndarray] = []

    def __call__(self, codes: np.ndarray, k: int) -> np.ndarray:
        ids = self.index.search(codes, k).ids
        self.lists.append(ids)
        return ids

    def attack(self, attack: Attack, model: HashModel, images: torch.Tensor, goal: Goal) -> AttackResult:
        return attack.run(model, images, goal, search=self, database_labels=self.labels)

    def share(self, ids: np.ndarray, label: np.ndarray) -> float:
        """The mean over ranks of the precision there where a rank has an item of the label, item by item."""
        hits = [bool(self.labels[item] @ label) for item in ids]
        return sum(sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit) / len(ids)


@pytest.fixture
def model() -> HashModel:
    return smooth_model()


@pytest.fixture
def database(model: HashModel) -> Database:
    return Database(model)


def goal_of(objective: Any, count: int) -> Goal:
    return Goal(objective=objective, labels=np.eye(4, dtype=np.uint8)[np.arange(count) % 4])


@pytest.mark.parametrize("kind", [RandomSearch, RankNES])
@pytest.mark.parametrize("objective", ["targeted", "untargeted"])
class TestBothObjectives:
    def test_brings_the_goal_nearer_within_the_budget(
        self, objective: str, kind: Any, model: HashModel, database: Database
    ) -> None:
        images, goal = random_images(6), goal_of(objective, 6)
        attack = kind(questions=150, length=LENGTH, epsilon=0.1)
        adversarial = database.attack(attack, model, images, goal).images
        assert (adversarial - images).abs().max() <= 0.1 + 1e-6
        before, after = (
            np.mean(
                [
                    database.share(ids, label)
                    for ids, label in zip(
                        database.index.search(model.codes(some), LENGTH).ids, goal.labels, strict=True
                    )
                ]
            )
            for some in (images, adversarial)
        )
        assert (after > 1.4 * before) if objective == "targeted" else (after < 0.6 * before)

    def test_an_image_draws_alike_whatever_the_others_do(
        self, objective: str, kind: Any, model: HashModel, database: Database
    ) -> None:
        images, attack = random_images(3), kind(questions=20, length=LENGTH)
        others = torch.cat([images[:1], random_images(2, seed=9)])
        goal = goal_of(objective, 3)
        first, second = (database.attack(attack, model, some, goal).images for some in (images, others))
        assert torch.equal(first[0], second[0])
        assert not torch.equal(first[1], second[1])

    def test_no_image_gives_no_image(
        self, objective: str, kind: Any, model: HashModel, database: Database
    ) -> None:
        images = torch.zeros(0, 3, SIZE, SIZE)
        assert len(database.attack(kind(), model, images, goal_of(objective, 0)).images) == 0


@pytest.mark.parametrize("objective", ["targeted", "untargeted"])
def test_random_search_ends_with_the_best_list_that_it_saw(
    objective: str, model: HashModel, database: Database
) -> None:
    """More items are looked at than a class has, so that no goal is reached and every image asks every question."""
    images, goal = random_images(3), goal_of(objective, 3)
    attack = RandomSearch(questions=40, length=35, epsilon=0.1)
    result = database.attack(attack, model, images, goal)
    assert result.cost.questions.tolist() == [40] * 3
    final = database.index.search(model.codes(result.images), 35).ids
    assert len(database.lists) == 40
    gained = 0.0
    for row in range(3):
        shares = [database.share(ids[row], goal.labels[row]) for ids in database.lists]
        best = max(shares) if objective == "targeted" else min(shares)
        assert database.share(final[row], goal.labels[row]) == pytest.approx(best)
        gained += abs(best - shares[0])
    assert gained > 0.01


class TestQuestions:
    def test_an_image_at_its_goal_asks_once_and_is_left_alone(self, database: Database) -> None:
        """One bit, the mean of all values; what is dark finds class 0, what is light class 1."""
        model = linear_model(1)
        with torch.no_grad():
            model.network[1].weight.fill_(1 / 3000)
        database.index = open_index("scan", np.repeat(np.uint8([0, 128]), 20)[:, None], bits=1)
        database.labels = np.eye(2, dtype=np.uint8)[np.repeat([0, 1], 20)]
        shades = torch.tensor([0.2, 0.499, 0.8]).view(3, 1, 1, 1).expand(3, 3, SIZE, SIZE).contiguous()
        goal = Goal(labels=np.uint8([[0, 1]] * 3))
        result = database.attack(RandomSearch(questions=30, length=LENGTH, epsilon=0.1), model, shades, goal)
        far, near, there = result.cost.questions
        assert (far, there) == (30, 1)
        assert 1 < near < 30
        assert torch.equal(result.images[2], shades[2])
        assert float(result.images[1].mean()) >= 0.5
        assert sum(map(len, database.lists)) == result.cost.questions.sum()

    def test_one_question_is_about_the_image_itself(self, model: HashModel, database: Database) -> None:
        images = random_images(2)
        result = database.attack(RandomSearch(questions=1), model, images, goal_of("targeted", 2))
        assert torch.equal(result.images, images)
        assert result.cost.questions.tolist() == [1, 1]

    def test_it_asks_no_gradient_and_no_code(self) -> None:
        assert RandomSearch.access is Access.RANKING


class TestLabels:
    def test_without_labels_it_leaves_what_was_found_at_first(
        self, model: HashModel, database: Database
    ) -> None:
        images, attack = random_images(4), RandomSearch(questions=150, length=5, epsilon=0.1)
        adversarial = attack.run(model, images, Goal(objective="untargeted"), search=database).images
        first, last = (database.index.search(model.codes(some), 5).ids for some in (images, adversarial))
        assert np.mean([np.isin(now, then).mean() for now, then in zip(last, first, strict=True)]) < 0.5

    def test_nothing_found_is_no_hit(self, model: HashModel, database: Database) -> None:
        for goal in (Goal(objective="untargeted"), goal_of("untargeted", 2), goal_of("targeted", 2)):
            result = RandomSearch(questions=4).run(
                model,
                random_images(2),
                goal,
                search=lambda codes, k: np.full((len(codes), k), -1),
                database_labels=database.labels,
            )
            assert result.cost.questions.tolist() == ([4, 4] if goal.objective == "targeted" else [1, 1])

    def test_what_it_needs_is_said(self, model: HashModel, database: Database) -> None:
        images, attack = random_images(2), RandomSearch(questions=2)
        with pytest.raises(HashprobeError, match=r"asks what images retrieve; give run\(search=…\)"):
            attack.run(model, images, goal_of("targeted", 2))
        with pytest.raises(HashprobeError, match=r"give run\(database_labels=…\)"):
            attack.run(model, images, goal_of("targeted", 2), search=database)
        with pytest.raises(HashprobeError, match="needs the labels of its goal"):
            database.attack(attack, model, images, Goal(objective="targeted"))


def test_squares_halve_as_published_and_stay_within_the_image() -> None:
    sides = [side_of(0.32, done, 32, 32)[0] for done in (0, 0.0015, 0.006, 0.03, 0.15, 0.3, 0.5, 0.7, 0.9)]
    assert sides == [round((0.32 * 1024 / 2**halved) ** 0.5) for halved in range(9)]
    assert side_of(1.0, 0, 8, 32) == (8, 16)
    assert side_of(1e-6, 1, 32, 32) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (RandomSearch, {"questions": 0}, "questions must be a whole number of at least 1; found 0"),
        (RandomSearch, {"length": 0}, "length must be a whole number of at least 1; found 0"),
        (RandomSearch, {"square": 0.0}, r"square must be in \(0, 1\]; found 0.0"),
        (RandomSearch, {"square": 1.1}, r"square must be in \(0, 1\]; found 1.1"),
        (RankNES, {"questions": 0}, "questions must be a whole number of at least 1; found 0"),
        (RankNES, {"length": 0}, "length must be a whole number of at least 1; found 0"),
        (RankNES, {"samples": 1}, "samples must be a whole number of at least 2; found 1"),
        (RankNES, {"grid": 0}, "grid must be a whole number of at least 1; found 0"),
        (RankNES, {"sigma": 0.0}, "sigma must be positive; found 0.0"),
        (RankNES, {"step_size": float("nan")}, "step_size must be positive; found nan"),
        (RankNES, {"momentum": 1.0}, r"momentum must be in \[0, 1\); found 1.0"),
    ],
)
def test_numbers_that_search_nothing_are_refused(kind: Any, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        kind(**wrong)
