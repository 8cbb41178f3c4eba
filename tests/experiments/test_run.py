"""A recipe, walked on a few small scenes: rows, files, repetition, kills, refusals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small import SMALL, run, without_times

import hashprobe as hp
from hashprobe.attacks import ProSGAN
from hashprobe.attacks.teaching import loop
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, CellStore, Evaluator, ResultRow
from hashprobe.experiments import RECIPES, SCALES, Run
from hashprobe.files import read_json, read_json_lines, write_json
from hashprobe.report import write_report
from helpers import Interrupted, interrupt_after, launch

Walked = tuple[Path, list[ResultRow]]


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def test_rows_are_those_of_the_table_in_its_order(walked: Walked) -> None:
    folder, rows = walked
    assert [ResultRow(**row) for row in read_json_lines(folder / "results.jsonl")] == rows
    assert [row["row"] for row in read_json_lines(folder / "curves.jsonl")] == [row.row for row in rows]
    targeted = [spec.attack for spec in SMALL.attacks if spec.goal is None]
    yardsticks = ["Original", "P2P code", "Anchor code", "Prototype code"]
    assert [(row.attack, row.protocol) for row in rows] == [
        *((attack, protocol) for protocol in SMALL.protocols for attack in (*yardsticks, *targeted)),
        *((attack, None) for attack in ("Original", "Own code", "I-FGSM")),
    ]
    assert len({row.row for row in rows}) == len(rows)
    cells = Run(SMALL, folder, seed=3, device="cpu").cells
    planned = [cell.spec.planned_row_name(cell.trained, cell.protocol) for cell in cells]
    assert [row.row for row in rows] == planned
    for row in rows:
        assert 0 <= row.score_low <= row.score <= row.score_high <= 1
        if row.linf is not None and row.epsilon is not None:
            assert row.rms is not None
            assert row.rms <= row.linf <= row.epsilon + 1e-6


def test_a_folder_of_one_model_has_plain_names(walked: Walked) -> None:
    folder, rows = walked
    parts = {"hash-model", "prototype", "pros-gan", "cells", "gallery", "training"}
    files = {"experiment.json", "results.jsonl", "curves.jsonl", "queries.jsonl", "checks.jsonl", ".lock"}
    assert {path.name for path in folder.iterdir()} == parts | files
    assert len(list((folder / "cells").iterdir())) == len(rows)
    logs = {path.name for path in (folder / "training").iterdir()}
    assert logs == {"hash-model.jsonl", "prototype.jsonl", "prosgan.jsonl"}
    assert not list(folder.rglob("checkpoint*"))
    described = read_json(folder / "experiment.json")
    assert described["model"]["sha256"] == hp.HashModel.load(folder / "hash-model").sha256()
    assert set(described["seconds"]) == {"data", "hash model", "prototype", "ProS-GAN", "attacks"}


def test_the_same_seed_gives_the_same_rows(walked: Walked, tmp_path: Path) -> None:
    assert without_times(run(tmp_path / "again")) == without_times(walked[1])


def test_a_folder_that_was_deleted_is_made_anew(walked: Walked, tmp_path: Path) -> None:
    """In one process, which keeps the models that it has read."""
    experiment = SMALL.model_copy(update={"attacks": (CellSpec(attack="FGSM"),), "codes": ()})
    first = run(tmp_path / "out", experiment, seed=1)
    shutil.rmtree(tmp_path / "out")
    second = run(tmp_path / "out", experiment, seed=2)
    assert first[0].model != second[0].model
    assert second == run(tmp_path / "out", experiment, seed=2)


# Up to the middle of each training: the hash model takes 2 × 2 steps, PrototypeNet 10, and the generator 2 × 2 with 2 of its
# discriminator.
STEPS = {
    "hash-model": (torch.optim.AdamW, 3),
    "prototype": (torch.optim.Adam, 5),
    "pros-gan": (torch.optim.Adam, 10 + 3),
}
CALLS: dict[str, tuple[type, str, int]] = {
    "the first attack": (Evaluator, "attack", 1),
    "an attack": (Evaluator, "attack", 4),
    "the last attack": (Evaluator, "attack", 15),
    "keeping a cell": (CellStore, "keep", 6),
    "writing the results": (CellStore, "write_results", 9),
}


def kill_in(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the work end in the middle of a part."""
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    if part in STEPS:
        interrupt_after(monkeypatch, *STEPS[part])
        return
    kind, name, count = CALLS[part]
    original, calls = getattr(kind, name), []

    def stop(*arguments: Any, **keywords: Any) -> Any:
        calls.append(name)
        if len(calls) == count:
            raise Interrupted
        return original(*arguments, **keywords)

    monkeypatch.setattr(kind, name, stop)


