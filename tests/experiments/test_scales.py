"""Scales: presets, what differs from them, and what is said of a wrong name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hashprobe.attacks.prosgan import NARROW, ProSGAN, ProSGANSettings
from hashprobe.errors import HashprobeError
from hashprobe.experiments import SCALES
from hashprobe.experiments.paper.sizes import GRID_SIZES
from hashprobe.targets import PrototypeCode, PrototypeSettings


@pytest.mark.parametrize("kind", [ProSGAN, PrototypeCode])
@pytest.mark.parametrize("scale", list(SCALES))
def test_settings_are_the_preset_of_a_scale_or_the_published_ones(
    scale: str, kind: type[ProSGAN | PrototypeCode]
) -> None:
    assert SCALES[scale].settings(kind.name) == kind.presets.get(scale, kind.Settings())


def test_the_scales_are_those_of_the_paper_its_program_and_two_cores() -> None:
    for scale in ("paper", "released"):
        assert SCALES[scale].settings("prototype") == PrototypeSettings()
    assert SCALES["paper"].settings("ProS-GAN") == ProSGANSettings()
    assert SCALES["released"].settings("ProS-GAN") == ProSGANSettings(hamming=5.0)
    own = SCALES["cpu"].settings_of(["ProS-GAN"])
    assert (own["prototype"].objective, own["ProS-GAN"].decoder) == ("average-precision", "linear")


def test_the_paper_s_grid_on_two_cores_trains_the_published_generator_made_small() -> None:
    small = GRID_SIZES["cpu"].scale.settings_of(["ProS-GAN"])
    assert small["ProS-GAN"] == NARROW.model_copy(update={"epochs": 4})
    assert small["prototype"] == PrototypeSettings(steps=1500, learning_rate=5e-4)


def test_what_a_scale_says_goes_before_its_preset_and_changes_before_both() -> None:
    scale = SCALES["cpu"].model_copy(update={"trained": {"prototype": {"steps": 7, "hidden": 16}}})
    preset = PrototypeCode.presets["cpu"]
    assert scale.settings("prototype") == preset.model_copy(update={"steps": 7, "hidden": 16})
    assert scale.settings("prototype", steps=8) == preset.model_copy(update={"steps": 8, "hidden": 16})


def test_what_is_required_comes_first_and_changes_are_the_last_one_s() -> None:
    found = SCALES["cpu"].settings_of(["ProS-GAN"], epochs=2)
    assert list(found) == ["prototype", "ProS-GAN"]
    assert found["prototype"] == SCALES["cpu"].settings("prototype")
    assert found["ProS-GAN"] == SCALES["cpu"].settings("ProS-GAN", epochs=2)
    assert SCALES["cpu"].settings_of([]) == {}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("prototyp", {}, "no trained attack or code is named 'prototyp'; did you mean 'prototype'"),
        ("prototype", {"stepz": 3}, "no setting of prototype is named 'stepz'; did you mean 'steps'"),
    ],
)
def test_a_wrong_name_is_said(name: str, changes: dict[str, float], message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        SCALES["cpu"].settings(name, **changes)


def test_a_wrong_setting_of_a_scale_is_said() -> None:
    scale = SCALES["cpu"].model_copy(update={"trained": {"prototype": {"stepz": 3}}})
    with pytest.raises(HashprobeError, match="no setting of prototype is named 'stepz'"):
        scale.settings("prototype")


def test_a_wrong_value_is_said() -> None:
    with pytest.raises(ValidationError, match="steps"):
        SCALES["cpu"].settings("prototype", steps=0)
    with pytest.raises(ValidationError, match=r"a bounded generator \(epsilon\) needs residual=True"):
        SCALES["cpu"].settings("ProS-GAN", epsilon=0.1, residual=False)
