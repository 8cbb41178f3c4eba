"""Plugins: files and installed packages of a user's that register things, here and in the processes of a grid."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hashprobe.errors import HashprobeError
from hashprobe.evaluation.kept_codes import made_by
from hashprobe.experiments.engine import open_engine, run_tasks
from hashprobe.experiments.tasks import how_made
from hashprobe.files import sha256_of
from hashprobe.plugins import (
    executed_plugins,
    load_installed_plugins,
    load_plugins,
    loaded_plugins,
    plugin_sha256,
)

TASK = '''
"""A task that a plugin defines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Mark:
    kind: ClassVar[str] = "mark"

    path: Path

    @property
    def key(self):
        return str(self.path)

    title = key

    def needs(self):
        return ()

    def finished(self):
        return self.path.exists()

    def make(self):
        self.path.write_text(f"{__name__} {self.kind}")
'''


pytestmark = pytest.mark.usefixtures("_no_plugins")


def written(path: Path, code: str) -> Path:
    path.write_text(code, encoding="utf-8")
    return path


def test_a_file_is_a_module_whose_objects_travel_by_pickle(tmp_path: Path) -> None:
    file = written(tmp_path / "my-task.v2.py", TASK)
    (name,) = load_plugins([file])
    assert name.startswith("hashprobe_plugin_my_task_v2_")
    mark = sys.modules[name].Mark(tmp_path / "mark")
    assert pickle.loads(pickle.dumps(mark)) == mark
    assert list(vars(mark)) == ["path"], "a ClassVar is none of the fields"
    assert loaded_plugins() == (file,)


def test_a_file_is_executed_once_by_whatever_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "count.py", f"with open({str(tmp_path / 'log')!r}, 'a') as log: log.write('x')")
    monkeypatch.chdir(tmp_path)
    names = load_plugins([file, "count.py"])
    assert load_plugins([file]) == names[:1]
    assert names[0] == names[1]
    assert (tmp_path / "log").read_text() == "x"


def test_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(written(tmp_path / folder / "same.py", f"place = {folder!r}"))
    assert [sys.modules[name].place for name in load_plugins(files)] == ["a", "b"]


def test_the_fingerprint_is_that_of_the_file_when_it_was_executed(tmp_path: Path) -> None:
    file = written(tmp_path / "one.py", "x = 1")
    (name,) = load_plugins([file])
    first = plugin_sha256(name)
    assert first == sha256_of(b"x = 1")
    written(file, "x = 2")
    assert plugin_sha256(name) == first
    assert plugin_sha256("hashprobe.attacks.fgsm") is None
    assert plugin_sha256("no.such.module") is None


def test_results_say_each_file_as_it_was_executed(tmp_path: Path) -> None:
    files = [tmp_path / folder / "mine.py" for folder in ("b", "a")]
    for number, file in enumerate(files):
        file.parent.mkdir()
        written(file, f"x = {number}")
    load_plugins(files)
    executed = sorted(sha256_of(f"x = {number}") for number in range(2))
    written(files[0], "x = 3")
    files[1].unlink()
    said = {"mine.py": executed[0], "mine.py (2)": executed[1]}
    assert executed_plugins() == how_made(0, torch.device("cpu"))["plugins"] == said
    assert said.items() <= made_by().items()


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("a.py", "x = 1\n\ny = 1 / 0\n", r"a\.py failed in line 3: ZeroDivisionError: division by zero\.$"),
        ("a.py", "x = 1\ndef f(:\n", r"a\.py failed in line 2: SyntaxError: "),
        ("a.py", "import no_such_module\n", r"a\.py failed in line 1: ModuleNotFoundError: No module named"),
        ("a.py", "\nraise SystemExit(3)\n", r"a\.py failed in line 2: SystemExit: 3\.$"),
        (
            "a.py",
            "import json\njson.loads('')\n",
            r"a\.py failed in line 2: JSONDecodeError: Expecting value",
        ),
        ("a.py", "raise ValueError('one\\ntwo')\n", r"a\.py failed in line 1: ValueError: one\.$"),
        ("a.txt", "x = 1\n", r"a\.txt is no Python file; its name must end in \.py\.$"),
        ("a.py", None, r"a\.py cannot be read \(No such file or directory\)\.$"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
    name: str, code: str | None, message: str, tmp_path: Path
) -> None:
    if code is not None:
        written(tmp_path / name, code)
    before = set(sys.modules)
    with pytest.raises(HashprobeError, match=message) as raised:
        load_plugins([tmp_path / name])
    assert "\n" not in str(raised.value)
    assert not [new for new in set(sys.modules) - before if new.startswith("hashprobe_plugin_")]
    assert loaded_plugins() == ()


def installed(folder: Path, module: str, code: str) -> None:
    """Write a package as an installation leaves it in a folder of packages."""
    (folder / module).mkdir(parents=True)
    written(folder / module / "__init__.py", code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    written(info / "METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    written(info / "entry_points.txt", f"[hashprobe.plugins]\nmine = {module}\n")


def test_an_installed_package_is_imported_and_known_by_the_file_of_each_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "installed_one", "from installed_one import inner")
    written(tmp_path / "installed_one" / "inner.py", "x = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "installed_one" in load_installed_plugins()
    assert plugin_sha256("installed_one.inner") == sha256_of(b"x = 1")
    assert plugin_sha256("json") is None


def test_an_installed_package_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "installed_bad", "1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        HashprobeError,
        match=r"the installed plugin 'mine' of installed_bad failed: ZeroDivisionError: division by zero; "
        r"mend or uninstall installed_bad\.",
    ):
        load_installed_plugins()


@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_the_processes_of_a_grid_have_the_same_plugins(engine: str, tmp_path: Path) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    (name,) = load_plugins([written(tmp_path / "task.py", TASK)])
    mark = sys.modules[name].Mark(tmp_path / "mark")
    with open_engine(engine, 1) as opened:
        run_tasks([mark], opened)
    assert mark.path.read_text() == f"{name} mark"


def test_plugins_bring_no_torch() -> None:
    code = "import sys, hashprobe.plugins; print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
