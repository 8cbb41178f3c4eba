"""Losses, the closed-form start and the training of hash models."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.hashing import DPSH, Batch, HashModel, HashTrainingSettings, train_hash_model
from hashprobe.hashing.training.augmentation import mirror_and_shift
from hashprobe.hashing.training.init import init_hash_layer
from hashprobe.seeds import derived_seed, numpy_generator
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
Step = tuple[torch.Tensor, torch.Tensor | None]


def do_nothing(batch: Batch) -> Step:
    return batch.relaxed(batch.images), None


def add_100(batch: Batch) -> Step:
    return batch.relaxed(batch.images), torch.tensor(100.0)


def dead_root(batch: Batch) -> Step:
    relaxed = batch.relaxed(batch.images)
    return relaxed, (relaxed * 0).sum().sqrt()


@dataclass(frozen=True)
class Black:
    """Trains on black images, and keeps what it saw."""

    seen: list[Batch] = field(default_factory=list, repr=False)
    before: list[torch.Tensor] = field(default_factory=list, repr=False)

    def __call__(self, batch: Batch) -> Step:
        self.seen.append(batch)
        self.before.append(batch.bank.clone())
        return batch.relaxed(torch.zeros_like(batch.images)), None


@dataclass(frozen=True)
class Diverging:
    """Adds NaN, or a harmless number, from a step on; the same training for all that its identity says."""

    after: int
    value: float = field(default=math.nan, repr=False)

    def __call__(self, batch: Batch) -> Step:
        return batch.relaxed(batch.images), torch.tensor(self.value if batch.step >= self.after else 0.0)


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

    def test_is_the_plain_loop_to_the_bit(self) -> None:
        """Read term by term: SGD on DPSH against a bank that holds every image's newest output."""
        found, model, data = conv_model(8, dropout=0.3), conv_model(8, dropout=0.3), tiny_data()
        records = train_hash_model(found, data, SETTINGS, seed=1)
        images = torch.from_numpy(data.train.images[:]).float() / 255
        labels = torch.tensor(data.train.labels).float()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-5)
        with torch.no_grad():
            bank = model.eval()(images)
        model.train()
        with torch.random.fork_rng(devices=[]):
            for epoch in range(3):
                torch.manual_seed(derived_seed(1, "dropout", epoch))
                order, total = numpy_generator(1, "batches", epoch).permutation(14), 0.0
                for start in range(0, 14, 4):
                    rows = np.sort(order[start : start + 4])
                    optimizer.param_groups[0]["lr"] = 0.02 * 0.1**epoch
                    relaxed = model(images[rows])
                    bank[rows] = relaxed.detach()
                    value = DPSH()(relaxed, bank, (labels[rows] @ labels.T > 0).float(), 0.0)
                    optimizer.zero_grad()
                    value.backward()
                    optimizer.step()
                    total += float(value.detach()) * len(rows)
                assert records[epoch]["loss"] == total / 14
        assert same_tensors(found.network, model.network)

    @pytest.mark.parametrize(
        ("changes", "losses"),
        [
            ({}, [8.42749400649752, 0.7139162123203278, 0.7813417145184108]),
            (
                {
                    "optimizer": "adamw",
                    "schedule": "cosine",
                    "learning_rate": 1e-3,
                    "start": "labels",
                    "augment": True,
                },
                [7.48711667742048, 6.889451026916504, 6.250914028712681],
            ),
        ],
    )
    def test_gives_the_numbers_that_it_gave_before_it_had_hooks(
        self, changes: dict[str, object], losses: list[float]
    ) -> None:
        settings = SETTINGS.model_copy(update=changes)
        records = train_hash_model(conv_model(8, dropout=0.3), tiny_data(), settings, seed=1)
        assert [record["loss"] for record in records] == pytest.approx(losses, rel=1e-3)

    def test_a_hook_that_does_nothing_changes_nothing(self) -> None:
        plain, hooked, data = conv_model(8, dropout=0.3), conv_model(8, dropout=0.3), tiny_data()
        settings = SETTINGS.model_copy(update={"augment": True})
        expected = train_hash_model(plain, data, settings, seed=1)
        assert train_hash_model(hooked, data, settings, seed=1, hook=do_nothing) == expected
        assert same_tensors(plain.network, hooked.network)

    def test_what_a_hook_adds_is_part_of_the_loss(self) -> None:
        plain, hooked, data = conv_model(8), conv_model(8), tiny_data()
        expected = train_hash_model(plain, data, SETTINGS, seed=1)
        found = train_hash_model(hooked, data, SETTINGS, seed=1, hook=add_100)
        assert [record["loss"] for record in found] == pytest.approx(
            [record["loss"] + 100 for record in expected], rel=1e-5
        )
        assert same_tensors(plain.network, hooked.network)  # a constant has no gradient

    def test_a_hook_sees_the_batch_and_trains_on_the_images_that_it_gives(self) -> None:
        data, hook = tiny_data(), Black()
        labels = torch.tensor(data.train.labels).float()
        train_hash_model(conv_model(8), data, SETTINGS, seed=1, hook=hook)
        assert [batch.step for batch in hook.seen] == list(range(12))
        assert [len(batch.rows) for batch in hook.seen] == [4, 4, 4, 2] * 3
        for batch in hook.seen:
            assert batch.progress == batch.step / 12
            torch.testing.assert_close(
                batch.images, torch.from_numpy(data.train.images[batch.rows]).float() / 255
            )
            assert torch.equal(batch.labels, labels[batch.rows])
            assert torch.equal(batch.similarity, (labels[batch.rows] @ labels.T > 0).float())
        assert not torch.equal(hook.before[0][1:], hook.before[0][:-1])
        for batch, bank in zip(
            hook.seen[:-1], hook.before[1:], strict=True
        ):  # the bank holds what was trained on
            newest = bank[batch.rows]
            assert torch.equal(newest, newest[:1].expand_as(newest))

    def test_a_loss_that_is_not_finite_stops_it_and_leaves_the_last_checkpoint(self, tmp_path: Path) -> None:
        state, data, short = tmp_path / "state", tiny_data(), SETTINGS.model_copy(update={"epochs": 2})
        model = conv_model(8)
        hook = Diverging(after=5)  # in the second epoch of four steps
        with pytest.raises(
            HashprobeError,
            match=r"the loss is nan at step 6, in epoch 2; try a lower learning_rate than 0\.02",
        ):
            train_hash_model(model, data, short, seed=0, checkpoint=state, hook=hook)
        assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
        resumed = conv_model(8)
        records = train_hash_model(
            resumed, data, short, seed=0, checkpoint=state, hook=Diverging(after=5, value=0.0)
        )
        assert [record["epoch"] for record in records] == [1, 2]

    def test_weights_that_are_not_finite_never_reach_a_checkpoint(self, tmp_path: Path) -> None:
        """A dead square root: the loss is finite, its gradient is not."""
        with pytest.raises(
            HashprobeError, match=r"epoch 1 left no usable model \(try a lower learning_rate .*NaN"
        ):
            train_hash_model(
                conv_model(8),
                tiny_data(train=4),
                SETTINGS,
                seed=0,
                checkpoint=tmp_path / "state",
                hook=dead_root,
            )
        assert not (tmp_path / "state").exists()

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


