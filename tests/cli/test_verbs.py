"""The verbs, walked one after the other on a few small scenes; and what they say to bad input."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

import hashprobe as hp
from hashprobe.cli import main
from hashprobe.cli.options import read_attack, read_value
from hashprobe.evaluation import ResultRow
from hashprobe.files import read_json, read_json_lines

SCENES = [
    "--image-size",
    "32",
    *(part for size in ("queries=6", "database=40", "train=24") for part in ("--data-option", size)),
]
TRAINING = ["--weights", "none", "--set", "epochs=1", "--set", "batch_size=12"]


def call(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    before = sys.argv
    sys.argv = ["hashprobe", *map(str, arguments)]
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    finally:
        sys.argv = before
    raise AssertionError("main() always exits")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two hash models and a ProS-GAN were trained by the verbs."""
    folder = tmp_path_factory.mktemp("verbs")
    for bits in (8, 12):
        assert call("train-hash", *SCENES, *TRAINING, "--bits", bits, "--out", folder / f"bits{bits}") == 0
    settings = ["--set", "epochs=1", "--set", "width=8", "--set", "decoder_width=none"]
    prototype = ["--prototype", "steps=10", "--prototype", "hidden=32"]
    model = ["--model", folder / "bits12"]
    assert call("train-attack", *SCENES, *model, *settings, *prototype, "--out", folder / "prosgan") == 0
    return folder


def test_trainings_leave_what_the_library_loads(walked: Path) -> None:
    assert hp.HashModel.load(walked / "bits8").bits == 8
    assert hp.attacks.ProSGAN.load(walked / "prosgan", bits=12).image_size == 32
    described = read_json(walked / "prosgan" / "experiment.json")
    assert described["settings"]["prosgan"]["epochs"] == 1
    assert not list(walked.glob("*/checkpoint.safetensors"))


