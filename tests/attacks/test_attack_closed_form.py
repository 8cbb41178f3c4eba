"""Attacks on a linear hash model, where every step has a closed form; and the projection on the budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hashprobe.attacks import DHTA, FGSM, IFGSM, P2P, Noise, Victim, project
from hashprobe.attacks.dhta import sharpening
from hashprobe.hashing import HashModel
from hashprobe.retrieval import pack, unpack
from hashprobe.targets import Goal
from helpers import linear_model, random_codes, random_images

STD = 0.25


def weights(model: HashModel) -> torch.Tensor:
    return model.network[1].weight.detach().view(model.bits, 3, 32, 32)


def gradient(model: HashModel, images: torch.Tensor, codes: np.ndarray, alpha: float = 1.0) -> torch.Tensor:
    """The gradient of −mean_k h_k tanh(α z_k), z = W (x − 0.5) / std, by hand."""
    w = weights(model).double() / STD
    z = torch.einsum("kchw,nchw->nk", w, images.double() - 0.5)
    h = torch.from_numpy(unpack(codes, model.bits).astype(np.float64))
    return torch.einsum("nk,kchw->nchw", -h * alpha * (1 - torch.tanh(alpha * z) ** 2) / model.bits, w)


def clipped(adversarial: torch.Tensor, images: torch.Tensor, epsilon: float) -> torch.Tensor:
    return torch.minimum(torch.maximum(adversarial, images - epsilon), images + epsilon).clamp(0, 1)


@pytest.mark.parametrize("sign", [-1, 1])
class TestOneBit:
    """With one bit the gradient is the weight vector itself, times a positive number and the bit."""

    def test_fgsm(self, sign: int) -> None:
        model, images = linear_model(1, std=STD, scale=0.02), random_images(2)
        adversarial = FGSM(epsilon=0.1)(model, images, pack(np.full((2, 1), sign)))
        torch.testing.assert_close(adversarial, (images + sign * 0.1 * weights(model).sign()).clamp(0, 1))

    def test_ifgsm_ends_at_the_edge_of_the_budget(self, sign: int) -> None:
        model, images = linear_model(1, std=STD, scale=0.02), random_images(2)
        codes = pack(np.full((2, 1), sign))
        adversarial = IFGSM(epsilon=0.1, steps=5, step_size=0.03)(model, images, codes)
        torch.testing.assert_close(adversarial, (images + sign * 0.1 * weights(model).sign()).clamp(0, 1))
        inner = images.clamp(0.06, 0.94)  # where no step meets the ends of [0, 1]
        adversarial = IFGSM(epsilon=0.1, steps=2, step_size=0.03)(model, inner, codes)
        torch.testing.assert_close(adversarial, inner + sign * 0.06 * weights(model).sign())

    @pytest.mark.parametrize("attack", [DHTA, P2P])
    def test_dhta_steps_by_a_length(self, sign: int, attack: type[DHTA]) -> None:
        model, images = linear_model(1, std=STD, scale=0.02), random_images(2).clamp(0.3, 0.7)
        w = weights(model)
        adversarial = attack(epsilon=None, steps=3, step_size=0.5)(model, images, pack(np.full((2, 1), sign)))
        torch.testing.assert_close(adversarial, images + sign * 1.5 * w / w.norm(), atol=1e-5, rtol=1e-5)
        lengths = (adversarial - images).flatten(1).norm(dim=1)
        assert lengths.tolist() == pytest.approx([1.5, 1.5], rel=1e-4)


class TestManyBits:
    def test_fgsm_is_one_sign_step_against_the_gradient(self) -> None:
        model, images, codes = linear_model(12, std=STD), random_images(3), random_codes(3, 12)
        by_hand = gradient(model, images, codes)
        sure = by_hand.abs() > by_hand.abs().max() * 1e-5  # elsewhere rounding decides the sign
        expected = (images - 0.05 * by_hand.sign().float()).clamp(0, 1)
        adversarial = FGSM(epsilon=0.05)(model, images, codes)
        torch.testing.assert_close(adversarial[sure], expected[sure])
        assert sure.float().mean() > 0.99

    def test_one_normalised_step(self) -> None:
        model, images, codes = linear_model(12, std=STD), random_images(3), random_codes(3, 12)
        by_hand = gradient(model, images, codes, alpha=0.1)
        move = by_hand / by_hand.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        for epsilon in (8 / 255, 0.01):
            adversarial = DHTA(epsilon=epsilon, steps=1, step_size=1.0)(model, images, codes)
            torch.testing.assert_close(
                adversarial, clipped(images - move.float(), images, epsilon), atol=1e-6, rtol=0
            )

    @pytest.mark.parametrize(
        "attack",
        [FGSM(), IFGSM(steps=20), DHTA(steps=40), P2P(steps=40)],
        ids=lambda attack: type(attack).__name__,
    )
    def test_brings_codes_nearer_than_noise_does(self, attack: IFGSM) -> None:
        model, images, codes = linear_model(16), random_images(6), random_codes(6, 16)
        goal = unpack(codes, 16)

        def agreement(adversarial: torch.Tensor) -> float:
            return float((unpack(model.codes(adversarial), 16) == goal).mean())

        noisy = agreement(Noise()(model, images, codes))
        assert agreement(attack(model, images, codes)) > max(noisy, agreement(images)) + 0.2

    @pytest.mark.parametrize("attack", [FGSM(), IFGSM(steps=20), DHTA(steps=40)], ids=repr)
    def test_away_from_a_code_is_towards_its_opposite(self, attack: IFGSM) -> None:
        model, images, codes = linear_model(16), random_images(6), random_codes(6, 16)
        away = attack.run(model, images, Goal(objective="untargeted", codes=codes)).images
        assert torch.equal(away, attack(model, images, ~codes))
        own = model.codes(images)
        left = attack.run(model, images, Goal(objective="untargeted", codes=own)).images
        assert (unpack(model.codes(left), 16) != unpack(own, 16)).mean() > 0.5

    def test_a_saturated_model_moves_nothing_and_makes_no_nan(self) -> None:
        model, images = linear_model(1), random_images(1)
        with torch.no_grad():
            model.network[1].weight.mul_(1e6)
        attack = DHTA(steps=2, epsilon=0.1)
        adversarial = attack(model, images, model.codes(images))
        assert torch.equal(adversarial, images)


class TestSharpening:
    def test_is_the_published_schedule_for_2000_steps(self) -> None:
        published = [0.1] * 1000 + [0.2] * 200 + [0.3] * 200 + [0.5] * 200 + [0.7] * 200 + [1.0] * 200
        assert [sharpening(step / 2000) for step in range(2000)] == published

    def test_reaches_the_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen, relaxed = [], Victim.relaxed
        monkeypatch.setattr(
            Victim, "relaxed", lambda own, images, alpha: (seen.append(alpha), relaxed(own, images, alpha))[1]
        )
        DHTA(steps=20)(linear_model(8), random_images(1), random_codes(1, 8))
        assert seen == [0.1] * 10 + [0.2] * 2 + [0.3] * 2 + [0.5] * 2 + [0.7] * 2 + [1.0] * 2


class TestNoise:
    def test_is_uniform_over_the_budget(self) -> None:
        images = torch.full((4, 3, 32, 32), 0.5)
        noise = Noise(epsilon=0.2)(linear_model(8), images, random_codes(4, 8)) - images
        assert noise.abs().max() <= 0.2 + 1e-6
        counts = torch.histc(noise, bins=4, min=-0.2, max=0.2) / noise.numel()
        torch.testing.assert_close(counts, torch.full((4,), 0.25), atol=0.02, rtol=0)

    def test_differs_between_images_and_seeds(self) -> None:
        model, images, codes = linear_model(8), torch.full((2, 3, 32, 32), 0.5), random_codes(2, 8)
        first = Noise()(model, images, codes, generator=torch.Generator().manual_seed(1))
        assert not torch.equal(first[0], first[1])
        assert not torch.equal(
            first, Noise()(model, images, codes, generator=torch.Generator().manual_seed(2))
        )


def arrays(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(
        np.float32, (1, 3, 2, 2), elements=st.floats(np.float32(low), np.float32(high), width=32)
    )


ROUNDING = 1e-6


class TestProject:
    @given(arrays(0, 1), arrays(-2, 3), st.floats(1e-4, 1))
    def test_keeps_the_budget_and_never_moves_further(
        self, clean: np.ndarray, wanted: np.ndarray, epsilon: float
    ) -> None:
        images, adversarial = torch.from_numpy(clean), torch.from_numpy(wanted)
        projected = project(adversarial, images, epsilon)
        moved, asked = projected - images, adversarial - images
        assert projected.min() >= 0
        assert projected.max() <= 1
        assert moved.abs().max() <= epsilon + ROUNDING
        assert (moved.abs() <= asked.abs() + ROUNDING).all()  # nothing short is scaled up
        assert (moved * asked >= -ROUNDING).all()
        torch.testing.assert_close(project(projected, images, epsilon), projected, atol=ROUNDING, rtol=0)
        nearest = clipped(adversarial, images, epsilon)
        torch.testing.assert_close(projected, nearest, atol=ROUNDING, rtol=0)

    @given(arrays(-2, 3))
    def test_without_a_budget_only_the_range_is_kept(self, wanted: np.ndarray) -> None:
        adversarial = torch.from_numpy(wanted)
        assert torch.equal(project(adversarial, torch.zeros_like(adversarial), None), adversarial.clamp(0, 1))
