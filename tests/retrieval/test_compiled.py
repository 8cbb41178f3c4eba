"""What numba keeps on disk is used again, and only while the sources are the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.caching import CacheImpl

from hashprobe import retrieval
from hashprobe.retrieval.kernel.compiled import SOURCES, compiled, fingerprint


@pytest.fixture
def double(tmp_path: Path) -> Callable[[int], int]:
    """A function in a file of its own, beside which numba keeps what it makes."""
    path = tmp_path / "doubling.py"
    path.write_text("def double(number):\n    return 2 * number\n", encoding="utf-8")
    module = ModuleType("doubling")
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return module.double


def hits(function: Callable[[int], int], sources: str) -> int:
    made = compiled(function, sources=sources)
    assert made(21) == 42
    return sum(made.stats.cache_hits.values())


def test_it_is_compiled_again_when_any_source_changes(double: Callable[[int], int]) -> None:
    assert [hits(double, sources) for sources in ("one", "one", "other", "other")] == [0, 1, 0, 1]


def test_a_fingerprint_is_of_every_source(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\n", encoding="utf-8")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "b.py").write_text("B = 1\n", encoding="utf-8")
    assert fingerprint(tmp_path) != before


def test_what_is_on_disk_is_valid_for_every_source_of_the_room(tmp_path: Path) -> None:
    """Whatever a compiled function calls lies in this room, if in another of its folders."""
    room = Path(retrieval.__file__).parent
    assert fingerprint(room) == SOURCES
    (tmp_path / "inner").mkdir()
    before = fingerprint(tmp_path)
    (tmp_path / "inner" / "a.py").write_text("A = 1\n", encoding="utf-8")
    assert fingerprint(tmp_path) != before
    elsewhere = [path for path in room.parent.rglob("*.py") if room not in path.parents]
    assert [
        path.name for path in elsewhere if re.search(r"^@(compiled|n?jit)", path.read_text("utf-8"), re.M)
    ] == []


def test_it_works_where_nothing_may_be_written(
    double: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert hits(double, "one") == 0
    monkeypatch.undo()
    assert hits(double, "one") == 0
    assert hits(double, "one") == 1
