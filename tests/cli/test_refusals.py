"""What the verbs say to bad input: one sentence, before an output folder is taken, so that the mended command goes on there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import PROSGAN, SCENES, TRAINING, call, rows_of
from filelock import FileLock
from PIL import Image

from hashprobe.cli.options import load_data
from hashprobe.evaluation import CellSpec
from hashprobe.files import read_json, write_json
from hashprobe.settings_text import read_value


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that is to be refused; return its one sentence."""
    capsys.readouterr()
    assert call(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("hashprobe: ")
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train-hash", "--bits", "0"], "--bits"),
        (["train-hash", "--model", "own", "--caffe"], "--caffe is of weights for a backbone"),
        (["train-hash", "--bitz", "3"], "No such option: --bitz"),
        (["train-hash", "--set", "epochs"], "expected NAME=VALUE"),
        (["train-hash", "--set", "epoch=3"], "did you mean 'epochs'?"),
        (["train-hash", "--set", "epochs=many"], "epochs: Input should be a valid integer"),
        (["train-hash", "--set", "loss=nope", "--weights", "none"], "no hash loss is named 'nope'"),
        (["train-hash", "--set", 'loss_settings={"eda": 1}', "--weights", "none"], "has no setting 'eda'"),
        (["train-hash", "--scale", "cpus"], "did you mean 'cpu'?"),
        (
            ["train-hash", "--model", "own"],
            "no model is named 'own'. Known: ahash, dhash, pdq, phash, whash.",
        ),
        (["train-hash", "--weights", "none", "--defence", "nope"], "no defence is named 'nope'"),
        (
            ["train-hash", "--weights", "none", "--device", "nonsense"],
            "device 'nonsense' cannot be used here",
        ),
        (
            ["train-hash", "--backbone", "efficientnet_lite00", "--weights", "none", *SCENES],
            "efficientnet_lite0",
        ),
        (
            ["train-hash", "--weights", "none", "--data-option", "querys=3"],
            "did you mean 'queries'?",
        ),
        (["train-attack", "--model", "nowhere"], "nowhere is neither a folder nor a registered model"),
        (["train-attack", "ProSGAN"], "did you mean 'ProS-GAN'?"),
        (["train-attack", "--set", "epoch=1"], "did you mean 'epochs'?"),
        (["train-attack", "--set", "prototype.step=1"], "did you mean 'steps'?"),
        (["train-attack", "--set", "prototipe.steps=1"], "did you mean 'prototype'?"),
        (["evaluate", "--model", "nowhere"], "nowhere"),
        (["evaluate", "--device", "nonsense"], "device 'nonsense' cannot be used here"),
        (["transfer", "--model", "nowhere"], "nowhere"),
        (["transfer", "--model", "here", "--model", "./here"], "a model is given twice"),
        (["attack", "nothing.png", "--target", "dog", "--model", "nowhere"], "nowhere"),
        (["bench", "retrival"], "did you mean 'retrieval'?"),
        (["bench", "--queries", "0"], "queries must be a whole number of at least 1"),
        (["bench", "--seed", "-1"], "seed must be a whole number of at least 0"),
        (["bench", "--bits", "2000"], "bits must be a whole number from 1 to 1024"),
        (["bench", "--classes", "2000"], "classes must be a whole number from 1 to 1024"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--protocol", "papr"], "no target label protocol is named 'papr'; did you mean 'paper'?"),
        (["--attack", "FGMS"], "no attack is named 'FGMS'; did you mean 'FGSM'?"),
        (["--attack", "FGSM:code=ankor"], "no target code is named 'ankor'; did you mean 'anchor'?"),
        (["--attack", "FGSM:goal=untarget"], "no goal is named 'untarget'; did you mean 'untargeted'?"),
        (["--attack", "FGSM:goal=none"], "no goal is named 'none'"),
        (["--attack", "I-FGSM:step=2"], "no setting of I-FGSM is named 'step'; did you mean 'steps'?"),
        (["--attack", "I-FGSM:steps=few"], "I-FGSM: steps must be a whole number; found 'few'."),
        (["--attack", "I-FGSM:steps=2.5"], "I-FGSM: steps must be a whole number; found 2.5."),
        (["--attack", "I-FGSM:steps=none"], "I-FGSM: steps must be a whole number; found None."),
        (["--attack", "I-FGSM:epsilon=much"], "I-FGSM: epsilon must be a number or none; found 'much'."),
        (["--attack", "I-FGSM:steps=[1]"], "I-FGSM: steps must be one value; found [1]."),
        (["--attack", "I-FGSM:steps=0"], "steps must be a whole number of at least 1"),
        (["--attack", "FGSM:epsilon=none"], "FGSM steps by epsilon, so it has no unbounded form"),
        (["--attack", "FGSM:code=none"], "FGSM needs a code to reach or to leave"),
        (["--attack", "FGSM:code=own"], "code=own is where a query is"),
        (["--attack", "FGSM", "--attack", "FGSM:goal=targeted"], "FGSM is given twice"),
        (["--attack", "FGSM:code=prototype"], "prototype has to be trained first"),
        (["--attack", "ProS-GAN"], "ProS-GAN has to be trained first"),
        (
            ["--attack", "ProS-GAN:goal=untargeted"],
            "ProS-GAN has no untargeted form; its goal must be targeted.",
        ),
        (["--index", "faiss-hsnw"], "no search index is named 'faiss-hsnw'; did you mean 'faiss-hnsw'?"),
        (
            ["--index", "faiss-hnsw:width=3"],
            "the search index 'faiss-hnsw' has no setting 'width'; it has links",
        ),
        (["--index", "faiss-hnsw:links=many"], "links must be a whole number from 2 to 1024; found 'many'."),
        (["--index", "scan:links=3"], "the search index 'scan' has no setting 'links'; it has none."),
        (["--top-k", "0"], "--top-k"),
        (["--data-option", "classes=2"], "classes"),
    ],
)
def test_evaluate_refuses_before_it_takes_the_folder(
    options: list[str],
    message: str,
    walked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def compute(*arguments: object, **keywords: object) -> None:
        raise AssertionError("nothing is computed for a command that is refused")

    monkeypatch.setattr("hashprobe.hashing.HashModel.codes", compute)
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--out", tmp_path / "out"]
    assert message in refused(capsys, *command, *options)
    assert not (tmp_path / "out").exists()


def test_the_mended_command_goes_on_in_the_same_folder(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--gallery", 0, "--out", tmp_path / "out"]
    refused(capsys, *command, "--attack", "FGSM", "--protocol", "papr")
    refused(capsys, *command, "--attack", "FGSM", "--index", "nope")
    assert call(*command, "--attack", "FGSM", "--protocol", "paper") == 0
    assert "holds another experiment" in refused(capsys, *command, "--attack", "FGSM", "--protocol", "single")
    assert {row.protocol for row in rows_of(tmp_path / "out")} == {"paper"}


def test_another_training_is_refused(walked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train-hash", *SCENES, *TRAINING, "--bits", 9, "--out", walked / "bits8"]
    assert "holds another experiment" in refused(capsys, *command)
    command = ["train-attack", *SCENES, "--model", walked / "bits12", *PROSGAN, "--out", walked / "prosgan"]
    assert "holds another experiment" in refused(capsys, *command, "--set", "hamming=2")
    assert read_json(walked / "prosgan" / "trained.json")["settings"]["hamming"] != 2


def test_what_one_verb_wrote_is_no_folder_for_another(
    walked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "FGSM", "--out"]
    assert "holds another experiment" in refused(capsys, *command, walked / "bits8")
    command = ["train-attack", *SCENES, "--model", walked / "bits8", "--trained", walked / "bits8"]
    said = refused(capsys, *command, "--out", walked / "nothing")
    assert "holds nothing that was trained (trained.json is missing)" in said
    assert not (walked / "nothing").exists()


def test_what_was_trained_against_another_model_is_not_trained_with(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train-attack", *SCENES, "--model", walked / "bits12", *PROSGAN, "--out", tmp_path / "out"]
    said = refused(capsys, *command, "--trained", walked / "prototype")
    assert "this prototype was trained against another model" in said
    assert not (tmp_path / "out").exists()


def test_what_was_trained_for_other_pictures_is_refused(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = ["--image-size", 40, *SCENES[2:], "--model", walked / "bits12", "--trained", walked / "prosgan"]
    said = refused(capsys, "evaluate", *larger, "--attack", "ProS-GAN", "--out", tmp_path / "out")
    assert "this ProS-GAN was trained for images of 32 pixels" in said
    assert not (tmp_path / "out").exists()


def test_folders_of_an_earlier_version_are_refused(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits12", "--attack", "ProS-GAN", "--gallery", 0]
    (tmp_path / "old").mkdir()
    write_json(tmp_path / "old" / "experiment.json", {"identity": "0" * 64, "title": "older"})
    said = refused(capsys, *command, "--trained", walked / "prosgan", "--out", tmp_path / "old")
    assert "was written by another version of hashprobe" in said
    assert [file.name for file in (tmp_path / "old").iterdir()] == ["experiment.json"]
    (tmp_path / "prosgan").mkdir()
    write_json(tmp_path / "prosgan" / "prosgan.json", {"format": "hashprobe.prosgan/1"})
    said = refused(capsys, *command, "--trained", tmp_path / "prosgan", "--out", tmp_path / "out")
    assert "what an earlier version wrote has to be trained again" in said
    assert not (tmp_path / "out").exists()


def test_a_second_command_in_the_same_folder_is_refused(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "FGSM", "--gallery", 0]
    command += ["--protocol", "paper", "--out", tmp_path]
    with FileLock(tmp_path / ".lock"):
        said = refused(capsys, *command)
    assert f"another hashprobe command is working in {tmp_path}" in said
    assert not (tmp_path / "experiment.json").exists()
    assert call(*command) == 0


def test_a_killed_command_leaves_no_lock(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = (
        "import os, sys\n"
        "from hashprobe.folders import claimed\n"
        f"with claimed({str(tmp_path)!r}, 'other'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "FGSM", "--gallery", 0]
    command += ["--protocol", "paper", "--out", tmp_path]
    with subprocess.Popen(
        [sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert "another hashprobe command is working in" in refused(capsys, *command)
        other.kill()
    assert call(*command) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "I-FGSM is targeted here: say with --target"),
        (["--target", "dog", "--attack", "I-FGSM:goal=untargeted"], "I-FGSM is untargeted here"),
        (["--target", "dogg"], "no class is named 'dogg'; did you mean 'dog'?"),
        (["--target", "dog", "--index", "nope"], "no search index is named 'nope'"),
        (["--target", "dog", "--attack", "ProS-GAN"], "ProS-GAN has to be trained first"),
        (["--target", "dog", "--attack", "FGSM:code=prototype"], "prototype has to be trained first"),
        (
            ["--attack", "FGSM:goal=untargeted,code=anchor"],
            "needs the labels of the queries, which are not known",
        ),
    ],
)
def test_attack_refuses_before_it_takes_the_folder(
    options: list[str], message: str, walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "grey.png"
    Image.fromarray(np.full((32, 32, 3), 128, dtype=np.uint8)).save(picture)
    command = ["attack", picture, "--model", walked / "bits8", *SCENES, "--out", tmp_path / "out"]
    assert message in refused(capsys, *command, *options)
    assert not (tmp_path / "out").exists()


def test_transfer_needs_two_models(walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["transfer", *SCENES, "--out", tmp_path / "out", "--model", walked / "bits8"]
    assert "transfer needs at least two models; found 1." in refused(capsys, *command)
    assert "a model is given twice" in refused(capsys, *command, "--model", f"{walked}/./bits8")
    assert not (tmp_path / "out").exists()


def test_a_damaged_cell_is_named(walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "FGSM", "--gallery", 0]
    command += ["--protocol", "paper", "--out", tmp_path]
    assert call(*command) == 0
    before = rows_of(tmp_path)
    (cell,) = tmp_path.glob("cells/fgsm-*.json")
    cell.write_text(json.dumps({"format": "hashprobe.cell/1", "rows": []}), encoding="utf-8")
    assert f"{cell} is damaged; delete it, and the cell is measured again." in refused(capsys, *command)
    cell.unlink()
    assert call(*command) == 0
    assert [row.without_times() for row in rows_of(tmp_path)] == [row.without_times() for row in before]


@pytest.mark.parametrize(
    ("text", "value"),
    [("8/255", 8 / 255), ("none", None), ("3", 3), ("true", True), ("cosine", "cosine"), ("1/0", "1/0")],
)
def test_values_are_read_as_they_look(text: str, value: object) -> None:
    assert read_value(text) == value


def test_an_attack_is_read_with_its_settings() -> None:
    cell = CellSpec.read("DHTA:steps=50,epsilon=4/255,code=p2p,goal=untargeted")
    assert (cell.attack, cell.code, cell.goal) == ("DHTA", "p2p", "untargeted")
    assert cell.settings == {"steps": 50, "epsilon": 4 / 255}


def test_options_of_a_data_set_are_its_arguments() -> None:
    data = load_data("openmoji", 32, 0, ["queries=6", "database=40", "train=24"])
    assert (len(data.query), len(data.database), len(data.train)) == (6, 40, 24)
