"""What everything that is trained promises: a grid over all that is registered, trained for a moment on tiny data."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import Attack
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, write_json
from hashprobe.identity import fingerprint
from hashprobe.targets import Goal, PrototypeCode, PrototypeNet, TargetCode, unique_labels
from hashprobe.trained import (
    TRAINED,
    Trained,
    TrainingRun,
    by_name,
    check_against,
    load_trained,
    train_into,
    train_with_required,
)
from helpers import (
    conv_model,
    random_codes,
    random_images,
    same_tensors,
    tiny_data,
    tiny_settings,
    train_tiny,
)

BITS, COUNT = 12, 2
LABELS = unique_labels(tiny_data().database.labels)[:COUNT]


def made_by(trained: Trained) -> np.ndarray:
    """What it computes: adversarial images, or codes."""
    if isinstance(trained, Attack):
        goal = Goal(objective=trained.objectives[0], codes=random_codes(COUNT, BITS), labels=LABELS)
        return trained.run(conv_model(BITS), random_images(COUNT), goal).images.numpy()
    assert isinstance(trained, TargetCode)
    return trained(LABELS)


@pytest.mark.parametrize("name", TRAINED)
class TestEveryTrained:
    @pytest.fixture
    def own(self, name: str, trained: Callable[[str], Trained]) -> Trained:
        return trained(name)

    @pytest.fixture
    def saved(self, own: Trained, tmp_path: Path) -> Path:
        own.save(tmp_path / "saved")
        return tmp_path / "saved"

    def test_comes_back(self, name: str, own: Trained, saved: Path) -> None:
        loaded = load_trained(saved, kind=name)
        assert type(loaded) is TRAINED[name]
        assert loaded.sha256() == own.sha256()
        assert fingerprint(loaded) == fingerprint(own)
        assert loaded.facts() == json.loads(json.dumps(own.facts()))
        assert loaded.facts().items() >= {"bits": BITS, "classes": 3}.items()
        assert (loaded.settings, loaded.attacked_model) == (own.settings, conv_model(BITS).sha256())
        for network, before in zip(loaded.networks().values(), own.networks().values(), strict=True):
            assert same_tensors(network, before)
            assert not any(module.training for module in network.modules())
            assert not any(parameter.requires_grad for parameter in network.parameters())
        assert sorted(loaded.parts()) == sorted(own.parts())
        assert np.array_equal(made_by(loaded), made_by(own))
        loaded.save(saved.parent / "again")
        assert read_json(saved.parent / "again" / "trained.json") == read_json(saved / "trained.json")

    def test_the_seed_decides_and_the_model_is_left_as_it_was(
        self, name: str, own: Trained, tmp_path: Path
    ) -> None:
        model, state = conv_model(BITS), torch.random.get_rng_state()
        before, modes = model.sha256(), [module.training for module in model.modules()]
        run = TrainingRun(model=model, data=tiny_data(), seed=1, logs=tmp_path / "logs")
        other = train_with_required(name, tiny_settings(name), run, tmp_path / "other")
        assert other.sha256() != own.sha256() == train_tiny(name, tmp_path / "same").sha256()
        assert model.sha256() == before
        assert [module.training for module in model.modules()] == modes
        assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
        assert torch.equal(torch.random.get_rng_state(), state)
        assert not list(tmp_path.rglob("checkpoint*")), "a finished training leaves none"

    def test_is_trained_once_a_folder_and_after_what_it_requires(
        self, name: str, own: Trained, saved: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def never(*arguments: Any) -> None:
            raise AssertionError("trained again")

        run = TrainingRun(model=conv_model(BITS), data=tiny_data(), seed=0, trained=own.parts())
        monkeypatch.setattr(TRAINED[name], "train", never)
        assert train_with_required(name, tiny_settings(name), run, saved).sha256() == own.sha256()
        for needed in TRAINED[name].requires:
            with pytest.raises(HashprobeError, match=f"{name} needs {needed}, which has to be trained first"):
                train_into(name, own.settings, replace(run, trained={}), saved.parent / "new")

    def test_another_kind_is_refused(self, name: str, saved: Path) -> None:
        with pytest.raises(HashprobeError, match=f"saved holds {name}; something else was expected"):
            load_trained(saved, kind="something else")
        found = read_json(saved / "trained.json")
        write_json(saved / "trained.json", {**found, "kind": f"{name}2"})
        with pytest.raises(HashprobeError, match=f"is named '{name}2'; did you mean '{name}'"):
            load_trained(saved)

    def test_a_missing_file_is_named(self, name: str, saved: Path) -> None:
        for path in saved.rglob("*.safetensors"):
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(HashprobeError, match=f"{re.escape(str(path))} does not exist"):
                load_trained(saved)
            path.write_bytes(content)
        for path in saved.rglob("trained.json"):
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(
                HashprobeError,
                match=r"holds nothing that was trained \(trained\.json is missing\); give a folder",
            ):
                load_trained(saved)
            path.write_bytes(content)

    def test_one_flipped_bit_of_any_tensor_is_noticed(self, name: str, saved: Path) -> None:
        for path in saved.rglob("*.safetensors"):
            whole = path.read_bytes()
            damaged = bytearray(whole)
            damaged[8 + int.from_bytes(whole[:8], "little")] ^= 1  # the first byte behind the header
            path.write_bytes(damaged)
            with pytest.raises(
                HashprobeError, match=r"is damaged: its tensors are not those that trained\.json"
            ):
                load_trained(saved)
            for content in (whole[:-10], pickle.dumps({})):
                path.write_bytes(content)
                with pytest.raises(
                    HashprobeError, match=r"is not a whole safetensors file .*a pickle is never"
                ):
                    load_trained(saved)
            path.write_bytes(whole)
        load_trained(saved)

    def test_a_description_that_does_not_fit_is_one_sentence(self, name: str, saved: Path) -> None:
        found = read_json(saved / "trained.json")
        lacking = {own: value for own, value in found.items() if own != "facts"}
        for content, message in (
            ([1], r"trained\.json does not describe a trained attack or code"),
            ({**found, "format": "hashprobe.hash-model/1"}, r"trained\.json does not describe a trained"),
            (lacking, r"trained\.json lacks facts; train it again"),
            ({**found, "settings": {"no_such_setting": 1}}, r"trained\.json .* train it again"),
            ({**found, "facts": {}}, r"trained\.json .* train it again"),
        ):
            write_json(saved / "trained.json", content)
            with pytest.raises(HashprobeError, match=message) as raised:
                load_trained(saved)
            assert "\n" not in str(raised.value)

    def test_another_model_is_refused(self, name: str, own: Trained) -> None:
        check_against(own, conv_model(BITS).sha256())
        other = conv_model(BITS, seed=1).sha256()
        found = f"{own.attacked_model[:12]}, not {other[:12]}"
        with pytest.raises(
            HashprobeError, match=rf"this {name} was trained against another model \({found}\)"
        ):
            check_against(own, other)


def test_a_folder_of_an_earlier_version_holds_nothing_that_was_trained(tmp_path: Path) -> None:
    write_json(tmp_path / "prosgan.json", {"format": "hashprobe.prosgan/1"})
    with pytest.raises(HashprobeError, match=r"holds nothing that was trained \(trained\.json is missing\)"):
        load_trained(tmp_path, kind="ProS-GAN")


def code(seed: int, attacked_model: str = "") -> PrototypeCode:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PrototypeCode(network=PrototypeNet(3, BITS, hidden=8), attacked_model=attacked_model)


class TestByName:
    def test_finds_parts_and_what_is_given_goes_before_them(self, trained: Callable[[str], Trained]) -> None:
        attack, given = trained("ProS-GAN"), code(0)
        assert by_name([attack]) == {"ProS-GAN": attack, **attack.parts()}
        for order in ([attack, given], [given, attack]):
            assert by_name(order) == {"ProS-GAN": attack, "prototype": given}

    def test_two_of_one_name_are_refused(self) -> None:
        with pytest.raises(HashprobeError, match="prototype is given twice; give one trained prototype"):
            by_name([code(0), code(1)])


def test_a_fingerprint_is_of_tensors_and_parts_and_not_of_the_way_there(
    trained: Callable[[str], Trained],
) -> None:
    assert code(0).sha256() == code(0, attacked_model="other").sha256() != code(1).sha256()
    attack: Any = trained("ProS-GAN")
    assert replace(attack, prototype=code(0)).sha256() != attack.sha256()
    assert fingerprint(replace(attack, epsilon=0.1)) != fingerprint(attack), (
        "the budget it is used with counts"
    )
    assert replace(attack, epsilon=0.1).sha256() == attack.sha256()
