"""The project as a whole: its version, its documents, and which room imports which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import metadata, version
from pathlib import Path
from types import ModuleType

import pytest

import hashprobe
from hashprobe.plugins import load_plugins
from hashprobe.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "hashprobe"
MODULES = sorted(SOURCE.rglob("*.py"))
# The package itself offers every room, so its own __init__ imports from all floors; __main__ starts the command line.
IN_ROOMS = [path for path in MODULES if path not in (SOURCE / "__init__.py", SOURCE / "__main__.py")]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FOUNDATIONS = "foundations"
FLOORS = (
    FOUNDATIONS,
    "results",
    "retrieval",
    "data",
    "hashing",
    "trained",
    "targets",
    "attacks",
    "defences",
    "evaluation",
    "report",
    "auditing",
    "experiments",
    "cli",
)
# A report is made from files: it needs less than its floor would allow.
NARROWER = {"results": {FOUNDATIONS, "results"}, "report": {FOUNDATIONS, "results", "retrieval", "report"}}


def python_blocks(document: Path) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def run_as_module(name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run ``code`` as a module that can be found by name, as dataclasses and pydantic expect of it."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(code, f"<{name}>", "exec"), module.__dict__)
    return module


def room_of(module: str) -> str:
    """The room of a dotted module name; modules beside the rooms are the foundations."""
    parts = module.split(".")
    is_room = len(parts) > 1 and (SOURCE / parts[1]).is_dir()
    return parts[1] if is_room else FOUNDATIONS


def imported_modules(code: str) -> Iterator[str]:
    """What a piece of code imports from hashprobe, as dotted names, wherever in it the import stands."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import; give the whole name"
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "hashprobe" else [base]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "hashprobe")


def forbidden_imports(room: str, code: str) -> list[str]:
    allowed = NARROWER.get(room, set(FLOORS[: FLOORS.index(room) + 1]))
    return [name for name in imported_modules(code) if room_of(name) not in allowed]