@pytest.mark.parametrize("part", [*STEPS, *CALLS])
def test_a_killed_run_goes_on_to_the_same_rows(
    part: str, walked: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_in(part, patch)
        with pytest.raises(Interrupted):
            run(tmp_path / "out")
    if part in STEPS:
        # PrototypeNet keeps its state every 500 steps.
        states = [path.parent.name for path in tmp_path.rglob("checkpoint.safetensors")]
        assert states == ([] if part == "prototype" else [part])
        assert not (tmp_path / "out" / part / "done.json").exists()
    assert without_times(run(tmp_path / "out")) == without_times(walked[1])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in walked[0].iterdir()}


def refuse_all_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("this part was done before")

    monkeypatch.setattr("hashprobe.experiments.models.train_hash_model", refuse)
    monkeypatch.setattr("hashprobe.experiments.training_tasks.train_into", refuse)
    monkeypatch.setattr("hashprobe.experiments.cell_task.measure", refuse)


def count_rows_written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which every writing of ``results.jsonl`` adds its number of rows."""
    counts: list[int] = []
    original = CellStore.write_results

    def counting(self: CellStore, cells: Any, image_size: int) -> None:
        original(self, cells, image_size)
        counts.append(len(read_json_lines(self.folder / "results.jsonl")))

    monkeypatch.setattr(CellStore, "write_results", counting)
    return counts


def test_a_finished_run_measures_nothing_and_keeps_all_rows_throughout(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rows = walked
    seconds = read_json(folder / "experiment.json")["seconds"]
    counts = count_rows_written(monkeypatch)
    refuse_all_work(monkeypatch)
    assert run(folder) == rows
    assert set(counts) == {len(rows)}
    again = read_json(folder / "experiment.json")["seconds"]
    assert {part: seconds[part] for part in seconds if part != "data"} == {
        part: again[part] for part in again if part != "data"
    }


def test_a_run_that_goes_on_never_shows_fewer_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, walked: Walked
) -> None:
    folder = copied(walked[0], tmp_path / "out")
    gone = sorted((folder / "cells").iterdir())[::3]
    for cell in gone:
        cell.unlink()
    counts = count_rows_written(monkeypatch)
    assert without_times(run(folder)) == without_times(walked[1])
    assert counts == list(range(len(walked[1]) - len(gone), len(walked[1]) + 1))


def test_a_title_and_expected_minutes_are_no_other_experiment(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_all_work(monkeypatch)
    folder, rows = walked
    update = {"title": "The same scenes.", "expected_minutes": {"data": 1.0}}
    assert run(folder, SMALL.model_copy(update=update)) == rows
    assert read_json(folder / "experiment.json")["title"] == "The same scenes."
    run(folder)


@pytest.mark.parametrize(
    ("update", "seed"),
    [
        ({}, 4),
        ({"gallery": 3}, 3),
        ({"trained": {**SMALL.trained, "prototype": {"steps": 11, "hidden": 32}}}, 3),
        ({"data_options": {"queries": 6, "database": 41, "train": 24}}, 3),
    ],
)
def test_another_experiment_is_refused_and_nothing_changes(
    update: dict[str, Any], seed: int, walked: Walked
) -> None:
    folder, _ = walked
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}
    with pytest.raises(HashprobeError, match="holds another experiment"):
        run(folder, SMALL.model_copy(update=update), seed)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}


def test_parts_that_would_be_trained_otherwise_now_are_refused(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = walked
    before = (folder / "experiment.json").read_bytes()
    monkeypatch.setattr(ProSGAN, "presets", {"paper": ProSGAN.Settings(reconstruction=3.0)})
    refuse_all_work(monkeypatch)
    with pytest.raises(HashprobeError, match=f"{folder} holds another experiment .*; give another --out or"):
        run(folder)
    assert (folder / "experiment.json").read_bytes() == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(HashprobeError, match="is not empty and holds no hashprobe experiment"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_of_an_earlier_version_is_refused(walked: Walked, tmp_path: Path) -> None:
    described = read_json(walked[0] / "experiment.json")
    del described["format"]
    write_json(tmp_path / "experiment.json", described)
    with pytest.raises(HashprobeError, match="was written by another version of hashprobe; give another"):
        run(tmp_path)


HOLD = """
import sys
from hashprobe.folders import claimed
from hashprobe.files import read_json