class Plain(nn.Module):
    """A network that is not a backbone and a hash layer in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 16))
        self.middle, self.hash_layer = nn.Tanh(), nn.Linear(16, 8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.hash_layer(self.middle(self.backbone(images)))
        return outputs


class TestAnyModule:
    def test_trains_at_one_rate_with_the_bank_that_its_outputs_fill(self) -> None:
        data, hook = tiny_data(), Black()
        torch.manual_seed(0)
        model = HashModel.wrap(Plain(), bits=8, mean=(0.5,) * 3)
        before = {name: value.clone() for name, value in model.network.named_parameters()}
        with torch.no_grad():
            expected = model(torch.from_numpy(data.train.images[:]).float() / 255)
        records = train_hash_model(model, data, SETTINGS, seed=0, hook=hook)
        torch.testing.assert_close(hook.before[0], expected)
        assert not any(
            torch.equal(value, before[name])
            for name, value in model.network.named_parameters()
            if "bias" in name
        )
        assert records[-1]["loss"] < records[0]["loss"]

    def test_goes_on_after_a_kill(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def model() -> HashModel:
            torch.manual_seed(0)
            return HashModel.wrap(Plain(), bits=8, mean=(0.5,) * 3)

        whole, resumed, data = model(), model(), tiny_data()
        expected = train_hash_model(whole, data, SETTINGS, seed=1)
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.SGD, 6)
            with pytest.raises(Interrupted):
                train_hash_model(resumed, data, SETTINGS, seed=1, checkpoint=tmp_path / "state")
        resumed = model()
        assert train_hash_model(resumed, data, SETTINGS, seed=1, checkpoint=tmp_path / "state") == expected
        assert same_tensors(whole.network, resumed.network)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"start": "labels"},
                "start = 'labels' needs a network that is a backbone and a linear hash layer",
            ),
            (
                {"backbone_rate": 0.1},
                "backbone_rate = 0.1 needs .*; train this one with backbone_rate = 1.0, or",
            ),
        ],
    )
    def test_settings_of_two_parts_are_refused(self, changes: dict[str, object], message: str) -> None:
        settings = SETTINGS.model_copy(update=changes)
        with pytest.raises(HashprobeError, match=message):
            train_hash_model(HashModel.wrap(Plain(), bits=8), tiny_data(), settings, seed=0)
        two = OrderedDict(backbone=nn.Sequential(nn.AvgPool2d(4), nn.Flatten()), hash_layer=nn.Linear(192, 8))
        train_hash_model(HashModel.wrap(nn.Sequential(two), bits=8), tiny_data(), settings, seed=0)

    def test_one_without_parameters_is_refused(self) -> None:
        model = HashModel.wrap(nn.Sequential(nn.AvgPool2d(32), nn.Flatten()), bits=3)
        with pytest.raises(HashprobeError, match="has no parameter that could be trained"):
            train_hash_model(model, tiny_data(), SETTINGS, seed=0)


def test_mirroring_and_shifting_moves_pixels_and_makes_none() -> None:
    images = torch.arange(2 * 3 * 32 * 32).view(2, 3, 32, 32).float()
    changed = mirror_and_shift(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    assert torch.equal(changed, mirror_and_shift(images, torch.Generator().manual_seed(0)))
    for before, after in zip(images, changed, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist())
