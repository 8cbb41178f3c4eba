"""The benchmark of many codes, on few: what it draws is drawn again, and an exact index has the distances of counting."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hashprobe import retrieval

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "scale.py"


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_scale", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_indexes_are_measured_on_a_store_that_was_written_in_blocks(
    scale: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "BLOCK", 700)
    monkeypatch.setattr(scale, "K", 10)
    scale.write_store(tmp_path / "store", 1500)
    store = retrieval.open_code_store(tmp_path / "store", bits=64)
    assert len(store) == 1500
    np.testing.assert_array_equal(store.codes, np.concatenate([part.codes for part in scale.blocks(1500)]))
    for name in ("scan", "faiss-flat"):
        options = argparse.Namespace(index=[name], store=tmp_path / "store", queries=3)
        got = scale.search_one(options)
        assert (got["equal"], got["recall"], got["lost"]) == (True, 1.0, 0.0)
    monkeypatch.setattr(
        retrieval.INDEXES["faiss-flat"],
        "find",
        lambda index, asked, k: (np.zeros((3, k)), np.full((3, k), 9)),
    )
    with pytest.raises(SystemExit, match="says that it is exact"):
        scale.search_one(options)
