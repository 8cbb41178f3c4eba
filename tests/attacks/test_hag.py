"""HAG on a linear model, beside a slow reading of its formula."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from hashprobe.attacks import HAG, Noise
from hashprobe.attacks.objectives import sharpening
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec
from hashprobe.hashing import HashModel
from hashprobe.retrieval import pack, unpack
from hashprobe.targets import Goal
from helpers import SIZE, linear_model, random_images

BITS = 12


def away(model: HashModel, images: torch.Tensor) -> Goal:
    return Goal(objective="untargeted", codes=model.codes(images))


def weights(model: HashModel) -> np.ndarray:
    return model.network[1].weight.detach().double().numpy()


def slow_steps(
    weight: np.ndarray, image: np.ndarray, attack: HAG, epsilon: float
) -> Iterator[tuple[np.ndarray, int]]:
    """The formula for one image, bit by bit, with its derivative by hand; each image with the number of its open bits."""
    bits, x, move = len(weight), image.copy(), np.zeros_like(image)
    own = [1.0 if z >= 0 else -1.0 for z in weight @ (image - 0.5)]
    for step in range(attack.steps):
        alpha, z = sharpening(step / attack.steps), weight @ (x - 0.5)
        h = [float(np.tanh(alpha * value)) for value in z]
        open_bits = [k for k in range(bits) if abs(h[k] - own[k]) <= 1.5]
        agreement = sum(h[k] * own[k] for k in open_bits) / max(len(open_bits), 1)
        balance = sum(h) / bits
        gradient = np.zeros_like(x)
        for k in range(bits):
            by_h = 2 * balance / bits
            if k in open_bits:
                by_h += 2 * (agreement + 1) * own[k] / len(open_bits)
            gradient += by_h * alpha * (1 - h[k] ** 2) * weight[k]
        move = attack.momentum * move + gradient
        x = np.clip(np.clip(x - attack.rate * move, image - epsilon, image + epsilon), 0, 1)
        yield x, len(open_bits)


def test_is_the_formula_step_for_step() -> None:
    model, images = linear_model(BITS).double(), random_images(3).double()
    attack = HAG(steps=20, rate=3.0, epsilon=0.2)
    adversarial = attack.run(model, images, away(model, images)).images
    for image, found in zip(images, adversarial, strict=True):
        *_, (expected, still_open) = slow_steps(weights(model), image.flatten().numpy(), attack, 0.2)
        np.testing.assert_allclose(found.flatten().numpy(), expected, atol=1e-10)
        assert still_open < BITS  # some bits were let go, so that part of the formula was walked


def test_one_step_from_an_open_code() -> None:
    """With one bit, h0 = 1 and small h the loss is (h + 1)² + h²; its derivative is 2 + 4 h."""
    model = linear_model(1, scale=0.02)
    images = torch.full((1, 3, SIZE, SIZE), 0.5)
    weight = torch.from_numpy(weights(model)).view(1, 3, SIZE, SIZE).float()
    adversarial = HAG(steps=1, rate=0.5, epsilon=None).run(model, images, away(model, images)).images
    torch.testing.assert_close(adversarial, images - 0.5 * 2 * 0.1 * weight)


def test_moves_codes_further_than_noise_does_and_within_the_budget() -> None:
    model, images = linear_model(16), random_images(6)
    goal, before = away(model, images), unpack(model.codes(images), 16)

    def moved(attack: HAG | Noise) -> float:
        return float((unpack(model.codes(attack.run(model, images, goal).images), 16) != before).mean())

    attack = HAG(steps=20)
    assert moved(attack) > moved(Noise()) + 0.3
    assert (attack.run(model, images, goal).images - images).abs().max() <= 8 / 255 + 1e-6
    assert moved(HAG(steps=20, epsilon=None)) > 0.9


def test_an_image_is_attacked_alike_in_a_batch_of_any_size() -> None:
    model, images, attack = linear_model(BITS).double(), random_images(3).double(), HAG(steps=5, rate=1.0)
    together = attack.run(model, images, away(model, images)).images
    for row in range(3):
        alone = attack.run(model, images[row : row + 1], away(model, images[row : row + 1])).images
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-9, rtol=0)


def test_a_step_costs_a_pass_each_way() -> None:
    model, images = linear_model(BITS), random_images(2)
    cost = HAG(steps=7).run(model, images, away(model, images)).cost
    assert cost.forward.tolist() == cost.backward.tolist() == [7, 7]
    assert cost.questions.tolist() == [0, 0]


def test_all_bits_turned_is_no_division_by_zero() -> None:
    model, images = linear_model(1, scale=0.02), random_images(2)
    goal = Goal(objective="untargeted", codes=pack(-1.0 * unpack(model.codes(images), 1)))
    with torch.no_grad():
        model.network[1].weight.mul_(1e6)
    assert torch.equal(HAG(steps=2).run(model, images, goal).images, images)


def test_has_no_targeted_form() -> None:
    model, images = linear_model(BITS), random_images(1)
    with pytest.raises(HashprobeError, match=r"HAG has no targeted form; its goal must be untargeted\."):
        HAG()(model, images, model.codes(images))
    cell = CellSpec.read("HAG:steps=5")
    cell.check()
    assert (cell.goal_name, cell.code_name) == ("untargeted", "own")
    with pytest.raises(HashprobeError, match="HAG has no targeted form"):
        CellSpec.read("HAG:goal=targeted").check()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"rate": 0.0}, {"momentum": 1.0}, {"momentum": -0.1}])
def test_numbers_that_go_nowhere_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(
        HashprobeError, match=r"steps must be at least 1, rate positive and momentum in \[0, 1\)"
    ):
        HAG(**wrong)  # type: ignore[arg-type]
