"""Checks on small real models: what hides its gradient, saturates, leaks or was hardly trained is found; a sound model is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.data import ImageRows, RetrievalData, Split
from hashprobe.evaluation import CellSpec, Evaluator, measure
from hashprobe.evaluation.cells.planned import cells_under
from hashprobe.experiments import evaluate
from hashprobe.files import read_json_lines
from hashprobe.hashing import HashModel, HashTrainingSettings, train_hash_model
from hashprobe.report.run import RunRecord
from hashprobe.results import Finding, run_checks
from hashprobe.trained import Trained, TrainingRun, train_with_required
from helpers import SIZE, linear_model, tiny_settings

BITS, CLASSES = 24, 4
COUNTS = {"query": 160, "database": 160, "train": 80}


@pytest.fixture(scope="module")
def data() -> RetrievalData:
    """Each class has a faint pattern of its own, over which lies noise."""
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (CLASSES, 3, SIZE, SIZE))

    def split(name: str) -> Split:
        count = COUNTS[name]
        own = np.arange(count) % CLASSES
        images = 128 + 12 * patterns[own] + rng.normal(0, 40, (count, 3, SIZE, SIZE))
        labels = np.eye(CLASSES, dtype=np.uint8)[own]
        names = tuple(f"{name}-{row}" for row in range(count))
        return Split(ImageRows(images.clip(0, 255).astype(np.uint8)), labels, names)

    parts = {name: split(name) for name in COUNTS}
    return RetrievalData("patterns", tuple("abcd"), **parts)


def model(scale: float = 30.0, before: Callable[[torch.Tensor], torch.Tensor] | None = None) -> HashModel:
    """A linear hash model, whose images go through a function first."""
    made = linear_model(BITS, scale=scale)
    if before is not None:
        made.network = nn.Sequential(Before(before), made.network)
    return made


class Before(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.function(images)


ATTACKS = ("Noise", "FGSM", "I-FGSM:steps=10", "I-FGSM:steps=10,epsilon=32/255,step_size=8/255")


TANH = ("FGSM:objective=tanh", "I-FGSM:steps=10,objective=tanh")


def findings(
    attacked: HashModel,
    data: RetrievalData,
    attacks: tuple[str, ...] = ATTACKS,
    trained: tuple[Trained, ...] = (),
    codes: tuple[str, ...] = ("anchor",),
) -> list[Finding]:
    """What checks find in a table that is measured as evaluate does."""
    evaluator = Evaluator(attacked, data, seed=0, trained=trained)
    specs = [CellSpec.read(text) for text in attacks]
    made = [measure(*cell, evaluator) for cell in cells_under(specs, ("disjoint",), codes)]
    rows = [row for one in made for row in one.rows]
    return run_checks(rows, {one.row: one for cell in made for one in cell.queries})


def names(found: list[Finding]) -> set[str]:
    return {finding.check for finding in found}


def test_a_sound_model_is_not_flagged(data: RetrievalData) -> None:
    away = tuple(f"{text}{',' if ':' in text else ':'}goal=untargeted" for text in ATTACKS)
    assert findings(model(scale=3.0), data, (*ATTACKS, *away)) == []


@pytest.mark.parametrize("size", [3.0, 30.0])
def test_outputs_that_saturate_the_tanh_are_flagged(size: float, data: RetrievalData) -> None:
    sound = model(scale=1.0)
    own = Evaluator(sound, data, seed=0).mean_logit
    assert own is not None
    found = [
        one for one in findings(model(scale=size / own), data, TANH) if one.check == "vanishing gradients"
    ]
    assert len(found) == 2
    assert f"mean |z| {size:g}" in found[0].said


def test_a_model_without_a_gradient_is_flagged(data: RetrievalData) -> None:
    """Rounding to some levels has the derivative 0 everywhere."""
    found = findings(model(scale=3.0, before=lambda images: (images * 8).round() / 8), data)
    assert "codes did not move" in names(found)
    assert any("moved 0 of 24 bits" in finding.said for finding in found)


def test_a_model_whose_gradient_misleads_is_flagged(data: RetrievalData) -> None:
    """A small ripple leaves the codes nearly as they were, and its slope drowns that of everything else."""
    found = findings(model(scale=3.0, before=lambda images: images + 0.01 * torch.sin(3000 * images)), data)
    assert {"codes did not move", "ceiling not reached"} <= names(found)


def test_a_saturated_hashnet_is_flagged(data: RetrievalData) -> None:
    attacked = model(scale=12.0)
    assert "saturated output" not in names(findings(attacked, data, ("Noise",))), "before there is a scale"
    settings = HashTrainingSettings(loss="hashnet", epochs=50, batch_size=16, learning_rate=0.01)
    train_hash_model(attacked, data, settings, seed=0)
    assert attacked.scale > 1
    found = findings(attacked, data, ("Noise",))
    assert "saturated output" in names(found)
    (said,) = [one.said for one in found if one.check == "saturated output"]
    assert f"its scale is {attacked.scale:.3g}" in said


def test_a_leaking_split_is_flagged(data: RetrievalData) -> None:
    images = data.database.images[:]
    images[:7] = data.query.images[:7]
    leaking = replace(data, database=replace(data.database, images=ImageRows(images)))
    found = findings(model(scale=3.0), leaking)
    assert names(found) == {"leaking split"}
    assert found[0].said.startswith("7 queries of patterns, 4.4 % of them")


@pytest.mark.parametrize("name", ["Universal", "ProS-GAN"])
def test_a_hardly_trained_attack_is_flagged(name: str, data: RetrievalData, tmp_path: Path) -> None:
    attacked = model(scale=3.0)
    run = TrainingRun(model=attacked, data=data, seed=0)
    settings = tiny_settings(name)
    if name == "Universal":
        settings[name] = settings[name].model_copy(update={"step_sizes": (0.2 / 255,), "steps": 1})
    trained = train_with_required(name, settings, run, tmp_path / name)
    found = findings(attacked, data, ("FGSM", name), (trained,))
    assert "undertrained attack" in names(found)
    (said,) = [one.said for one in found if one.check == "undertrained attack"]
    assert said.startswith(name)


def test_an_evaluation_writes_what_checks_find_and_the_report_says_the_same(
    data: RetrievalData, tmp_path: Path
) -> None:
    attacked, out = model(scale=300.0), tmp_path / "out"
    rows = evaluate(
        attacked,
        data,
        attacks=("FGSM", "I-FGSM:steps=3,objective=tanh"),
        protocols=("disjoint",),
        out=out,
        gallery=0,
        report=False,
    )
    written = read_json_lines(out / "checks.jsonl")
    run = RunRecord.read(out)
    assert {line["check"] for line in written} >= {"vanishing gradients"}
    assert [finding.as_json() for finding in run.findings] == written
    assert run.scores.keys() == {row.row for row in rows}
    for row in rows:
        assert run.scores[row.row].values.mean() == pytest.approx(row.score, abs=1e-6)
    assert len({(one.queries, one.targets) for one in run.scores.values()}) == 1
