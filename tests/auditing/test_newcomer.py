"""The way of a newcomer, as docs/audit.md has it: a module of one's own, a folder of photographs, five commands."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from photographs import photographs

from hashprobe.auditing import EDITS, Findings
from hashprobe.cli import main
from hashprobe.hashing import MODELS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
SMALLER = {"--questions 1000": "--questions 6 --queries 3 --steps 4"}


@pytest.mark.usefixtures("_no_plugins")
def test_a_newcomer_has_a_report_after_five_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    module = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)[0]
    (block,) = re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    commands = block.splitlines()
    assert len(commands) <= 5
    assert [command.split()[1:3] for command in commands[:2]] == [["-m", "venv"], ["install", "hashprobe"]]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(MODELS, "_things", dict(MODELS._things))
    photographs(tmp_path / "photos", 8)
    Path("mine.py").write_text(module, encoding="utf-8")
    for command in commands[2:]:
        for written, here in SMALLER.items():
            command = command.replace(written, here)
        program, *arguments = command.split()
        assert program == ".venv/bin/hashprobe"
        monkeypatch.setattr(sys, "argv", ["hashprobe", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    found = Findings.read(Path("runs/audit"))
    assert (found.model, found.photographs, found.queries, found.size) == ("mine", 8, 3, 64)
    assert {row.name for row in found.edits} == set(EDITS)
    assert {row.budget for row in found.attacks} == {"8/255"}
    assert "The network of our search" in out
    assert f"{len(EDITS)} edits and 6 attacks on 3 of 8 pictures, with up to 54 questions in all" in out
    assert out.count("This search ") + out.count("No attack that was made works") == 2, "said, and said again"
    assert "Not tested:" in out
    assert 'class="verdict"' in Path("runs/audit/report.html").read_text(encoding="utf-8")
