"""Run directories that the report's tests share; nothing but the report is written to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import HOSTILE, write_run

from hashprobe.report import write_report


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as the quickstart leaves it, small."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def hostile_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with class and file names that try to be markup, formulas and controls."""
    return write_run(tmp_path_factory.mktemp("hostile"), names=HOSTILE)


@pytest.fixture(scope="session")
def reported(run_directory: Path) -> Path:
    """The run's report."""
    return write_report(run_directory)