with claimed(sys.argv[1], read_json(sys.argv[1] + "/experiment.json")["identity"]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_in_the_same_folder_is_refused(walked: Walked) -> None:
    folder, rows = walked
    before = (folder / "experiment.json").read_bytes()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HashprobeError) as refused:
            run(folder)
        assert (
            str(refused.value)
            == f"another hashprobe command is working in {folder}; wait for it, or give another --out."
        )
        assert (folder / "experiment.json").read_bytes() == before
    finally:
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()
    assert run(folder) == rows


def test_a_damaged_cell_is_named(walked: Walked, tmp_path: Path) -> None:
    folder = copied(walked[0], tmp_path / "out")
    cell = sorted((folder / "cells").iterdir())[0]
    cell.write_text("{}", encoding="utf-8")
    with pytest.raises(HashprobeError, match=rf"{cell.name} is damaged; delete it"):
        run(folder)
    cell.unlink()
    assert without_times(run(folder)) == without_times(walked[1])


PROGRAM = """
import sys
from pathlib import Path

import torch

import small
from hashprobe.processes import processes

torch.set_num_threads(1)
small.run(Path(sys.argv[1]))
small.run(Path(sys.argv[2]))
processes(torch.device("cpu")).disband()
"""


def test_two_processes_give_the_rows_of_one(
    walked: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rows = walked
    measured, whole = copied(folder, tmp_path / "measured"), tmp_path / "whole"
    shutil.rmtree(measured / "cells")
    shutil.rmtree(measured / "gallery")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = launch(program, measured, whole)
    assert done.returncode == 0, done.stderr
    # Attacks on the same trained parts are the same to the bit, trainings up to the order of sums.
    found = [ResultRow(**row) for row in read_json_lines(measured / "results.jsonl")]
    assert without_times(found) == without_times(rows)
    pictures = [path.relative_to(folder) for path in (folder / "gallery").rglob("*.png")]
    assert pictures
    for picture in pictures:
        assert (measured / picture).read_bytes() == (folder / picture).read_bytes()
    refuse_all_work(monkeypatch)
    for mine, its in zip(run(whole), rows, strict=True):
        assert (mine.row, mine.queries, mine.map_chance) == (its.row, its.queries, its.map_chance)
        assert mine.map_benign == pytest.approx(its.map_benign, abs=0.05)


def test_the_picture_in_the_gallery_has_the_code_that_it_says(walked: Walked) -> None:
    folder, _ = walked
    model = hp.HashModel.load(folder / "hash-model")
    entries = read_json(folder / "gallery" / "gallery.json")["entries"]
    assert len(entries) == 2 * SMALL.gallery
    for entry in entries:
        picture = np.asarray(Image.open(folder / "gallery" / entry["adversarial_image"])).transpose(2, 0, 1)
        assert model.codes(picture[None])[0].tobytes().hex() == entry["code_hex"]
        distances = [item["distance"] for item in entry["after"]]
        assert distances == sorted(distances)


def test_the_report_is_written(walked: Walked, tmp_path: Path) -> None:
    folder = copied(walked[0], tmp_path / "out")
    assert "ProS-GAN" in write_report(folder).read_text(encoding="utf-8")


def test_a_recipe_s_settings_go_before_those_of_its_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SCALES, "_things", dict(SCALES._things))
    own = {"prototype": {"steps": 7}, "ProS-GAN": {"epochs": 3}}
    SCALES.register("mine")(SCALES["cpu"].model_copy(update={"trained": own}))
    update = {"scale": "mine", "trained": {"prototype": {"steps": 8}}}
    (cell, *_) = (
        cell
        for cell in Run(SMALL.model_copy(update=update), tmp_path, device="cpu").cells
        if cell.spec.attack == "ProS-GAN"
    )
    assert cell.trained["prototype"] == SCALES["cpu"].settings("prototype", steps=8)
    assert cell.trained["ProS-GAN"] == SCALES["cpu"].settings("ProS-GAN", epochs=3)


