"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL_DATA = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def real_data_root() -> Path:
    """The folder that holds the real pack (``data/``, ``weights/``), beside the checkout."""
    if not (REAL_DATA / "data").is_dir():
        pytest.skip(f"the real data pack is not at {REAL_DATA}")
    return REAL_DATA