def test_a_finished_training_is_not_repeated(walked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("this was trained before")

    monkeypatch.setattr("hashprobe.recipes.parts.train_hash_model", refuse)
    assert call("train-hash", *SCENES, *TRAINING, "--bits", 8, "--out", walked / "bits8") == 0


def test_another_training_is_refused(walked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train-hash", *SCENES, *TRAINING, "--bits", 9, "--out", walked / "bits8") == 2
    assert "holds another experiment" in capsys.readouterr().err
    assert hp.HashModel.load(walked / "bits8").bits == 8


def test_evaluate_writes_rows_and_a_report(walked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attacks = ["--attack", "I-FGSM:steps=2,code=p2p", "--attack", "ProS-GAN:epsilon=8/255"]
    command = ["evaluate", *SCENES, "--model", walked / "bits12", "--prosgan", walked / "prosgan", *attacks]
    command += ["--protocol", "disjoint", "--gallery", 2, "--out", walked / "rows"]
    assert call(*command) == 0
    rows = [ResultRow(**row) for row in read_json_lines(walked / "rows" / "results.jsonl")]
    assert [row.attack for row in rows] == [
        "Original",
        "P2P code",
        "Anchor code",
        "Prototype code",
        "I-FGSM",
        "ProS-GAN",
    ]
    assert rows[4].code == "p2p"
    assert rows[5].linf is not None
    assert rows[5].linf <= 8 / 255 + 1e-6
    assert (walked / "rows" / "report.html").stat().st_size > 10_000
    capsys.readouterr()
    assert call("report", walked / "rows", "--text") == 0
    assert "ProS-GAN" in capsys.readouterr().out


def test_a_killed_evaluation_goes_on_with_the_same_command(
    walked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attacks = ["--attack", "FGSM", "--attack", "I-FGSM:steps=2"]
    command = [
        "evaluate",
        *SCENES,
        "--model",
        walked / "bits8",
        *attacks,
        "--protocol",
        "paper",
        "--gallery",
        0,
    ]
    command += ["--out", walked / "killed"]
    whole, calls = hp.evaluation.Evaluator.attack, []

    def stop_at_the_second(self: hp.evaluation.Evaluator, *arguments: Any, **keywords: Any) -> Any:
        calls.append(keywords["title"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, *arguments, **keywords)

    monkeypatch.setattr(hp.evaluation.Evaluator, "attack", stop_at_the_second)
    assert call(*command) == 130
    assert call(*command) == 0
    assert calls == ["fgsm-8of255-paper", "i-fgsm-8of255-steps2-paper", "i-fgsm-8of255-steps2-paper"]
    took = read_json(walked / "killed" / "experiment.json")["seconds"]
    assert call(*command) == 0  # there is nothing left to do, and the time that it took is still said
    assert len(calls) == 3
    assert read_json(walked / "killed" / "experiment.json")["seconds"]["attacks"] >= took["attacks"]


def test_another_training_of_prosgan_is_another_experiment(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(walked / "prosgan", tmp_path / "other")
    weights = load_file(other / "generator.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, other / "generator.safetensors")
    command = ["evaluate", *SCENES, "--model", walked / "bits12", "--attack", "ProS-GAN", "--gallery", 0]
    command += ["--protocol", "paper", "--out", tmp_path / "rows"]
    assert call(*command, "--prosgan", walked / "prosgan") == 0
    assert call(*command, "--prosgan", other) == 2
    assert "holds another experiment" in capsys.readouterr().err


def test_transfer_tells_attacks_apart_by_their_budget(walked: Path) -> None:
    models = ["--model", walked / "bits8", "--model", walked / "bits12"]
    attacks = ["--attack", "I-FGSM:steps=2", "--attack", "I-FGSM:steps=2,epsilon=none"]
    assert call("transfer", *SCENES, *models, *attacks, "--out", walked / "budgets") == 0
    rows = read_json_lines(walked / "budgets" / "results.jsonl")
    assert len({row["row"] for row in rows}) == 8
    assert {row["epsilon"] for row in rows} == {8 / 255, None}
    assert len({link["attack"] for link in read_json_lines(walked / "budgets" / "transfer.jsonl")}) == 2


def test_transfer_scores_every_attack_on_every_model(walked: Path) -> None:
    models = ["--model", walked / "bits8", "--model", walked / "bits12"]
    command = ["transfer", *SCENES, *models, "--attack", "I-FGSM:steps=2", "--out", walked / "transfer"]
    assert call(*command) == 0
    links = read_json_lines(walked / "transfer" / "transfer.jsonl")
    assert [(link["from"], link["to"], link["bits_to"]) for link in links] == [
        ("bits8", "bits8", 8),
        ("bits8", "bits12", 12),
        ("bits12", "bits8", 8),
        ("bits12", "bits12", 12),
    ]
    rows = [ResultRow(**row) for row in read_json_lines(walked / "transfer" / "results.jsonl")]
    assert [row.model == row.attacked_model for row in rows] == [True, False, False, True]
    # On the attacked model itself, transfer says what evaluate says.
    direct = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "I-FGSM:steps=2"]
    assert call(*direct, "--protocol", "disjoint", "--gallery", 0, "--out", walked / "direct") == 0
    own = read_json_lines(walked / "direct" / "results.jsonl")[-1]
    assert (own["t_map"], own["t_map_png"]) == (rows[0].t_map, rows[0].t_map_png)
    assert all(row.t_map_png is not None for row in rows)


def test_attack_writes_the_pictures_that_it_measured(walked: Path, tmp_path: Path) -> None:
    picture = tmp_path / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    out = tmp_path / "out"
    command = ["attack", picture, "--target", "dog", "--model", walked / "bits12", *SCENES]
    assert call(*command, "--attack", "I-FGSM:steps=2,epsilon=4/255", "--out", out) == 0
    (found,) = read_json(out / "pictures.json")
    written = np.asarray(Image.open(out / found["adversarial"])).astype(int)
    clean = hp.data.read_image(picture, 32).transpose(1, 2, 0).astype(int)
    assert found["linf"] * 255 == pytest.approx(np.abs(written - clean).max())
    assert 0 < found["linf"] * 255 <= 4 + 1e-6
    assert len(found["nearest"]) == 10


def test_data_is_built_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--queries", 4, "--train", 8, "--image-size", 32]
    assert call("data", "build", "openmoji", "--out", tmp_path / "scenes", *sizes) == 0
    check = [
        "data",
        "check",
        "--data",
        tmp_path / "scenes",
        "--image-size",
        32,
        "--out",
        tmp_path / "audit.json",
    ]
    assert call(*check) == 0
    assert read_json(tmp_path / "audit.json")["images"]["query"] == 4
    # A query that is listed in the database too is an error, and said as one.
    for kind in ("img", "label"):
        queries = (tmp_path / "scenes" / f"test_{kind}.txt").read_text().splitlines()
        with (tmp_path / "scenes" / f"database_{kind}.txt").open("a") as file:
            file.write(queries[0] + "\n")
    capsys.readouterr()
    assert call(*check) == 1
    assert "error" in capsys.readouterr().out


def test_bench_prints_ratios(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = ["--queries", 4, "--database", 200, "--repeats", 1, "--threads", 1]
    assert call("bench", "retrieval", *sizes, "--out", tmp_path / "bench.json") == 0
    assert "times ours" in capsys.readouterr().out
    assert read_json(tmp_path / "bench.json")["database"] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train-hash", "--bits", "0"], "--bits"),
        (["train-hash", "--bitz", "3"], "No such option: --bitz"),
        (["train-hash", "--set", "epochs"], "expected NAME=VALUE"),
        (["train-hash", "--set", "epoch=3"], "did you mean 'epochs'?"),
        (["train-hash", "--set", "epochs=many"], "epochs: Input should be a valid integer"),
        (["train-hash", "--scale", "cpus"], "did you mean 'cpu'?"),
        (
            ["train-hash", "--backbone", "efficientnet_lite00", "--weights", "none", *SCENES],
            "efficientnet_lite0",
        ),
        (["train-hash", "--data", "openmoji", "--data-option", "querys=3"], "did you mean 'queries'?"),
        (["train-attack", "--model", "nowhere"], "nowhere"),
        (["evaluate", "--model", "nowhere"], "nowhere"),
        (["evaluate", "--attack", "I-FGSM:steps=few"], "steps must be a number"),
        (["transfer", "--model", "nowhere"], "nowhere"),
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
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_wrong_attack_setting_is_named(walked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--out", walked / "refused"]
    assert call(*command, "--attack", "I-FGSM:step=2") == 2
    assert "did you mean 'steps'?" in capsys.readouterr().err
    assert call(*command, "--attack", "FGSM", "--attack", "FGSM") == 2
    assert "is given twice" in capsys.readouterr().err
    assert call(*command, "--attack", "ProS-GAN") == 2
    assert "has to be trained first" in capsys.readouterr().err
    assert not (walked / "refused").exists()


@pytest.mark.parametrize(
    ("text", "value"),
    [("8/255", 8 / 255), ("none", None), ("3", 3), ("true", True), ("cosine", "cosine"), ("1/0", "1/0")],
)
def test_values_are_read_as_they_look(text: str, value: object) -> None:
    assert read_value(text) == value


def test_an_attack_is_read_with_its_settings() -> None:
    cell = read_attack("DHTA:steps=50,epsilon=4/255,code=p2p")
    assert (cell.attack, cell.code, cell.settings) == ("DHTA", "p2p", {"steps": 50, "epsilon": 4 / 255})
