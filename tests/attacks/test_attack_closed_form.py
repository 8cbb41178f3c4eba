"""Attacks on a linear hash model, where every step has a closed form; and the projection on the budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hashprobe.attacks import (
    DHTA,
    FGSM,
    IFGSM,
    OBJECTIVES,
    P2P,
    PGD,
    FewStep,
    IterativeAttack,
    Noise,
    objectives,
    project,
)
from hashprobe.attacks.gradients import smoothed
from hashprobe.attacks.objectives import sharpening
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.retrieval import pack, unpack
from hashprobe.targets import Goal
from helpers import conv_model, linear_model, random_codes, random_images

STD = 0.25


def weights(model: HashModel) -> torch.Tensor:
    return model.network[1].weight.detach().view(model.bits, 3, 32, 32)


def gradient(
    model: HashModel, images: torch.Tensor, codes: np.ndarray, alpha: float | None = 1.0, done: float = 0.0
) -> torch.Tensor:
    """The gradient of −mean_k h_k tanh(α z_k), z = W (x − 0.5) / std, by hand; without α, it is that of ``scaled`` at first."""
    w = weights(model).double() / STD
    z = torch.einsum("kchw,nchw->nk", w, images.double() - 0.5)
    h = torch.from_numpy(unpack(codes, model.bits).astype(np.float64))
    if alpha is None:
        alpha = (0.1 + 1.4 * done) / z.abs().mean(dim=1, keepdim=True)
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
    @pytest.mark.parametrize(("objective", "alpha"), [("tanh", 1.0), ("scaled", None)])
    def test_fgsm_is_one_sign_step_against_the_gradient(self, objective: str, alpha: float | None) -> None:
        model, images, codes = linear_model(12, std=STD), random_images(3), random_codes(3, 12)
        by_hand = gradient(model, images, codes, alpha)
        sure = by_hand.abs() > by_hand.abs().max() * 1e-5  # elsewhere rounding decides the sign
        expected = (images - 0.05 * by_hand.sign().float()).clamp(0, 1)
        adversarial = FGSM(epsilon=0.05, objective=objective)(model, images, codes)
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
        seen, published = [], objectives.sharpening
        monkeypatch.setattr(
            objectives, "sharpening", lambda done: (seen.append(published(done)), seen[-1])[1]
        )
        DHTA(steps=20)(linear_model(8), random_images(1), random_codes(1, 8))
        assert seen == [0.1] * 10 + [0.2] * 2 + [0.3] * 2 + [0.5] * 2 + [0.7] * 2 + [1.0] * 2


LOUD = 1e4
GRADIENT_ATTACKS = [
    FGSM(),
    IFGSM(steps=20),
    FewStep(),
    PGD(steps=20),
    PGD(steps=20, norm="l2", epsilon=2.0, step_size=0.2),
    PGD(steps=20, momentum=1.0),
    PGD(steps=20, translation=5),
    PGD(steps=20, scales=3),
    PGD(steps=20, diversity=0.7),
    PGD(steps=10, variance=3),
    PGD(steps=20, random_start=True, restarts=2),
    DHTA(steps=40),
]


def louder(model: HashModel, times: float) -> HashModel:
    with torch.no_grad():
        model.network[1].weight.mul_(times)
    return model


class TestOptimum:
    """On one bit of a linear model the best change within a budget is known: the sign, or the direction, of the weights."""

    @pytest.mark.parametrize("attack", GRADIENT_ATTACKS, ids=lambda attack: attack.described())
    def test_is_reached(self, attack: IterativeAttack) -> None:
        model = linear_model(1, std=STD, scale=0.02)
        images = random_images(4).clamp(0.3, 0.7)  # where no budget meets the ends of [0, 1]
        w = weights(model)
        best = attack.epsilon * (w.abs().sum() if attack.norm == "linf" else w.norm()) / STD
        codes = pack(np.array([[1], [-1], [1], [-1]]))
        signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
        moved = (model.logits(attack(model, images, codes)) - model.logits(images)).flatten() * signs
        # A smoothed gradient has other signs, and that of a smaller picture lies elsewhere.
        share = 0.2 if attack_is_indirect(attack) else 0.999
        assert (moved >= share * best).all()
        assert (moved <= best * (1 + 1e-4)).all()

    @pytest.mark.parametrize("attack", GRADIENT_ATTACKS[:-1], ids=lambda attack: attack.described())
    def test_is_the_same_for_a_louder_model(self, attack: IterativeAttack) -> None:
        images, codes = random_images(4), random_codes(4, 12)
        quiet = attack(linear_model(12).double(), images.double(), codes)
        loud = attack(louder(linear_model(12).double(), LOUD), images.double(), codes)
        torch.testing.assert_close(loud, quiet, atol=1e-5, rtol=0)

    def test_the_published_objective_is_not(self) -> None:
        images, codes = random_images(4), random_codes(4, 12)
        model = louder(linear_model(12), LOUD)
        before = unpack(model.codes(images), 12)
        moved = {
            name: (
                unpack(model.codes(IFGSM(steps=10, objective=name)(model, images, codes)), 12) != before
            ).sum()
            for name in ("tanh", "scaled")
        }
        assert moved["tanh"] == 0
        assert moved["scaled"] >= 10


def attack_is_indirect(attack: IterativeAttack) -> bool:
    return any(getattr(attack, name, 0) for name in ("translation", "diversity"))


class TestOptions:
    def test_the_step_size_falls_evenly(self) -> None:
        assert FewStep(steps=4).step_sizes == pytest.approx([4 / 255, 3 / 255, 2 / 255, 1 / 255])
        assert FewStep(steps=1).step_sizes == [4 / 255]
        assert IFGSM(steps=3).step_sizes == [1 / 255] * 3

    @pytest.mark.parametrize("objective", OBJECTIVES)
    def test_a_restart_is_never_worse(self, objective: str) -> None:
        model, images, codes = conv_model(16), random_images(6), random_codes(6, 16)
        settings = {"steps": 4, "random_start": True, "objective": objective}
        goal = unpack(codes, 16)

        def off(**changes: int) -> np.ndarray:
            generator = torch.Generator().manual_seed(3)
            adversarial = PGD(**settings, **changes)(model, images, codes, generator=generator)
            return (unpack(model.codes(adversarial), 16) != goal).sum(axis=1)

        assert (off(restarts=4) <= off()).all()

    def test_how_far_the_results_of_several_starts_lie_apart_is_said(self) -> None:
        images, goal = random_images(6), Goal(codes=random_codes(6, 16))
        far = PGD(steps=1, random_start=True, restarts=5).run(conv_model(16), images, goal)
        alone = [
            PGD(steps=1, random_start=True)(conv_model(16), images, goal.codes, generator=generator)
            for generator in [torch.Generator().manual_seed(0)]
            for _ in range(5)
        ]
        off = [(unpack(conv_model(16).codes(one) ^ goal.codes, 16) > 0).sum(axis=1) for one in alone]
        assert far.restart_bits is not None
        np.testing.assert_array_equal(far.restart_bits, np.ptp(off, axis=0))
        assert far.restart_bits.any()
        arrived = PGD(steps=60, random_start=True, restarts=2, epsilon=1.0).run(
            linear_model(16), images, goal
        )
        assert not arrived.restart_bits.any()
        assert PGD(steps=1).run(conv_model(16), images, goal).restart_bits is None

    def test_an_image_that_has_arrived_asks_no_more(self) -> None:
        model, images = linear_model(8), random_images(3)
        codes = model.codes(images)
        codes[1] = ~codes[1]
        result = IFGSM(steps=30, early_stop=True).run(model, images, Goal(codes=codes))
        assert result.cost.forward[[0, 2]].tolist() == [1, 1]
        assert torch.equal(result.images[[0, 2]], images[[0, 2]])
        assert result.cost.forward[1] > 1

    def test_momentum_keeps_a_share_of_the_last_direction(self) -> None:
        model, images, codes = (
            linear_model(12, std=STD).double(),
            random_images(1).double(),
            random_codes(1, 12),
        )
        inner, size = images.clamp(0.2, 0.8), 1 / 255
        first = gradient(model, inner, codes, None)
        at = inner - size * first.sign()
        mean = lambda g: g / g.abs().mean()  # noqa: E731
        second = 0.9 * mean(first) + mean(gradient(model, at, codes, None, done=0.5))
        adversarial = IFGSM(steps=2, momentum=0.9)(model, inner, codes)
        close = ((adversarial - (at - size * second.sign())).abs() < 1e-9).double().mean()
        assert close > 0.999

    def test_smoothing_keeps_a_constant_gradient_and_spreads_a_point(self) -> None:
        point = torch.zeros(1, 3, 9, 9)
        point[0, 1, 4, 4] = 1
        spread = smoothed(point, 5)
        assert spread[0, 1].sum() == pytest.approx(1)
        assert spread[0, [0, 2]].abs().max() == 0
        assert torch.equal(spread, spread.flip(2, 3))
        assert smoothed(torch.ones(1, 3, 9, 9), 3)[0, :, 1:-1, 1:-1].flatten().tolist() == pytest.approx(
            [1] * 147
        )

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"translation": 4}, "translation must be an odd number of pixels; found 4"),
            ({"diversity": 1.5}, r"diversity must be in \[0, 1\]; found 1.5"),
            ({"restarts": 0}, "restarts must be a whole number of at least 1; found 0"),
            ({"objective": "hinge"}, "no objective is named 'hinge'"),
            ({"norm": "l1"}, "keeps to a budget in the norm linf or l2; found 'l1'"),
            ({"norm": "l2", "epsilon": 0.0}, "epsilon must be a positive length, as 0.5, or None"),
            ({"epsilon": None, "random_start": True}, "no unbounded form"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, wrong: dict[str, object], message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            PGD(**wrong)


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

    @given(arrays(0, 1), arrays(-2, 3), st.floats(1e-3, 3))
    def test_an_l2_budget_is_kept_and_short_changes_stay(
        self, clean: np.ndarray, wanted: np.ndarray, epsilon: float
    ) -> None:
        images, adversarial = torch.from_numpy(clean), torch.from_numpy(wanted)
        projected = project(adversarial, images, epsilon, "l2")
        assert projected.min() >= 0
        assert projected.max() <= 1
        assert (projected - images).norm() <= epsilon * (1 + 1e-5) + ROUNDING
        inside = adversarial.clamp(0, 1)
        if (inside - images).norm() < epsilon * (1 - 1e-5) and (adversarial - images).norm() < epsilon * (
            1 - 1e-5
        ):
            torch.testing.assert_close(projected, inside, atol=ROUNDING, rtol=0)

    @given(arrays(-2, 3))
    def test_without_a_budget_only_the_range_is_kept(self, wanted: np.ndarray) -> None:
        adversarial = torch.from_numpy(wanted)
        assert torch.equal(project(adversarial, torch.zeros_like(adversarial), None), adversarial.clamp(0, 1))
