"""The whole way walked on a few small scenes: rows, files, repetition, resumption, refusal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hashprobe as hp
from hashprobe.attacks.prosgan import ProSGANSettings
from hashprobe.cli import main
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import ResultRow
from hashprobe.files import read_json, read_json_lines
from hashprobe.hashing import HashTrainingSettings
from hashprobe.recipes import RECIPES, AttackCell, AttackedModel, Experiment, Run
from hashprobe.report import write_report
from hashprobe.targets import PrototypeSettings

SMALL = Experiment(
    name="small",
    title="A few scenes.",
    data="openmoji",
    data_options={"queries": 6, "database": 40, "train": 24},
    image_size=32,
    model=AttackedModel(
        bits=12,
        weights="none",
        training=HashTrainingSettings(epochs=1, batch_size=12, optimizer="adamw", learning_rate=1e-3),
    ),
    prototype=PrototypeSettings(steps=10, hidden=32),
    prosgan=ProSGANSettings(width=8, discriminator_width=8, epochs=2, batch_size=12, residual=True),
    protocols=("paper", "disjoint"),
    attacks=(
        AttackCell(attack="Noise"),
        AttackCell(attack="P2P", settings={"steps": 2}),
        AttackCell(attack="DHTA", settings={"steps": 2}),
        AttackCell(attack="FGSM"),
        AttackCell(attack="I-FGSM", settings={"steps": 2}),
        AttackCell(attack="ProS-GAN", settings={"epsilon": None}),
        AttackCell(attack="ProS-GAN", settings={"epsilon": 8 / 255}, gallery=True),
    ),
    gallery=2,
)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ResultRow]]:
    directory = tmp_path_factory.mktemp("runs") / "first"
    return directory, Run(SMALL, directory, seed=3, device="cpu")()


def without_times(rows: list[ResultRow]) -> list[dict[str, Any]]:
    return [row.without_times() for row in rows]


def test_rows_hold_what_the_contract_names(walked: tuple[Path, list[ResultRow]]) -> None:
    directory, rows = walked
    written = read_json_lines(directory / "results.jsonl")
    assert [ResultRow(**row) for row in written] == rows
    attacks = [
        "Original",
        "P2P code",
        "Anchor code",
        "Prototype code",
        *(cell.attack for cell in SMALL.attacks),
    ]
    assert [row.attack for row in rows] == 2 * attacks
    assert len({row.row for row in rows}) == len(rows)
    for row in rows:
        assert 0 <= row.t_map_low <= row.t_map <= row.t_map_high <= 1
        if row.linf is not None and row.epsilon is not None:
            assert row.linf <= row.epsilon + 1e-6
            assert row.rms is not None
            assert row.rms <= row.linf


def test_the_same_seed_gives_the_same_rows(walked: tuple[Path, list[ResultRow]], tmp_path: Path) -> None:
    _, rows = walked
    assert without_times(Run(SMALL, tmp_path / "again", seed=3, device="cpu")()) == without_times(rows)


def test_a_finished_run_repeats_nothing(
    walked: tuple[Path, list[ResultRow]], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, rows = walked

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("this part was done before")

    monkeypatch.setattr("hashprobe.recipes.parts.train_hash_model", refuse)
    monkeypatch.setattr("hashprobe.recipes.parts.train_generator", refuse)
    monkeypatch.setattr("hashprobe.evaluation.evaluator.Evaluator.attack", refuse)
    assert Run(SMALL, directory, seed=3, device="cpu")() == rows


def test_another_experiment_is_refused_and_nothing_changes(walked: tuple[Path, list[ResultRow]]) -> None:
    directory, _ = walked
    before = (directory / "experiment.json").read_bytes()
    with pytest.raises(HashprobeError, match="holds another experiment"):
        Run(SMALL, directory, seed=4, device="cpu")
    assert (directory / "experiment.json").read_bytes() == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(HashprobeError, match="is not empty and holds no hashprobe experiment"):
        Run(SMALL, tmp_path, device="cpu")


def test_the_picture_in_the_gallery_has_the_code_that_it_says(walked: tuple[Path, list[ResultRow]]) -> None:
    directory, _ = walked
    model = hp.HashModel.load(directory / "hash-model")
    entries = read_json(directory / "gallery" / "gallery.json")["entries"]
    assert len(entries) == 4
    for entry in entries:
        picture = np.asarray(Image.open(directory / "gallery" / entry["adversarial_image"])).transpose(
            2, 0, 1
        )
        assert model.codes(picture[None])[0].tobytes().hex() == entry["code_hex"]
        assert [item["distance"] for item in entry["after"]] == sorted(
            item["distance"] for item in entry["after"]
        )


def test_the_report_is_written(walked: tuple[Path, list[ResultRow]]) -> None:
    directory, _ = walked
    assert "ProS-GAN" in write_report(directory).read_text(encoding="utf-8")


def test_recipes_name_known_attacks_and_protocols() -> None:
    for name in RECIPES:
        recipe = RECIPES[name]
        assert recipe.name == name
        assert all(cell.attack == "ProS-GAN" or cell.attack in hp.attacks.ATTACKS for cell in recipe.attacks)
        assert all(protocol in hp.targets.PROTOCOLS for protocol in recipe.protocols)
        json.dumps(recipe.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "quikstart"], "did you mean 'quickstart'?"),
        (["data", "show", "openmojy"], "did you mean 'openmoji'?"),
        (["report", "no-such-folder"], "no-such-folder"),
        (["reproduce", "flickr25k-64"], "name their folder with --source"),
        (["reproduce", "flickr25k-64", "--source", "no/folder"], "the folder no/folder does not exist"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hashprobe", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert message in said
    assert len(said.strip().splitlines()) == 1
