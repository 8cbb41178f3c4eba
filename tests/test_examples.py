"""The examples run, as their readers would run them."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

import hashprobe
from hashprobe.attacks import ATTACKS
from hashprobe.cli import main
from hashprobe.defences import DEFENCES
from hashprobe.hashing import BACKBONES, MODELS, HashModel
from hashprobe.targets import GOALS
from helpers import tiny_data

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "wrap_your_own.py"


Scores = Callable[..., dict[str, float]]


@pytest.fixture
def scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Scores]:
    """Run the example with arguments; return what it printed, by name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # So small a network gains little from a second thread and loses much where other work holds the cores.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(*arguments: str) -> dict[str, float]:
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *arguments])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        printed = re.findall(r"^(\w+) +t-MAP (\d\.\d{3})$", capsys.readouterr().out, re.MULTILINE)
        return {name: float(score) for name, score in printed}

    yield run
    torch.set_num_threads(threads)


def test_the_page_on_hash_models_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it shows of backbones, models, transforms and defences of one's own, from top to bottom; the rest needs weights."""
    page = (EXAMPLE.parents[1] / "docs" / "hash-models.md").read_text(encoding="utf-8")
    own = page[page.index("A backbone of one's own") :]
    blocks = re.findall(r"^```python\n(.*?)^```", own, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    for registry in (BACKBONES, MODELS, DEFENCES):
        monkeypatch.setattr(registry, "_things", dict(registry._things))
    monkeypatch.chdir(tmp_path)
    module = ModuleType("hash_models_page")
    module.__dict__.update(hp=hashprobe, data=tiny_data())
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks:
        exec(compile(block, "<docs/hash-models.md>", "exec"), module.__dict__)
    assert HashModel.load("runs/tiny").built_by == "tiny"
    assert BACKBONES["pooled"]("none").features == 64
    assert module.model.training is False


@pytest.mark.usefixtures("_no_plugins")
def test_the_page_on_plugins_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file is a plugin, on the command line and from Python, where it attacks fewer pictures than the page does."""
    page = (EXAMPLE.parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
    mine, script = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    for registry in (ATTACKS, GOALS, MODELS):
        monkeypatch.setattr(registry, "_things", dict(registry._things))
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(mine, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["hashprobe", "list", "attacks", "--plugin", "mine.py"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert re.search(r"^Hinge +One sign step for the bits", capsys.readouterr().out, re.MULTILINE)
    smaller = "image_size=32, seed=0, queries=6, database=60, train=20, cache_dir='cache')"
    assert script.count("image_size=64, seed=0)") == 1
    exec(compile(script.replace("image_size=64, seed=0)", smaller), "<docs/plugins.md>", "exec"), {})
    printed = re.findall(r"^(\S+): (t-MAP|MAP) 0\.\d{3}, chance 0", capsys.readouterr().out, re.MULTILINE)
    assert ("hinge-8of255-disjoint", "t-MAP") in printed
    assert ("hinge-leave-nearest-8of255-untargeted", "MAP") in printed
    assert Path("runs/mine/report.html").is_file()


def test_wrap_your_own_fits_on_a_page() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 40


def test_wrap_your_own_runs_with_random_weights(scores: Scores) -> None:
    found = scores("--queries", "8")
    assert list(found) == ["clean", "attacked", "chance"]
    assert all(0 < score < 1 for score in found.values())


@pytest.mark.real_data
def test_wrap_your_own_moves_real_weights_towards_the_target(scores: Scores, real_data_root: Path) -> None:
    weights = real_data_root / "weights" / "squeezenet1_0-imagenet-fp16.safetensors"
    found = scores("--weights", str(weights), "--queries", "16")
    assert found["attacked"] > found["clean"] + 0.02
