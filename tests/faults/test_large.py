"""What would take all memory, or never end, is refused with one sentence; a bound is a setting."""

from __future__ import annotations

from pathlib import Path

import large
import pytest
from commands import call
from data_pictures import picture

from hashprobe.bounds import BOUNDS, Bounds, set_bounds
from hashprobe.errors import HashprobeError


@pytest.mark.parametrize("name", large.CASES)
def test_it_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, said = large.CASES[name]
    assert call(*make(tmp_path)) == 2
    printed = capsys.readouterr().err.strip()
    assert said in printed
    assert printed.count("\n") == 0
    assert not (tmp_path / "sheet.png").exists()
    assert not (tmp_path / "out").exists()


def test_a_bound_is_a_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in vars(Bounds()).items():
        monkeypatch.setattr(BOUNDS, name, value)
    for name in ("query", "database", "train"):
        picture(len(name)).save(tmp_path / f"{name}.png")
    rows = "".join(f"{name}.png,{name},1\n" for name in ("query", "database", "train"))
    (tmp_path / "table.csv").write_text("path,split,cat\n" + rows)
    command = ["data", "show", tmp_path / "table.csv", "--image-size", 32, "--out", tmp_path / "sheet.png"]
    assert call("--bound", "image_pixels=1000", *command) == 2
    assert "--bound image_pixels=1920 lets it in" in capsys.readouterr().err
    assert call("--bound", "image_pixels=1920", *command) == 0
    assert call("--bound", "text_bytes=10", *command) == 2
    assert "table.csv cannot be read (it has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image_pixel": 5}, "no bound is named 'image_pixel'; did you mean 'image_pixels'?"),
        ({"image_pixels": 0}, "the bound image_pixels must be a whole number"),
        ({"image_pixels": 5, "text_bytes": "many"}, "the bound text_bytes must be a whole number"),
    ],
)
def test_a_bound_that_cannot_be_set(values: dict[str, object], said: str) -> None:
    before = vars(BOUNDS).copy()
    with pytest.raises(HashprobeError, match=said):
        set_bounds(values)
    assert vars(BOUNDS) == before
