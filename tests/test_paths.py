"""Wherever a path is taken it may be a ``Path`` or a text, and both do the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hashprobe.attacks import Attack
from hashprobe.data import audit_folder, build_data_set, load, load_folder, read_image
from hashprobe.errors import HashprobeError
from hashprobe.experiments import RECIPES, Run, evaluate
from hashprobe.files import read_json, read_json_lines, replacing, write_json, write_json_lines, write_text
from hashprobe.folders import EXPERIMENT_FILE, FORMAT, claimed, describe, recording
from hashprobe.report import RunRecord, text_report, write_report
from hashprobe.retrieval import open_code_store, write_code_store
from hashprobe.trained import TRAINED
from hashprobe.weights import fitting, load_weights, read_weights, save_weights
from helpers import linear_model, tiny_data, train_tiny

AsPath = Callable[[Path], "str | Path"]

pytestmark = pytest.mark.parametrize("given", [str, Path], ids=["text", "path"])


def test_files(tmp_path: Path, given: AsPath) -> None:
    with replacing(given(tmp_path / "new" / "a.txt")) as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    write_text(given(tmp_path / "b.txt"), "text")
    assert (tmp_path / "b.txt").read_text() == "text"
    write_json(given(tmp_path / "c.json"), [1])
    assert read_json(given(tmp_path / "c.json")) == [1]
    write_json_lines(given(tmp_path / "d.jsonl"), [{"a": 1}])
    assert read_json_lines(given(tmp_path / "d.jsonl")) == [{"a": 1}]
    for read in (read_json, read_json_lines):
        with pytest.raises(HashprobeError, match=r"nowhere\.json does not exist"):
            read(given(tmp_path / "nowhere.json"))


def test_folders(tmp_path: Path, given: AsPath) -> None:
    folder = given(tmp_path / "run")
    with claimed(folder, "one") as found:
        assert found == {}
        describe(folder, "one", {"seed": 3})
    with claimed(folder, "one") as found:
        assert found == {"format": FORMAT, "identity": "one", "seed": 3}
    with pytest.raises(HashprobeError, match="run holds another experiment"), claimed(folder, "other"):
        pass
    with recording(folder, "one", {"seed": 3}, "training"):
        pass
    assert "training" in read_json(tmp_path / "run" / EXPERIMENT_FILE)["seconds"]


def test_weights(tmp_path: Path, given: AsPath) -> None:
    module, other, path = nn.Linear(3, 2), nn.Linear(3, 2), given(tmp_path / "linear.safetensors")
    save_weights(module, path)
    load_weights(other, path, fits="layer")
    torch.testing.assert_close(other.weight, module.weight)
    assert set(read_weights(path)) == {"weight", "bias"}
    with pytest.raises(HashprobeError, match=r"linear\.safetensors does not fit a wider layer"):
        fitting(read_weights(path), nn.Linear(4, 2), path, fits="a wider layer")
    with pytest.raises(HashprobeError, match="does not exist"):
        read_weights(given(tmp_path / "nowhere"))


def test_code_stores(tmp_path: Path, given: AsPath) -> None:
    codes, labels = np.arange(4, dtype=np.uint8).reshape(4, 1), np.eye(4, dtype=np.uint8)
    write_code_store(given(tmp_path / "store.codes"), codes, labels, bits=8, model="m")
    store = open_code_store(given(tmp_path / "store.codes"))
    np.testing.assert_array_equal(store.codes, codes)
    store.verify()


def test_data(tmp_path: Path, given: AsPath) -> None:
    folder, cache = given(tmp_path / "scenes"), given(tmp_path / "cache")
    built = build_data_set("openmoji", None, folder, queries=1, train=2, image_size=32)
    assert built.out == tmp_path / "scenes"
    loaded = load(folder, 32, cache_dir=cache)
    assert load_folder(folder, 32, cache_dir=cache).split_sha256 == loaded.split_sha256
    assert audit_folder(folder, 32).split_sha256 == loaded.split_sha256


def test_images(tmp_path: Path, given: AsPath) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(given(tmp_path / "x.png"), 64), pixels.transpose(2, 0, 1))
    assert read_image(given(tmp_path / "x.png")).shape == (3, 64, 64)
    with pytest.raises(HashprobeError, match=r"y\.png cannot be read"):
        read_image(given(tmp_path / "y.png"), 64)


def test_reports(tmp_path: Path, given: AsPath) -> None:
    for write in (RunRecord.read, write_report, text_report):
        with pytest.raises(HashprobeError, match="nowhere"):
            write(given(tmp_path / "nowhere"))


def test_a_folder_in_the_home_is_found_again(
    tmp_path: Path, given: AsPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home, wanted = given(Path("~/run")), {"attacks": ["Noise"], "protocols": ["paper"], "gallery": 0}
    rows = evaluate(linear_model(), tiny_data(), out=home, report=False, **wanted)  # type: ignore[arg-type]
    trained = train_tiny("prototype", Path("~/prototype"))

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("this was done before")

    monkeypatch.setattr(Attack, "run", refuse)
    monkeypatch.setattr(TRAINED["prototype"], "train", refuse)
    assert evaluate(linear_model(), tiny_data(), out=home, report=False, **wanted) == rows  # type: ignore[arg-type]
    assert write_report(home, figures=False) == tmp_path / "run" / "report.html"
    assert train_tiny("prototype", Path("~/prototype")).sha256() == trained.sha256()
    run = Run(RECIPES["quickstart"], home, device="cpu")
    assert run.directory == run.grid.folder == tmp_path / "run"
