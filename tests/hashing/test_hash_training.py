"""Losses, the closed-form start and the training of hash models."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.hashing import DPSH, HASH_LOSSES, HashTrainingSettings, train_hash_model
from hashprobe.hashing.start import start_hash_layer
from hashprobe.hashing.training import mirror_and_shift
from helpers import Interrupted, conv_model, interrupt_after, same_tensors, tiny_data


def slow_dpsh(relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, eta: float) -> float:
    """The formula, read term by term."""
    pairs = 0.0
    for i, u in enumerate(relaxed.tolist()):
        for j, v in enumerate(bank.tolist()):
            theta = sum(a * b for a, b in zip(u, v, strict=True)) / 2
            pairs += math.log(1 + math.exp(theta)) - float(similarity[i, j]) * theta
    quantisation = sum(((1 if a >= 0 else -1) - a) ** 2 for u in relaxed.tolist() for a in u)
    return pairs / (len(relaxed) * len(bank)) + eta * quantisation / (len(bank) * len(relaxed))


class TestDPSH:
    def test_is_the_formula(self) -> None:
        generator = torch.Generator().manual_seed(0)
        relaxed = torch.rand(5, 6, generator=generator, dtype=torch.float64) * 2 - 1
        relaxed[0, 0] = 0.0
        bank = torch.rand(9, 6, generator=generator, dtype=torch.float64) * 2 - 1
        similarity = (torch.rand(5, 9, generator=generator) < 0.4).double()
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


class TestStart:
    def test_outputs_have_mean_0_and_variance_1_and_follow_the_labels(self) -> None:
        rng = np.random.default_rng(0)
        labels = np.eye(4, dtype=np.uint8)[np.arange(80) % 4]
        features = (
            torch.from_numpy(labels @ rng.normal(size=(4, 20)) + 0.1 * rng.normal(size=(80, 20))).float() + 3
        )
        layer = nn.Linear(20, 32)
        start_hash_layer(layer, features, labels, seed=0)
        outputs = layer(features).detach()
        torch.testing.assert_close(outputs.mean(0), torch.zeros(32), atol=1e-3, rtol=0)
        torch.testing.assert_close(outputs.std(0), torch.ones(32), atol=1e-3, rtol=0)
        distances = torch.cdist(outputs.sign(), outputs.sign(), p=0)
        same = torch.from_numpy(labels @ labels.T > 0)
        assert distances[same].mean() < distances[~same].mean() / 3


SETTINGS = HashTrainingSettings(epochs=3, batch_size=4, learning_rate=0.02)


class TestTraining:
    def test_lowers_its_loss_and_logs_it(self, tmp_path: Path) -> None:
        model, data = conv_model(8), tiny_data()
        settings = HashTrainingSettings(
            epochs=9, batch_size=7, learning_rate=0.05, loss_settings={"eta": 1.0}
        )
        records = train_hash_model(model, data, settings, seed=0, log=tmp_path / "log.jsonl")
        assert records[-1]["loss"] < records[0]["loss"]
        assert [record["epoch"] for record in records] == list(range(1, 10))
        assert records[-1]["step"] == 18
        rates = [0.05] * 3 + [0.005] * 3 + [0.0005] * 3
        assert [record["learning_rate"] for record in records] == pytest.approx(rates)
        assert read_json_lines(tmp_path / "log.jsonl") == records
        assert not model.training

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {
                "optimizer": "adamw",
                "schedule": "cosine",
                "learning_rate": 1e-3,
                "start": "labels",
                "augment": True,
            },
        ],
        ids=["published", "short"],
    )
    def test_goes_on_after_a_kill_as_if_it_had_not_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
    ) -> None:
        settings, data = SETTINGS.model_copy(update=changes), tiny_data()
        whole, resumed = (conv_model(8, dropout=0.3) for _ in range(2))
        expected = train_hash_model(whole, data, settings, seed=1)
        optimizer = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.SGD
        with monkeypatch.context() as patch:
            interrupt_after(patch, optimizer, 6)  # in the middle of the second epoch of four steps
            with pytest.raises(Interrupted):
                train_hash_model(resumed, data, settings, seed=1, checkpoint=tmp_path / "state")
        resumed = conv_model(8, dropout=0.3)
        records = train_hash_model(resumed, data, settings, seed=1, checkpoint=tmp_path / "state")
        assert same_tensors(whole.network, resumed.network)
        assert records == expected

    def test_the_seed_alone_decides(self) -> None:
        data, models = tiny_data(), []
        for seed, of_the_session in ((0, 1), (0, 2), (1, 1)):
            model = conv_model(8, dropout=0.3)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(of_the_session)
                train_hash_model(model, data, SETTINGS, seed=seed)
            models.append(model)
        assert same_tensors(models[0].network, models[1].network)
        assert not same_tensors(models[0].network, models[2].network)

    def test_a_checkpoint_of_other_settings_is_refused(self, tmp_path: Path) -> None:
        short = SETTINGS.model_copy(update={"epochs": 1})
        train_hash_model(conv_model(8), tiny_data(), short, seed=0, checkpoint=tmp_path / "state")
        with pytest.raises(HashprobeError, match="belongs to a training with other settings, data or model"):
            train_hash_model(conv_model(8), tiny_data(), SETTINGS, seed=0, checkpoint=tmp_path / "state")

    def test_a_checkpoint_that_started_from_other_weights_is_refused(self, tmp_path: Path) -> None:
        train_hash_model(conv_model(8), tiny_data(), SETTINGS, seed=0, checkpoint=tmp_path / "state")
        with pytest.raises(HashprobeError, match="belongs to a training with other settings, data or model"):
            train_hash_model(
                conv_model(8, seed=1), tiny_data(), SETTINGS, seed=0, checkpoint=tmp_path / "state"
            )

    def test_a_last_batch_of_one_image_is_left_out(self) -> None:
        settings = SETTINGS.model_copy(update={"epochs": 1})
        records = train_hash_model(conv_model(8), tiny_data(train=9), settings, seed=0)
        assert math.isfinite(records[0]["loss"])


def test_mirroring_and_shifting_moves_pixels_and_makes_none() -> None:
    images = torch.arange(2 * 3 * 32 * 32).view(2, 3, 32, 32).float()
    changed = mirror_and_shift(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    assert torch.equal(changed, mirror_and_shift(images, torch.Generator().manual_seed(0)))
    for before, after in zip(images, changed, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist())
