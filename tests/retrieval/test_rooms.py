"""Within ``retrieval/`` too, what stands below knows nothing of what stands above."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hashprobe import retrieval

ROOM = Path(retrieval.__file__).parent
FLOORS = (
    "arrays",
    "codes",
    "labels",
    "ranking",
    "kernel",
    "levels",
    "flips",
    "search",
    "metrics",
    "indexes",
    "store",
    "memory",
    "bench",
)
MODULES = sorted(path for path in ROOM.rglob("*.py") if path != ROOM / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOM)))
def test_it_imports_only_from_floors_below(path: Path) -> None:
    floor = path.relative_to(ROOM).parts[0].removesuffix(".py")
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    modules = [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
    used = {module.split(".")[2] for module in modules if module.startswith("hashprobe.retrieval.")}
    assert "hashprobe.retrieval" not in modules, "import from the module that holds it"
    assert [one for one in used if FLOORS.index(one) > FLOORS.index(floor)] == []
