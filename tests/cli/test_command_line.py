"""The command line as a whole: what starts at once, what it says before any verb, what every verb has."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from commands import call

import hashprobe
from hashprobe.cli.list import KINDS
from hashprobe.cli.main import app
from hashprobe.cli.printing import say
from hashprobe.data.building import OFFICIAL_DATA_SETS
from hashprobe.registry import Registry

# Newer versions of typer read options with pydantic, which is then theirs: it is looked for where they have not brought it.
HEAVY = ("torch", "numpy", "pydantic", "matplotlib", "faiss", "PIL", "rich.console")
MAIN = typer.main.get_command(app)


def verbs() -> dict[str, Any]:
    """Every verb as it is typed, with its command."""
    found: dict[str, Any] = {}
    for name, command in MAIN.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            found |= {f"{name} {inner}": verb for inner, verb in command.commands.items()}
        else:
            found[name] = command
    return found


def examples(command: Any) -> list[str]:
    lines = [line.strip() for line in command.help.splitlines()]
    return [line.removeprefix("Example: ") for line in lines if line.startswith("Example: ")]


def brought_by(*arguments: str, **environment: str) -> tuple[str, list[str]]:
    """Run the command line in a process of its own; return what it printed, and which heavy modules it imported."""
    code = f"""
import sys
sys.argv = ["hashprobe", *{arguments!r}]
from hashprobe.cli import main
try:
    main()
except SystemExit:
    print()
    brought = {{"pydantic"}} if "typer._adapters" in sys.modules else set()
    print([name for name in {HEAVY!r} if name in sys.modules and name not in brought])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    said, _, heavy = done.stdout.rstrip().rpartition("\n")
    return said.strip(), ast.literal_eval(heavy)


@pytest.mark.parametrize("verb", ["", "data", *verbs()])
def test_help_imports_only_what_it_prints(verb: str) -> None:
    said, heavy = brought_by(*verb.split(), "--help")
    assert said.startswith(f"Usage: hashprobe {verb}".rstrip())
    assert heavy == []


