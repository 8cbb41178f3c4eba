"""What the verbs trained, once for all tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import PROSGAN, SCENES, TRAINING, call


@pytest.fixture
def figures() -> None:
    """Ask for the report's figures as files, which take a second each."""


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "figures" not in request.fixturenames:
        monkeypatch.setattr("hashprobe.report.page.write_figures", lambda *run, **progress: [])


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the verbs trained two hash models, a ProS-GAN against one and a prototype code against the other."""
    folder = tmp_path_factory.mktemp("verbs")
    for bits in (8, 12):
        assert call("train-hash", *SCENES, *TRAINING, "--bits", bits, "--out", folder / f"bits{bits}") == 0
    model = ["--model", folder / "bits12"]
    assert call("train-attack", *SCENES, *model, *PROSGAN, "--out", folder / "prosgan") == 0
    model, settings = ["--model", folder / "bits8"], ["--set", "steps=2", "--set", "hidden=32"]
    assert call("train-attack", "prototype", *SCENES, *model, *settings, "--out", folder / "prototype") == 0
    return folder
