"""One attack trained with several seeds: a row each, a line of a table for all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hashprobe.errors import HashprobeError
from hashprobe.experiments import evaluate
from hashprobe.report import text_report
from hashprobe.report.run import RunRecord
from hashprobe.trained import Trained, TrainingRun, by_name, load_trained, train_with_required
from helpers import conv_model, tiny_data, tiny_settings


def trained(name: str, seed: int, folder: Path) -> Trained:
    run = TrainingRun(model=conv_model(), data=tiny_data(), seed=seed)
    train_with_required(name, tiny_settings(name), run, folder)
    return load_trained(folder)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Trained]:
    folder = tmp_path_factory.mktemp("trained")
    return [trained("ProS-GAN", seed, folder / str(seed)) for seed in range(3)]


def test_each_seed_has_a_row_and_a_table_one_line(seeds: list[Trained], tmp_path: Path) -> None:
    given = {"attacks": ("Noise", "ProS-GAN"), "protocols": ("paper",), "gallery": 0, "report": False}
    rows = evaluate(conv_model(), tiny_data(), trained=seeds, out=tmp_path / "all", **given)  # type: ignore[arg-type]
    own = [row for row in rows if row.attack == "ProS-GAN"]
    assert [row.training_seed for row in own] == [None, 1, 2]
    assert len({row.row for row in rows}) == len(rows)
    for one, row in zip(seeds, own, strict=True):
        alone = evaluate(
            conv_model(),
            tiny_data(),
            trained=[one],
            out=tmp_path / str(one.training_seed),
            **given,  # type: ignore[arg-type]
        )
        (same,) = [other for other in alone if other.attack == "ProS-GAN"]
        assert (same.t_map, same.rms, same.goal_bits) == (row.t_map, row.rms, row.goal_bits)
    run = RunRecord.read(tmp_path / "all")
    (line,) = [line for line in run.lines if line.attack == "ProS-GAN"]
    scores = [row.score for row in own]
    assert line.score == pytest.approx(np.mean(scores))
    assert (line.score_low, line.score_high) == (min(scores), max(scores))
    console = Console(file=io.StringIO(), width=200)
    text_report(tmp_path / "all", console)
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    assert text.count("mean of 3 training seeds, which lie from") == 1


def test_two_that_nothing_tells_apart_are_refused(seeds: list[Trained]) -> None:
    assert by_name(seeds)["ProS-GAN"] is seeds[0]
    assert by_name(seeds)["ProS-GAN@2"] is seeds[2]
    assert "ProS-GAN@0" not in by_name(seeds[:1])
    with pytest.raises(HashprobeError, match="or several of different training seeds"):
        by_name([seeds[0], seeds[0]])