def test_version_is_an_option_and_imports_nothing() -> None:
    assert brought_by("--version") == (f"hashprobe {hashprobe.__version__}", [])


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("hashprobe tr", ["train-hash", "train-attack", "transfer"]),
        ("hashprobe data ch", ["check"]),
        ("hashprobe evaluate --pl", ["--plugin"]),
        ("hashprobe list b", ["backbones"]),
    ],
)
def test_the_shell_completes_without_waiting(typed: str, offered: list[str]) -> None:
    position = len(typed.split()) - 1
    asked = {"_HASHPROBE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    said, heavy = brought_by(**asked)
    assert said.split() == offered
    assert heavy == []


def test_the_help_speaks_to_who_begins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call("--help") == 0
    said = capsys.readouterr().out
    first = [line.split("  ")[1] for line in said.splitlines() if line.startswith("  hashprobe ")]
    commands = [line.strip() for line in said.splitlines() if line.startswith("    hashprobe ")]
    assert len(commands) == 3
    assert all(call(*command.partition("  ")[0].split()[1:], "--help") == 0 for command in commands)
    assert first, "what hashprobe does is said first"
    assert "..." not in said.partition("Commands:")[2], "what a verb does fits into its line"


@pytest.mark.parametrize("verb", verbs())
def test_a_verb_shows_examples_that_can_be_copied(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = verbs()[verb]
    assert examples(command)
    assert call(*verb.split(), "--help") == 0
    said = capsys.readouterr().out
    for example in examples(command):
        assert example.startswith(f"hashprobe {verb}")
        assert f"Example: {example}\n" in said, "it stands on one line"
        typed = shlex.split(example.removeprefix(f"hashprobe {verb}"))
        command.make_context(verb, typed, resilient_parsing=False).close()


@pytest.mark.parametrize("verb", verbs())
def test_an_option_means_the_same_in_every_verb(verb: str) -> None:
    defaults = {parameter.name: parameter.default for parameter in verbs()[verb].params}
    assert defaults.get("device", "auto") == "auto"
    assert defaults.get("seed", 0) == 0
    assert "plugin" in defaults
    if verb not in ("report", "list", "data list"):  # these draw nothing, and say where they write
        assert {"seed", "out"} <= set(defaults)
    if verb not in ("report", "list", "bench") and not verb.startswith("data "):  # these use no network
        assert "device" in defaults


@pytest.mark.parametrize(
    "typed",
    ["quickstart", "reproduce table1", "evaluate --model x", "train-hash", "audit --model x --images y"],
)
def test_a_folder_of_results_may_lie_in_the_home(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    verb, *arguments = typed.split()
    with verbs()[verb].make_context(verb, [*arguments, "--out=~/here"]) as context:
        assert context.params["out"] == tmp_path / "here"


@pytest.mark.parametrize("kind", KINDS)
def test_list_says_of_each_what_it_is(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, name = KINDS[kind].partition(":")
    registry = getattr(import_module(module), name)
    assert call("list", kind) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(r"\s{2,}", line)[0] for line in lines] == list(registry)
    assert all(len(line.split()) > 3 for line in lines), "each is described"


def test_data_list_is_list_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("data", "list") == 0
    said = capsys.readouterr().out
    assert "openmoji" in said
    assert call("list", "data") == 0
    assert capsys.readouterr().out == said


def test_the_help_of_data_build_names_what_can_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("data", "build", "--help") == 0
    said = capsys.readouterr().out
    assert all(name in said for name in OFFICIAL_DATA_SETS)


def test_an_unknown_kind_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list", "atacks") == 2
    assert "no kind is named 'atacks'; did you mean 'attacks'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["check", "show"])
def test_a_data_set_is_named_once(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("data", verb) == 2
    assert "--data: one data set is to be named; found 0" in capsys.readouterr().err
    assert call("data", verb, "openmoji", "--data", "openmoji") == 2
    assert "found 2" in capsys.readouterr().err


def test_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name = "\x1b[2Jlist"
    assert call("data", "check", "--data", tmp_path / name) == 2
    said = capsys.readouterr().err
    assert r"\u001b[2Jlist" in said
    assert "\x1b" not in said
    say("class \x1b[31m: no image")
    assert capsys.readouterr().out == "class \\u001b[31m: no image\n"
    assert call("report", tmp_path / "\x9b31m") == 2
    assert r"\u009b31m" in capsys.readouterr().err


PROTOCOL = '''
from hashprobe.targets import PROTOCOLS

@PROTOCOLS.register({name!r})
def added(query_labels, database_labels):
    """A protocol of the user's own."""
'''


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch, _no_plugins: None) -> Registry[Any]:
    """The registry of protocols, which forgets afterwards what a test adds to it."""
    from hashprobe.targets import PROTOCOLS

    monkeypatch.setattr(PROTOCOLS, "_things", dict(PROTOCOLS._things))
    return PROTOCOLS  # type: ignore[return-value]


@pytest.mark.parametrize("place", ["before the verb", "after it", "with ="])
def test_a_plugin_acts_before_the_verb(
    place: str, protocols: Registry[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / f"{place[:4].strip()}.py"
    file.write_text(PROTOCOL.format(name="added"))
    command = {
        "before the verb": ["--plugin", file, "list", "protocols"],
        "after it": ["list", "protocols", "--plugin", file],
        "with =": ["list", f"--plugin={file}", "protocols"],
    }[place]
    assert call(*command) == 0
    assert "added     A protocol of the user's own." in capsys.readouterr().out.splitlines()
    assert "added" in protocols


def test_a_plugin_that_takes_a_name_is_refused_in_one_sentence(
    protocols: Registry[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "taken.py"
    file.write_text(PROTOCOL.format(name="paper"))
    assert call("evaluate", "--plugin", file, "--model", tmp_path) == 2
    assert capsys.readouterr().err == (
        f"hashprobe: the plugin {file} failed in line 4: the target label protocol 'paper' is registered already by "
        "hashprobe.data.protocols; choose another name.\n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_list_tells_of_each_all_that_is_said(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, name = KINDS[kind].partition(":")
    for own in getattr(import_module(module), name):
        assert call("list", kind, own) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"{own}: ")
        assert not re.search(r"``|:\w+:`|^Attributes:|^Args:", said, re.MULTILINE)


def test_list_tells_settings_defaults_and_how_it_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list", "attacks", "DHTA") == 0
    said = capsys.readouterr().out
    assert re.search(r"^  steps=2000 +Gradient steps; the authors' number is 2000\.$", said, re.MULTILINE)
    assert re.search(r"^  epsilon=8/255 +\S", said, re.MULTILINE)
    assert "(--set)" not in said
    assert call("list", "attacks", "ProS-GAN") == 0
    said = capsys.readouterr().out
    assert re.search(r"^  decoder=linear \(convolutions\) +What the decoder", said, re.MULTILINE)
    assert re.search(r"^  epsilon=16/255 \(none\) +L∞ bound", said, re.MULTILINE)
    assert call("list", "attacks", "DHT") == 2
    assert "did you mean 'DHTA'" in capsys.readouterr().err
