"""One attack trained with several seeds: a row each, a line of a table for all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import small
from rich.console import Console

from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, ResultRow
from hashprobe.experiments import RECIPES, Run, evaluate, find_recipe
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


def test_a_recipe_s_seeds_have_a_row_each_and_one_line_and_the_run_s_own_trains_as_without(
    walked: tuple[Path, list[ResultRow]], tmp_path: Path
) -> None:
    file = tmp_path / "seeded.toml"
    file.write_text('base = "small"\ntraining_seeds = [3, 1]\nprotocols = ["paper"]\n', encoding="utf-8")
    attacks = (CellSpec(attack="Noise"), CellSpec(attack="ProS-GAN", settings={"epsilon": None}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RECIPES, "_things", {"small": small.SMALL.model_copy(update={"attacks": attacks})})
        seeded = find_recipe(str(file))
    assert (seeded.name, seeded.training_seeds, seeded.codes) == ("seeded", (3, 1), small.SMALL.codes)
    titles = [
        cell.title for cell in Run(seeded, tmp_path, device="cpu").cells if cell.spec.attack == "ProS-GAN"
    ]
    assert [
        title.startswith(f"ProS-GAN (seed {seed}) on") for title, seed in zip(titles, (3, 1), strict=True)
    ] == [True] * 2
    folder = tmp_path / "out"
    rows = small.run(folder, seeded)
    found = [(row.attack, row.training_seed) for row in rows if row.code != "none" or row.trained]
    codes = [(name, None) for name in ("P2P code", "Anchor code", "Prototype code")]
    assert found == [*codes, ("ProS-GAN", None), ("ProS-GAN", 1)]
    assert [row.row for row in rows[-2:]] == [f"pros-gan-unbounded-trained{seed}-paper" for seed in (3, 1)]
    (alone,) = [row for row in walked[1] if row.row == "pros-gan-unbounded-paper"]
    assert rows[-2].without_times() == {**alone.without_times(), "row": rows[-2].row}
    for name in (
        "prototype",
        "pros-gan",
    ):  # all that is trained has the seed, and the run's own is the folder without
        seeds = [load_trained(folder / own).training_seed for own in (name, f"{name}-seed1")]
        assert seeds == [3, 1]
        assert load_trained(folder / name).sha256() != load_trained(folder / f"{name}-seed1").sha256()
    logs = {
        path.relative_to(folder / "training").as_posix() for path in (folder / "training").rglob("*.jsonl")
    }
    own = {"prototype.jsonl", "prosgan.jsonl"}
    assert logs == {"hash-model.jsonl", *own, *(f"seed1/{name}" for name in own)}
    (line,) = [line for line in RunRecord.read(folder).lines if line.attack == "ProS-GAN"]
    assert line.training_seeds == 2
    assert (line.score_low, line.score_high) == tuple(sorted(row.score for row in rows[-2:]))


@pytest.mark.parametrize(("seeds", "found"), [((7,), 7), ((0,), None), ((), None)])
def test_one_training_seed_is_taken_too(seeds: tuple[int, ...], found: int | None, tmp_path: Path) -> None:
    recipe = small.SMALL.model_copy(update={"training_seeds": seeds})
    cells = Run(recipe, tmp_path, seed=0, device="cpu").cells
    own = [task.seed for cell in cells if cell.spec.attack == "ProS-GAN" for task in cell.trainings]
    assert set(own) == {found}


def test_a_code_beside_a_trained_attack_has_the_run_s_seed(tmp_path: Path) -> None:
    attacks = (
        CellSpec(attack="CodeGenerator", code="prototype"),
        CellSpec(attack="FewStep", start="CodeGenerator", code="prototype"),
    )
    recipe = small.SMALL.model_copy(update={"training_seeds": (7,), "attacks": attacks})
    for cell in Run(recipe, tmp_path, seed=0, device="cpu").cells[-2:]:
        made = [(task.name, task.seed) for task in cell.trainings]
        assert made == [("prototype", None), ("CodeGenerator", 7)]


def test_a_cell_of_a_seed_takes_no_other(seeds: list[Trained]) -> None:
    spec = CellSpec(attack="ProS-GAN", training_seed=1)
    assert spec.build(by_name(seeds[1:2])) is not None
    with pytest.raises(HashprobeError, match="ProS-GAN trained with seed 1 is wanted; found one of seed 2"):
        spec.build(by_name(seeds[2:]))
