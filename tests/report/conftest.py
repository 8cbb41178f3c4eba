"""Run directories that the report's tests share; nothing but the report is written to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import HOSTILE, write_run

from hashprobe.report.page import render
from hashprobe.report.run import RunRecord


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as the quickstart leaves it, small."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def hostile_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with class and file names that try to be markup, formulas and controls."""
    return write_run(tmp_path_factory.mktemp("hostile"), names=HOSTILE)


@pytest.fixture(scope="session")
def mixed_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with targeted and untargeted rows."""
    return write_run(tmp_path_factory.mktemp("mixed"), untargeted=True)


@pytest.fixture(scope="session")
def reported(run_directory: Path) -> Path:
    """The run's page; its figures, which take longer, are written in the test of them."""
    path = run_directory / "report.html"
    path.write_text(render(RunRecord.read(run_directory)), encoding="utf-8")
    return path
