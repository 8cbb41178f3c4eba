"""A recipe that was walked once, for the tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest
import small

from hashprobe.evaluation import ResultRow


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ResultRow]]:
    """The folder of a finished run, and its rows."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    return folder, small.run(folder)
