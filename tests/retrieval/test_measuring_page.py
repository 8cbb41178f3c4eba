"""The worked example of ``docs/measuring.md`` runs as it stands."""

from __future__ import annotations

import doctest
from pathlib import Path


def test_the_worked_example_is_right() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "measuring.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 5
    assert result.failed == 0