@pytest.mark.parametrize("path", IN_ROOMS, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    room = relative.parts[0] if len(relative.parts) > 1 else FOUNDATIONS
    assert room in FLOORS, f"{room} is a new room: give it its floor here and in docs/architecture.md"
    assert forbidden_imports(room, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("room", "code", "found"),
    [
        ("retrieval", "from hashprobe.hashing.models import HashModel", ["hashprobe.hashing.models"]),
        ("retrieval", "def late():\n    import hashprobe.attacks", ["hashprobe.attacks"]),
        (FOUNDATIONS, "from hashprobe import errors, data", ["hashprobe.data"]),
        ("report", "from hashprobe.evaluation import ResultRow", ["hashprobe.evaluation"]),
        ("report", "from hashprobe import retrieval", []),
        ("hashing", "from hashprobe.data import RetrievalData\nimport numpy", []),
        ("attacks", "from hashprobe.targets import PrototypeNet", []),
        ("targets", "from hashprobe.attacks import FGSM", ["hashprobe.attacks"]),
        ("defences", "from hashprobe.attacks import FGSM", []),
        ("trained", "from hashprobe.targets import Goal", ["hashprobe.targets"]),
        ("report", "from hashprobe.experiments import Run", ["hashprobe.experiments"]),
        ("experiments", "from hashprobe.report import write_report", []),
        ("hashing", "from hashprobe.defences import Defence", ["hashprobe.defences"]),
    ],
)
def test_the_floor_check_finds_what_it_should(room: str, code: str, found: list[str]) -> None:
    assert forbidden_imports(room, code) == found


@pytest.mark.parametrize("room", ["results", "retrieval", "data", "report"])
def test_a_room_without_networks_brings_no_torch(room: str) -> None:
    """Who imports only the metrics waits for no networks and keeps none of them in memory."""
    code = f"import sys, hashprobe.{room}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_package_offers_what_it_names() -> None:
    assert set(hashprobe.__all__) <= set(dir(hashprobe))
    for name in hashprobe.__all__:
        assert getattr(hashprobe, name) is not None
    assert hashprobe.HashModel is hashprobe.hashing.HashModel
    with pytest.raises(AttributeError, match="module 'hashprobe' has no attribute 'nothing'"):
        _ = hashprobe.nothing


def test_the_architecture_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms
    assert [room for room in sorted(rooms) if f"`{room}/`" not in page] == []


def test_the_version_is_written_in_one_place() -> None:
    version_line = re.compile(r"^(?:__version__|version)\s*[=:]", re.MULTILINE)
    looked_at = [*MODULES, ROOT / "pyproject.toml", ROOT / "CITATION.cff"]
    holders = [path.name for path in looked_at if version_line.search(path.read_text(encoding="utf-8"))]
    assert holders == ["_version.py"]
    assert hashprobe.__version__ == version("hashprobe")


def test_the_package_says_that_it_is_typed_and_under_which_licence() -> None:
    assert (SOURCE / "py.typed").is_file()
    assert metadata("hashprobe")["License-Expression"] == "Apache-2.0"


def test_the_changelog_has_an_unreleased_section_with_entries() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    assert section, "CHANGELOG.md needs a section '## [Unreleased]'"
    assert re.search(r"^### (Added|Changed|Fixed|Removed|Deprecated|Security)\n+- ", section[1], re.MULTILINE)


def test_the_source_names_only_addresses_of_papers_and_drawings() -> None:
    """Nothing is downloaded at run time, and no mirror or package registry is wired in."""
    known = {"openmoji.org", "doi.org", "arxiv.org", "creativecommons.org", "www.w3.org", "127.0.0.1"}
    named = {}
    for path in sorted(
        path for path in SOURCE.rglob("*") if path.is_file() and path.parent.name != "__pycache__"
    ):
        text = path.read_text(encoding="utf-8")
        hosts = set(re.findall(r"\b(?:https?|ftp)://([\w.-]+)", text)) - known
        if hosts or re.search(r"index[-_]url", text):
            named[str(path.relative_to(SOURCE))] = hosts
    assert named == {}


SET_UP = ("Makefile", ".ci/run", ".github/workflows/test.yml", "pyproject.toml", ".pre-commit-config.yaml")


@pytest.mark.parametrize("name", SET_UP)
def test_the_set_up_takes_packages_from_wherever_the_machine_does(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"index[-_]url|\b(?:https?|ftp)://", text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_the_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (document.parent / target).exists()] == []


def test_the_readme_snippet_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands, but on few pictures, against an untrained model and with two steps."""
    (snippet,) = python_blocks(ROOT / "README.md")
    hashprobe.HashModel.build("squeezenet1_0", bits=16, seed=0).save(tmp_path / "model")
    smaller = f"image_size=32, seed=0, queries=8, database=40, train=20, cache_dir={str(tmp_path)!r})"
    changes = {
        "image_size=64, seed=0)": smaller,
        '"runs/quickstart/hash-model"': repr(str(tmp_path / "model")),
        "steps=100": "steps=2",
    }
    for written, here in changes.items():
        assert snippet.count(written) == 1, f"README.md: {written!r} is to stand in the snippet once"
        snippet = snippet.replace(written, here)
    run_as_module("readme_snippet", snippet, monkeypatch)
    scores = [
        float(score) for score in re.findall(r"^t-MAP (\d\.\d{3})$", capsys.readouterr().out, re.MULTILINE)
    ]
    assert len(scores) == 2
    assert all(0 < score < 1 for score in scores)


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CONTRIBUTIONS = re.findall(r"^## How to add (.*)$", CONTRIBUTING, re.MULTILINE)


@pytest.mark.parametrize("number", range(len(CONTRIBUTIONS)), ids=CONTRIBUTIONS)
@pytest.mark.usefixtures("_no_plugins")
def test_each_how_to_add_is_whole(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file, used as a plugin, registers and its test passes; what it registered is forgotten afterwards."""
    from hashprobe import attacks, data, defences, experiments, hashing, retrieval, targets, trained
    from hashprobe.experiments import paper

    registries: list[Registry[object]] = [
        attacks.ATTACKS,
        data.DATA_SETS,
        defences.DEFENCES,
        experiments.RECIPES,
        hashing.BACKBONES,
        hashing.HASH_LOSSES,
        hashing.MODELS,
        paper.EXHIBITS,
        retrieval.INDEXES,
        targets.CODES,
        targets.GOALS,
        targets.PROTOCOLS,
        trained.TRAINED,
    ]  # type: ignore[list-item]
    for registry in registries:
        monkeypatch.setattr(registry, "_things", dict(registry._things))
    known = sum(len(registry) for registry in registries)
    blocks = python_blocks(ROOT / "CONTRIBUTING.md")
    assert len(blocks) == len(CONTRIBUTIONS)
    file = tmp_path / "contribution.py"
    file.write_text(blocks[number], encoding="utf-8")
    (name,) = load_plugins([file])
    assert sum(len(registry) for registry in registries) > known, "it registers something"
    tests = [value for own, value in vars(sys.modules[name]).items() if own.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


@pytest.mark.parametrize("target", ["quickstart", "test", "lint", "format", "clean"])
def test_make_can_plan(target: str) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert planned.returncode == 0, planned.stderr


def test_make_says_what_it_needs_where_python_is_too_old_or_missing(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    command = ["make", "quickstart", f"PYTHON=no-such-python {old}", f"VENV={tmp_path / 'venv'}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "hashprobe needs Python 3.11 or newer with its venv module" in made.stderr
    assert not (tmp_path / "venv").exists()
