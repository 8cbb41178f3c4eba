from __future__ import annotations

import pytest

from hashprobe.retrieval.kernel import blocks


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 7 items, so that a small database is read in many."""
    monkeypatch.setattr(blocks, "BLOCK_ITEMS", 7)
