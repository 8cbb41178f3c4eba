"""Models and backbones of one's own, by name: opened, saved, loaded again, trained; and what is done to their input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing import (
    BACKBONES,
    MODELS,
    Backbone,
    HashModel,
    HashTrainingSettings,
    build_backbone,
    open_model,
    train_hash_model,
)
from helpers import linear_model, random_images, same_tensors, tiny_data


@pytest.fixture(autouse=True)
def _registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    for registry in (MODELS, BACKBONES):
        monkeypatch.setattr(registry, "_things", dict(registry._things))


@dataclass(frozen=True)
class Darker:
    """Takes light from images."""

    factor: float

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.factor


def rounded(images: torch.Tensor) -> torch.Tensor:
    """Four levels: no gradient comes through."""
    return (images * 3).round() / 3


def register() -> None:
    @MODELS.register("mine")
    def build() -> HashModel:
        return HashModel.wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8)), bits=8, mean=(0.5,) * 3)


class TestNames:
    def test_a_name_opens_the_same_model_each_time_and_leaves_the_generator(self) -> None:
        register()
        state = torch.random.get_rng_state()
        model = open_model("mine", bits=8)
        assert torch.equal(state, torch.random.get_rng_state())
        assert model.built_by == "mine"
        assert not model.training
        assert model.sha256() == open_model("mine").sha256() != HashModel.named("mine", seed=1).sha256()

    def test_a_folder_is_loaded(self, tmp_path: Path) -> None:
        model = HashModel.build("squeezenet1_1", bits=8)
        model.save(tmp_path / "model")
        for folder in (tmp_path / "model", str(tmp_path / "model")):
            assert open_model(folder, bits=8).sha256() == model.sha256()
        with pytest.raises(HashprobeError, match="holds a model of 8 bits; 16 were expected"):
            open_model(tmp_path / "model", bits=16)

    def test_a_name_goes_before_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        HashModel.build("squeezenet1_1", bits=12).save("mine")
        register()
        assert [open_model(given).bits for given in ("mine", "./mine", Path("mine"))] == [8, 12, 12]

    def test_what_is_neither_is_said(self) -> None:
        register()
        with pytest.raises(
            HashprobeError,
            match=r"nowhere is neither a folder nor a registered model \(.*mine\); give .*--plugin",
        ):
            open_model("nowhere")

    @pytest.mark.parametrize(
        ("made", "message"),
        [
            (lambda: nn.Flatten(), "'mine' must be a function that returns a HashModel; it returned Flatten"),
            (lambda: linear_model(12), "the model 'mine' has 12 bits; 8 were expected"),
        ],
    )
    def test_another_thing_is_refused(self, made: Callable[[], HashModel], message: str) -> None:
        MODELS.register("mine")(made)
        with pytest.raises(HashprobeError, match=message):
            open_model("mine", bits=8)


class TestFiles:
    def test_a_named_model_comes_back_without_its_module(self, tmp_path: Path) -> None:
        register()
        model = open_model("mine")
        with torch.no_grad():
            model.network[1].weight.mul_(2)
        model.save(tmp_path)
        loaded = HashModel.load(tmp_path, bits=8)
        assert loaded.sha256() == model.sha256() != open_model("mine").sha256()
        assert loaded.built_by == "mine"
        assert not loaded.training

    def test_a_name_that_is_not_registered_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        register()
        open_model("mine").save(tmp_path)
        monkeypatch.setattr(MODELS, "_things", {})
        with pytest.raises(
            HashprobeError,
            match="built by 'mine', and no model of that name is registered; give --plugin with",
        ):
            HashModel.load(tmp_path)

    def test_a_function_that_has_changed_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        register()
        open_model("mine").save(tmp_path)
        monkeypatch.setattr(MODELS, "_things", {"mine": lambda: linear_model(12)})
        with pytest.raises(
            HashprobeError,
            match=r"model\.json gives bits 8, but its network is built with 12; save the model",
        ):
            HashModel.load(tmp_path)

    @pytest.mark.parametrize(("field", "value"), [("bits", 16), ("mean", [0.1] * 3), ("std", [2.0] * 3)])
    def test_a_description_that_contradicts_its_spec_is_refused(
        self, tmp_path: Path, field: str, value: object
    ) -> None:
        HashModel.build("squeezenet1_1", bits=8).save(tmp_path)
        description = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps(description | {field: value}))
        with pytest.raises(
            HashprobeError, match=rf"model\.json gives {field} .*, but its network is built with"
        ):
            HashModel.load(tmp_path)


class TestTransform:
    def test_codes_and_training_see_it_and_attacks_where_they_are_said_to(self) -> None:
        plain, images = linear_model(8), random_images(3)
        for seen in (True, False):
            model = plain.with_transform(Darker(0.5), seen_by_attacks=seen)
            assert np.array_equal(model.codes(images), plain.codes(images / 2))
            torch.testing.assert_close(model(images), plain(images / 2))
            expected = plain.logits(images / 2 if seen else images)
            torch.testing.assert_close(model.attack_logits(images), expected)
        assert torch.equal(plain.attack_logits(images), plain.logits(images))

    def test_a_gradient_that_it_hides_is_there_where_attacks_do_not_see_it(self) -> None:
        images = random_images(3).requires_grad_(True)
        for seen in (True, False):
            model = linear_model(8).with_transform(rounded, seen_by_attacks=seen)
            (gradient,) = torch.autograd.grad(model.attack_logits(images).sum(), images)
            assert bool(gradient.any()) is not seen

    def test_it_belongs_to_the_fingerprint(self) -> None:
        model, blur = linear_model(8), nn.Conv2d(3, 3, 3, padding=1)
        transforms = [Darker(0.5), Darker(0.6), rounded, blur]
        prints = {model.with_transform(each, seen_by_attacks=True).sha256() for each in transforms}
        prints |= {model.sha256(), model.with_transform(rounded, seen_by_attacks=False).sha256()}
        with torch.no_grad():
            blur.weight.mul_(2)
        prints.add(model.with_transform(blur, seen_by_attacks=True).sha256())
        assert len(prints) == 7

    @pytest.mark.parametrize("transform", [lambda images: images, object()])
    def test_one_that_does_not_say_what_it_is_is_refused(self, transform: object) -> None:
        with pytest.raises(HashprobeError, match="does not say what it is"):
            linear_model(8).with_transform(transform, seen_by_attacks=True)  # type: ignore[arg-type]

    def test_a_second_one_is_refused(self) -> None:
        model = linear_model(8).with_transform(rounded, seen_by_attacks=True)
        with pytest.raises(HashprobeError, match="has a transform already"):
            model.with_transform(rounded, seen_by_attacks=True)

    def test_it_is_saved_by_name_alone(self, tmp_path: Path) -> None:
        model = HashModel.build("squeezenet1_1", bits=8).with_transform(rounded, seen_by_attacks=False)
        with pytest.raises(
            HashprobeError, match="a file cannot hold what a model does to its input; register"
        ):
            model.save(tmp_path)
        assert not list(tmp_path.iterdir())
        MODELS.register("four levels")(
            lambda: HashModel.build("squeezenet1_1", bits=8).with_transform(rounded, seen_by_attacks=False)
        )
        model = open_model("four levels")
        train_hash_model(model, tiny_data(), HashTrainingSettings(epochs=1, learning_rate=1e-3), seed=0)
        model.save(tmp_path)
        loaded = open_model(tmp_path)
        images = random_images(2)
        assert loaded.sha256() == model.sha256()
        assert np.array_equal(loaded.codes(images), model.codes(images))
        assert loaded.transform is rounded
        assert not loaded.seen_by_attacks


class TestBackbones:
    def test_one_of_ones_own_is_built_trained_saved_and_loaded(self, tmp_path: Path) -> None:
        @BACKBONES.register("mine")
        def build(weights: str) -> Backbone:
            return Backbone(nn.Sequential(nn.Flatten(), nn.Linear(3072, 20)), 20, (0.5,) * 3, (0.25,) * 3)

        model = HashModel.build("mine", bits=8, seed=1)
        assert model.std.flatten().tolist() == [0.25] * 3
        settings = HashTrainingSettings(epochs=1, start="labels", backbone_rate=0.5, learning_rate=1e-3)
        train_hash_model(model, tiny_data(), settings, seed=0)
        model.save(tmp_path)
        assert open_model(tmp_path).sha256() == model.sha256()
        weights = tmp_path / "model.safetensors"
        with pytest.raises(HashprobeError, match=r"does not fit 'mine': '1\.weight' is missing"):
            build_backbone("mine", str(weights))
        HashModel.wrap(model.network.backbone, bits=20).save(tmp_path / "backbone")
        other = build_backbone("mine", str(tmp_path / "backbone" / "model.safetensors"))
        assert same_tensors(other.network, model.network.backbone)

    def test_its_builder_is_asked_for_weights_by_name(self) -> None:
        asked = []

        @BACKBONES.register("mine")
        def build(weights: str) -> Backbone:
            asked.append(weights)
            return Backbone(nn.Flatten(), 3072, (0.0,) * 3, (1.0,) * 3)

        for weights in ("none", "bundled", "pretrained"):
            build_backbone("mine", weights)
        assert asked == ["none", "bundled", "pretrained"]

    def test_another_thing_is_refused(self) -> None:
        BACKBONES.register("mine")(lambda weights: nn.Flatten())  # type: ignore[arg-type,return-value]
        with pytest.raises(
            HashprobeError, match="must be a function that returns a Backbone; it returned Flatten"
        ):
            build_backbone("mine")
