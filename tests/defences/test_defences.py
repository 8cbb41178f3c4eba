"""The seam for defences, shown by a toy adversarial training: it lowers what an attack reaches, and goes on after a kill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from hashprobe.attacks import FGSM, project
from hashprobe.data import ImageRows, RetrievalData, Split
from hashprobe.defences import DEFENCES, Defence, make_defence
from hashprobe.errors import HashprobeError
from hashprobe.hashing import Batch, HashModel, HashTrainingSettings, frozen, train_hash_model
from helpers import SIZE, Interrupted, interrupt_after, linear_model, same_tensors

EPSILON = 16 / 255
SETTINGS = HashTrainingSettings(loss="dph", epochs=15, batch_size=16, optimizer="adamw", learning_rate=0.003)


@dataclass(frozen=True, kw_only=True)
class Steady(Defence):
    """Sign steps away from each image's own code, from a random start; outputs are to stay where they were."""

    epsilon: float = EPSILON
    weight: float = 5.0

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        noise = torch.rand(len(batch.rows), *batch.images.shape[1:], generator=batch.generator) * 2 - 1
        adversarial = (batch.images + self.epsilon * noise[batch.share.rows]).clamp(0, 1)
        with frozen(batch.model) as model:
            codes = model.logits(batch.images).sign()
            for _ in range(3):
                agreement = (codes * torch.tanh(model.attack_logits(adversarial.requires_grad_()))).sum()
                (gradient,) = torch.autograd.grad(agreement, adversarial)
                moved = adversarial.detach() - self.epsilon / 2 * gradient.sign()
                adversarial = project(moved, batch.images, self.epsilon)
        relaxed = batch.relaxed(batch.images)
        drift = (batch.relaxed(adversarial) - relaxed.detach()).square().mean()
        return relaxed, self.weight * drift


def faint_data(train: int = 48, database: int = 40) -> RetrievalData:
    """Two classes that a strong tint tells apart, and more surely a faint pattern, which a budget of 16/255 can turn over."""
    rng = np.random.default_rng(0)
    pattern = rng.choice([-6, 6], size=(3, SIZE, SIZE))
    pattern[0] += 25

    def split(name: str, count: int) -> Split:
        kind = np.arange(count) % 2
        noise = 20 * rng.normal(size=(count, 3, SIZE, SIZE))
        images = (127 + noise + (2 * kind - 1)[:, None, None, None] * pattern).clip(0, 255).astype(np.uint8)
        return Split(
            ImageRows(images), np.eye(2, dtype=np.uint8)[kind], tuple(f"{name}-{i}" for i in range(count))
        )

    parts = {"query": split("query", 4), "database": split("database", database)}
    return RetrievalData(name="faint", class_names=("dark", "light"), train=split("train", train), **parts)


def trained(hook: Defence | None, seed: int = 0) -> HashModel:
    model = linear_model(16, seed=seed)
    train_hash_model(model, faint_data(), SETTINGS, seed=seed, hook=hook)
    return model


def flipped(model: HashModel) -> float:
    """The share of bits that FGSM flips when it aims at the opposite codes."""
    images = faint_data().database.images
    codes = model.codes(images)
    return float(np.unpackbits(codes ^ model.codes(FGSM(epsilon=EPSILON)(model, images[:], ~codes))).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_an_inner_attack_and_an_added_loss_lower_what_an_attack_flips(seed: int) -> None:
    plain, steady = trained(None, seed), trained(Steady(), seed)
    assert flipped(plain) > 0.9
    assert flipped(steady) < 0.4
    # The codes still tell the classes apart: nothing was bought by codes that are the same for all.
    data = faint_data().database
    signs = 2.0 * np.unpackbits(steady.codes(data.images), axis=1) - 1
    alike = signs @ signs.T / 16
    similar = data.labels.astype(int) @ data.labels.T > 0
    assert alike[similar].mean() - alike[~similar].mean() > 1.5


def test_a_defended_training_goes_on_after_a_kill_and_knows_its_defence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, state, settings = faint_data(), tmp_path / "state", SETTINGS.model_copy(update={"epochs": 3})
    whole, resumed = linear_model(16), linear_model(16)
    expected = train_hash_model(whole, data, settings, seed=1, hook=Steady())
    with monkeypatch.context() as patch:
        interrupt_after(patch, torch.optim.AdamW, 4)  # in the middle of the second epoch of three steps
        with pytest.raises(Interrupted):
            train_hash_model(resumed, data, settings, seed=1, hook=Steady(), checkpoint=state)
    for other in (None, Steady(weight=4.0)):
        with pytest.raises(HashprobeError, match="belongs to a training with other settings"):
            train_hash_model(linear_model(16), data, settings, seed=1, hook=other, checkpoint=state)
    resumed = linear_model(16)
    assert train_hash_model(resumed, data, settings, seed=1, hook=Steady(), checkpoint=state) == expected
    assert same_tensors(whole.network, resumed.network)


class TestByName:
    @pytest.fixture(autouse=True)
    def _registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(DEFENCES, "_things", {"steady": Steady})

    def test_settings_are_its_fields(self) -> None:
        assert make_defence("steady", {"weight": 2.0}) == Steady(weight=2.0)

    def test_what_it_does_not_have_is_named(self) -> None:
        with pytest.raises(HashprobeError, match="no defence is named 'stead'; did you mean 'steady'"):
            make_defence("stead", {})
        with pytest.raises(
            HashprobeError, match=r"the defence 'steady' has no setting 'eps'; it has epsilon, weight\."
        ):
            make_defence("steady", {"eps": 0.1})
