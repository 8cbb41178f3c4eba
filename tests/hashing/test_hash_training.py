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
from hashprobe.hashing import HashModel, HashTrainingSettings, train_hash_model
from hashprobe.hashing.training.augmentation import mirror_and_shift
from hashprobe.hashing.training.init import init_hash_layer
from helpers import Interrupted, conv_model, interrupt_after, same_tensors, tiny_data


class TestStart:
    def test_outputs_have_mean_0_and_variance_1_and_follow_the_labels(self) -> None:
        rng = np.random.default_rng(0)
        labels = np.eye(4, dtype=np.uint8)[np.arange(80) % 4]
        features = (
            torch.from_numpy(labels @ rng.normal(size=(4, 20)) + 0.1 * rng.normal(size=(80, 20))).float() + 3
        )
        layer = nn.Linear(20, 32)
        init_hash_layer(layer, features, labels, seed=0)
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

    def test_a_scale_that_grows_goes_on_after_a_kill_and_stays_with_the_model(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        growing = {"loss": "hashnet", "loss_settings": {"growth": 0.5, "refresh": 3}}
        settings, data = SETTINGS.model_copy(update=growing), tiny_data()
        whole = conv_model(8)
        expected = train_hash_model(whole, data, settings, seed=1)
        # Three epochs of four steps: the last epoch ends at step 11, whose scale is that of step 9.
        scales = [math.sqrt(1 + 0.5 * step) for step in (3, 6, 9)]
        assert [record["scale"] for record in expected] == pytest.approx(scales)
        assert whole.scale == pytest.approx(scales[-1])
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.SGD, 6)
            with pytest.raises(Interrupted):
                train_hash_model(conv_model(8), data, settings, seed=1, checkpoint=tmp_path / "state")
        resumed = conv_model(8)
        assert train_hash_model(resumed, data, settings, seed=1, checkpoint=tmp_path / "state") == expected
        assert same_tensors(whole.network, resumed.network)
        finished = conv_model(8)  # nothing is left to train: the scale comes from the checkpoint
        train_hash_model(finished, data, settings, seed=1, checkpoint=tmp_path / "state")
        assert finished.scale == whole.scale
        whole.save(tmp_path / "model")
        assert HashModel.load(tmp_path / "model", module=conv_model(8).network).scale == whole.scale

    def test_a_loss_without_a_scale_trains_the_plain_tanh(self) -> None:
        scaled, plain = conv_model(8), conv_model(8)
        scaled.scale = 5.0  # as a training with HashNet before may leave it
        assert train_hash_model(scaled, tiny_data(), SETTINGS, seed=0) == train_hash_model(
            plain, tiny_data(), SETTINGS, seed=0
        )
        assert scaled.scale == 1.0

    @pytest.mark.parametrize("loss", ["dph", "hashnet"])
    def test_other_losses_sort_the_images_too(self, loss: str) -> None:
        model, data = conv_model(8), tiny_data(classes=2, train=28)
        settings = HashTrainingSettings(
            loss=loss, epochs=30, batch_size=7, optimizer="adamw", learning_rate=0.01
        )
        records = train_hash_model(model, data, settings, seed=0)
        assert records[-1]["loss"] < records[0]["loss"]
        with torch.no_grad():
            relaxed = model.relaxed(torch.from_numpy(data.train.images[:]).float() / 255)
        similar = torch.from_numpy(data.train.labels.astype(int) @ data.train.labels.astype(int).T > 0)
        cosine = relaxed @ relaxed.T / 8
        assert cosine[similar].mean() > cosine[~similar].mean() + 0.3

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

    @pytest.mark.parametrize("rate", [0.0, 0.5])
    def test_a_backbone_whose_rate_is_0_stays_and_has_no_gradient(self, rate: float) -> None:
        model = conv_model(8)
        model.network.backbone[0].bias.requires_grad_(False)  # by its user
        before = {name: parameter.clone() for name, parameter in model.network.named_parameters()}
        settings = SETTINGS.model_copy(update={"backbone_rate": rate})
        train_hash_model(model, tiny_data(), settings, seed=0)
        moved = {
            name for name, value in model.network.named_parameters() if not torch.equal(value, before[name])
        }
        of_hash_layer = {"hash_layer.weight", "hash_layer.bias"}
        of_backbone = {"backbone.0.weight", "backbone.1.weight", "backbone.1.bias"}
        assert moved == (of_hash_layer if rate == 0 else of_hash_layer | of_backbone)
        assert (model.network.backbone[0].weight.grad is None) == (rate == 0)
        wanted = {name for name, value in model.network.named_parameters() if value.requires_grad}
        assert wanted == of_hash_layer | of_backbone

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
