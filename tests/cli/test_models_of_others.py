"""The verbs on models of others: evaluated and attacked by what sees codes, and one sentence for what needs more."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import SCENES, call, rows_of
from PIL import Image

from hashprobe.files import read_json
from hashprobe.hashing import MODELS
from outside_files import onnx_net

FEW = [*SCENES[:3], "queries=3", "--data-option", "database=12", "--data-option", "train=6", "--gallery", 0]
SQUARE = ["--attack", "Square:questions=6,goal=untargeted"]


def test_evaluate_takes_a_perceptual_hash(tmp_path: Path) -> None:
    command = ["evaluate", *FEW, "--model", "dhash,hash_size=4", *SQUARE]
    assert call(*command, "--out", tmp_path / "out") == 0
    rows = {row.attack: row for row in rows_of(tmp_path / "out")}
    assert (rows["Square"].access, rows["Square"].bits) == ("codes", 16)
    assert rows["Square"].questions > 1
    assert rows["Square"].bits_moved is not None
    said = read_json(tmp_path / "out" / "experiment.json")["model"]
    assert (said["bits"], said["source"][:9]) == (16, "dhash of ")


def test_transfer_names_models_after_their_file_and_settings(tmp_path: Path) -> None:
    path = onnx_net(tmp_path / "net.onnx", ("n", 3, 16, 16))
    models = ["--model", f"{path},mean=imagenet", "--model", f"{path},mean=caffe"]
    data = [*FEW[:-2], "--attack", "I-FGSM:steps=2", "--protocol", "disjoint"]
    assert call("transfer", *data, *models, "--out", tmp_path / "out") == 0
    names = {row.row for row in rows_of(tmp_path / "out")}
    assert len(names) == 4
    assert {name.partition("-to-")[2] for name in names} == {
        f"net.onnx-mean-{own}-disjoint" for own in ("imagenet", "caffe")
    }


def test_attack_takes_a_perceptual_hash(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.linear_gradient("L").convert("RGB").resize((32, 32)).save(picture)
    command = [
        "attack",
        picture,
        *FEW[:-2],
        "--model",
        "pdq",
        "--attack",
        "NES:questions=30,samples=10,goal=untargeted",
    ]
    assert call(*command, "--out", tmp_path / "out") == 0
    (found,) = read_json(tmp_path / "out" / "pictures.json")
    assert found["questions"] > 0
    assert (tmp_path / "out" / found["adversarial"]).is_file()


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (
            "blind",
            ["--plugin", "blind.py", "--attack", "FGSM"],
            "FGSM needs gradients, and the attacked model has none",
        ),
        ("phash,size=5", SQUARE, "no setting of such a model is named 'size'"),
        ("net.pt2", SQUARE, "net.pt2 does not exist"),
        ("net.onnx,trusted", SQUARE, "expected NAME=VALUE"),
        ("http://example.org/", SQUARE, "example.org is not this machine"),
        ("command:no-such-program", SQUARE, "cannot be started"),
    ],
)
def test_what_cannot_be_is_said_before_the_folder_is_taken(
    model: str,
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MODELS, "_things", dict(MODELS._things))
    (tmp_path / "blind.py").write_text(
        "from torch import nn\nfrom hashprobe.hashing import MODELS, HashModel\n"
        "MODELS.register('blind')(lambda: HashModel.wrap(nn.Flatten(), bits=8, gradients=False))\n"
    )
    assert call("evaluate", *FEW, "--model", model, *options, "--out", "out") == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
