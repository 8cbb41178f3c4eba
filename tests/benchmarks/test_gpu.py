"""The benchmark of a GPU, at a tiny size on the CPU: what it measures, what it does not repeat, and pieces of a training."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hashprobe.cli.main import app
from hashprobe.files import read_json, write_json

FILE = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
TINY = [
    *("--device", "cpu", "--backbone", "squeezenet1_1", "--bits", "16", "--items", "3000", "--images", "2"),
    *("--image-size", "32", "--width", "8", "--batch", "2", "--steps", "2"),
    *("--precision", "float32", "--precision", "bfloat16"),
]


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_measures_each_part_once_and_writes_the_page(gpu: ModuleType, tmp_path: Path) -> None:
    gpu.main([*TINY, "--out", str(tmp_path)])
    found = read_json(tmp_path / "equal.json")
    assert found["counts_equal"]
    assert [one["attack"] for one in found["attacked"]] == ["FGSM", "I-FGSM", "DHTA"]
    assert all(
        (one["equal"], one["bits"], one["linf"]) == (1, 0, 0) for one in found["attacked"]
    )  # the CPU with itself
    speeds = {name: read_json(tmp_path / f"speed-{name}.json") for name in ("float32", "bfloat16")}
    assert all(one["images_a_second"] > 0 for one in speeds.values())
    page = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "are equal to the bit" in page
    assert f"| bfloat16 | {speeds['bfloat16']['images_a_second']:.1f} | – |" in page
    assert "The schedule" not in page  # no data were given
    write_json(tmp_path / "speed-float32.json", {"images_a_second": 123.0, "memory_mebibytes": 7.0})
    gpu.main([*TINY, "--out", str(tmp_path)])
    assert "| float32 | 123.0 | 7 |" in (tmp_path / "gpu.md").read_text(encoding="utf-8")


def test_a_piece_ends_in_time_and_the_next_goes_on(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of hashprobe a program that needs more time than there is at its first start of ``second``."""
    program, log = tmp_path / "program.py", tmp_path / "log.txt"
    program.write_text("import sys; print(sys.argv[1]); sys.exit(sys.argv[1] == 'wrong')", encoding="utf-8")
    monkeypatch.setattr(gpu, "PROGRAM", [sys.executable, str(program)])
    run, starts = subprocess.run, []

    def started(command: list[str], *, timeout: float, **given: Any) -> Any:
        starts.append(command[-1])
        assert 0 < timeout <= 60
        if starts == ["first", "second"]:
            raise subprocess.TimeoutExpired(command, timeout)
        return run(command, timeout=timeout, **given)

    monkeypatch.setattr(gpu.subprocess, "run", started)
    commands = [["first"], ["second"], ["third"]]
    assert gpu.piece(commands, 60.0, log)["finished"] == 1
    assert gpu.piece(commands, 60.0, log)["finished"] == 3
    assert gpu.piece(commands, 0.0, log)["finished"] == 0
    assert starts == ["first", "second", "first", "second", "third"]
    assert log.read_text(encoding="utf-8").split() == ["first", "first", "second", "third"]
    with pytest.raises(subprocess.CalledProcessError):
        gpu.piece([["wrong"]], 60.0, log)


def test_the_schedule_s_commands_are_hashprobe_s_own(gpu: ModuleType, tmp_path: Path) -> None:
    given = gpu.options(
        ["--data", "openmoji", "--data-option", "train=9", "--set", "epochs=2", "--out", str(tmp_path)]
    )
    known = {
        command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands
    }
    for verb, *arguments in gpu.commands(given):
        assert verb in known
        assert "train=9" in arguments
    assert "epochs=2" in gpu.commands(given)[1]