@pytest.mark.parametrize(
    ("trained", "attacks", "message"),
    [
        ({}, ("FGSM", "FGSM:epsilon=8/255"), "FGSM is given twice with the same settings; give it once"),
        ({}, ("FGSM:step=2",), "no setting of FGSM is named 'step'"),
        ({}, ("FGSM:epsilon=2",), "epsilon must be in"),
        (
            {"CodeGenerator": {"epsilon": 16 / 255}},
            ("CodeGenerator", "CodeGenerator:epsilon=16/255"),
            "CodeGenerator and CodeGenerator would both be the row codegenerator-16of255-paper",
        ),
        (
            {"Universal": {"target_code": "ap-search"}},
            ("Universal:code=mainstay",),
            "Universal learned ap-search codes, so code=mainstay would be ignored",
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_said_before_anything_is_made(
    trained: dict[str, Any], attacks: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    specs = tuple(CellSpec.read(text) for text in attacks)
    experiment = SMALL.model_copy(update={"attacks": specs, "trained": {**SMALL.trained, **trained}})
    with pytest.raises(HashprobeError, match=message):
        run(tmp_path / "out", experiment)
    assert not (tmp_path / "out").exists()


def test_settings_that_a_training_changes_are_two_cells(tmp_path: Path) -> None:
    specs = tuple(CellSpec.read(text) for text in ("CodeGenerator", "CodeGenerator:epsilon=8/255"))
    trained = {**SMALL.trained, "CodeGenerator": {"epsilon": 16 / 255}}
    experiment = SMALL.model_copy(update={"attacks": specs, "trained": trained, "protocols": ("paper",)})
    cells = [cell for cell in Run(experiment, tmp_path, device="cpu").cells if cell.spec.attack]
    assert len({cell.key for cell in cells}) == 2
    names = [cell.spec.planned_row_name(cell.trained, cell.protocol) for cell in cells]
    assert names == ["codegenerator-16of255-paper", "codegenerator-8of255-paper"]


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_names_what_there_is(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name
    for spec in recipe.attacks:
        spec.check()
    parts = {name for spec in recipe.attacks for name in SCALES[recipe.scale].settings_of(spec.needs)}
    assert set(recipe.trained) <= parts
    assert set(recipe.expected_minutes) == {"data", "hash model", "attacks", *parts}
    assert all(protocol in hp.targets.PROTOCOLS for protocol in recipe.protocols)
    json.dumps(recipe.model_dump(mode="json"))
