"""The losses of hash models against their formulas, read term by term."""

from __future__ import annotations

import math

import pytest
import torch

from hashprobe.errors import HashprobeError
from hashprobe.hashing import DPH, DPSH, HASH_LOSSES, HashNet, ScaledHashLoss
from hashprobe.hashing.losses import scale_at


def pairs(relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor) -> list[tuple[float, float]]:
    """The inner product and the similarity of every pair."""
    return [
        (sum(a * b for a, b in zip(u, v, strict=True)), float(similarity[i, j]))
        for i, u in enumerate(relaxed.tolist())
        for j, v in enumerate(bank.tolist())
    ]


def example() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    relaxed = torch.rand(5, 6, generator=generator, dtype=torch.float64) * 2 - 1
    relaxed[0, 0] = 0.0
    bank = torch.rand(9, 6, generator=generator, dtype=torch.float64) * 2 - 1
    return relaxed, bank, (torch.rand(5, 9, generator=generator) < 0.4).double()


def slow_dpsh(relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, eta: float) -> float:
    """The formula, read term by term."""
    likelihood = sum(math.log(1 + math.exp(p / 2)) - s * p / 2 for p, s in pairs(relaxed, bank, similarity))
    quantisation = sum(((1 if a >= 0 else -1) - a) ** 2 for u in relaxed.tolist() for a in u)
    return likelihood / (len(relaxed) * len(bank)) + eta * quantisation / (len(bank) * len(relaxed))


class TestDPSH:
    def test_is_the_formula(self) -> None:
        relaxed, bank, similarity = example()
        assert float(DPSH()(relaxed, bank, similarity, 0.0)) == pytest.approx(
            slow_dpsh(relaxed, bank, similarity, 50)
        )
        assert float(DPSH(eta=3)(relaxed, bank, similarity, 0.0)) == pytest.approx(
            slow_dpsh(relaxed, bank, similarity, 3)
        )

    @pytest.mark.parametrize(("progress", "eta"), [(0.0, 0), (0.1, 10), (0.25, 25), (0.5, 50), (1.0, 50)])
    def test_eta_can_grow(self, progress: float, eta: float) -> None:
        relaxed, bank, similarity = torch.full((2, 4), 0.5), torch.full((3, 4), -0.5), torch.ones(2, 3)
        value = float(DPSH(eta=50, growth=0.5)(relaxed, bank, similarity, progress))
        assert value == pytest.approx(slow_dpsh(relaxed, bank, similarity, eta))

    def test_is_registered(self) -> None:
        assert HASH_LOSSES["dpsh"] is DPSH
        with pytest.raises(HashprobeError, match="no hash loss is named 'dpsch'; did you mean 'dpsh'"):
            HASH_LOSSES["dpsch"]


class TestDPH:
    def test_is_the_formula(self) -> None:
        relaxed, bank, similarity = example()
        terms = [
            (product / 6 - (2 * similar - 1)) ** 2 for product, similar in pairs(relaxed, bank, similarity)
        ]
        assert float(DPH()(relaxed, bank, similarity, 0.0)) == pytest.approx(sum(terms) / len(terms))

    def test_equal_codes_cost_nothing_when_similar_and_four_when_not(self) -> None:
        codes = torch.ones(1, 8)
        assert DPH()(codes, codes, torch.ones(1, 1), 0.0) == 0
        assert DPH()(codes, codes, torch.zeros(1, 1), 0.0) == 4


class TestHashNet:
    def test_is_the_formula(self) -> None:
        relaxed, bank, similarity = example()
        every = pairs(relaxed, bank, similarity)
        positive = sum(similar for _, similar in every)
        assert 0 < positive < len(every) / 2
        total = 0.0
        for product, similar in every:
            theta = 0.1 * product
            weight = len(every) / positive if similar else len(every) / (len(every) - positive)
            total += weight * (math.log(1 + math.exp(theta)) - similar * theta)
        assert float(HashNet()(relaxed, bank, similarity, 0.0)) == pytest.approx(total / len(every))

    @pytest.mark.parametrize("similar", [0.0, 1.0])
    def test_a_batch_without_one_kind_of_pair_has_a_loss_and_a_gradient(self, similar: float) -> None:
        relaxed, bank, _ = example()
        relaxed.requires_grad_(True)
        value = HashNet()(relaxed, bank, torch.full((5, 9), similar, dtype=torch.float64), 0.0)
        terms = [
            math.log(1 + math.exp(0.1 * product)) - similar * 0.1 * product
            for product, _ in pairs(relaxed, bank, torch.zeros(5, 9))
        ]
        assert float(value.detach()) == pytest.approx(sum(terms) / len(terms))
        (gradient,) = torch.autograd.grad(value, relaxed)
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0

    def test_the_scale_is_refreshed_every_200_steps(self) -> None:
        scales = {step: scale_at(HashNet(), step) for step in (0, 199, 200, 399, 400)}
        assert scales[0] == scales[199] == 1
        assert scales[200] == scales[399] == pytest.approx(math.sqrt(2))
        assert scales[400] == pytest.approx(math.sqrt(3))

    def test_the_scale_ends_near_13_on_the_papers_larger_sets(self) -> None:
        steps = 100 * math.ceil(10_500 / 32)
        assert scale_at(HashNet(), steps - 1) == pytest.approx(13, abs=0.2)

    def test_settings_may_be_floats_as_a_settings_file_gives_them(self) -> None:
        loss = HASH_LOSSES.make("hashnet", {"growth": 2.0, "refresh": 10.0})
        assert scale_at(loss, 25) == pytest.approx(math.sqrt(41))

    @pytest.mark.parametrize("settings", [{"growth": -0.1}, {"refresh": 0}])
    def test_a_scale_that_cannot_be_is_refused(self, settings: dict[str, float]) -> None:
        with pytest.raises(HashprobeError, match="growth must be at least 0 and refresh at least 1"):
            HASH_LOSSES.make("hashnet", settings)


class TestByName:
    def test_each_is_registered(self) -> None:
        published = {"dpsh": DPSH, "dph": DPH, "hashnet": HashNet}
        assert {name: HASH_LOSSES[name] for name in published} == published

    def test_only_hashnet_sets_a_scale(self) -> None:
        assert isinstance(HashNet(), ScaledHashLoss)
        assert [scale_at(loss, 1000) for loss in (DPSH(), DPH())] == [1, 1]

    def test_a_setting_of_another_loss_is_refused(self) -> None:
        with pytest.raises(
            HashprobeError, match=r"'hashnet' has no setting 'eta'; it has slope, growth, refresh\."
        ):
            HASH_LOSSES.make("hashnet", {"eta": 50.0})
        with pytest.raises(HashprobeError, match=r"'dph' has no setting 'eta'; it has none\."):
            HASH_LOSSES.make("dph", {"eta": 50.0})
