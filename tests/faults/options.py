"""Every option of every verb, with what it cannot take."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import fuzzing
import typer
from commands import call
from data_pictures import picture
from hypothesis import strategies as st
from synthetic import write_run

from hashprobe.cli.main import app
from hashprobe.data.images.store import open_store
from hashprobe.hashing import MODELS, HashModel
from helpers import conv_model, train_tiny

STRANGE = (
    *("", " ", "-1", "0", "1", "1.5", "-0.5", "1e400", "inf", "-inf", "nan", "none", "true", "false", "null"),
    *("8/255", "1/0", "=", "a=b", "=x", "[]", "[1]", "{}", '"x"', "9" * 30, "-" + "9" * 30, "9" * 400),
    *("9" * 5000, "x" * 5000, "\0", "\n", "a\nb", "\u202e", "\x1b[31m", "\udcff", "~", "~nouser/x", ".."),
    *(
        "/dev/null",
        "/dev/zero",
        "/proc/self/mem",
        "nowhere",
        "nowhere/x.toml",
        "a/b/c",
        ".",
        "-",
        "--",
        "--help",
    ),
)
"""In place of the value of an option, most of it no value of any."""
SETTINGS = (
    *(
        "1.5",
        "none",
        "true",
        "1e400",
        "inf",
        "nan",
        "-1",
        "0",
        "8/255",
        "",
        "[]",
        '"x"',
        "9" * 30,
        "x",
        "{}",
        "\0",
    ),
)
"""In place of the value of a setting, behind its name."""


class Accepted(BaseException):
    """Stands for work that would begin: everything that was given was accepted."""


@dataclass(frozen=True)
class Verb:
    """A verb, a command of it that is right, and its options.

    Attributes:
        words: The words before the options.
        right: Options and values by name of the option, with which it is right.
        options: Names of its options and arguments; a name without dashes is an argument.
        settings: Values of options that hold a setting, with ``{}`` in place of the setting's value.
    """

    words: tuple[str, ...]
    right: dict[str, tuple[str, ...]]
    options: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()

    def command(self, values: dict[str, tuple[str, ...]]) -> list[str]:
        """The words of a command with these values of its options."""
        given = {**self.right, **values}
        arguments = [
            value for name in self.options if not name.startswith("-") for value in given.get(name, ())
        ]
        options = [
            part
            for name in self.options
            if name.startswith("-")
            for value in given.get(name, ())
            for part in ((name,) if value is FLAG else (name, value))
        ]
        return [*self.words, *arguments, *options]


FLAG = "\0flag"


def options_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The options and arguments of a verb, as the command line itself has them."""
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    flags = {"--help", "--version"}
    return tuple(
        parameter.opts[0] if parameter.param_type_name == "option" else parameter.name
        for parameter in command.params
        if parameter.opts[0] not in flags and not getattr(parameter, "is_flag", False)
    )


def verbs(root: Path) -> dict[str, Verb]:
    """All verbs by name, with folders that they work on."""
    root.mkdir(parents=True)
    run = write_run(root / "run", queries=1, database=8, protocols=("paper",))
    names = ("query", "database", "train")
    for number, name in enumerate(names):
        picture(number).save(root / f"{name}.png")
    table = root / "table.csv"
    table.write_text("path,split,cat,dog\n" + "".join(f"{name}.png,{name},1,0\n" for name in names))
    train_tiny("prototype", root / "prototype")
    if "tiny" not in MODELS:
        MODELS.register("tiny")(tiny)
    data = {"--data": (str(table),), "--image-size": ("32",)}
    out = {"--out": (str(root.with_name(root.name + "-out") / "out"),)}
    model = {"--model": ("tiny",)}
    attacks = [
        f"{name}:{setting}={{}}"
        for name, settings in {
            "I-FGSM": ("steps", "step_size", "epsilon", "code", "goal"),
            "HAG": ("rate", "momentum", "steps"),
            "RandomSearch": ("questions", "length", "square"),
            "Noise": ("epsilon",),
        }.items()
        for setting in settings
    ]
    indexes = [f"faiss-hnsw:{setting}={{}}" for setting in ("links", "search_width", "build_width")]
    shared = (
        *(("--attack", each) for each in attacks),
        *(("--index", each) for each in indexes),
        ("--model", "phash,hash_size={}"),
        *(("--data-option", f"{name}={{}}") for name in ("queries", "train", "workers", "cache_dir", "seed")),
    )
    training = tuple(
        ("--set", f"{name}={{}}")
        for name in (
            "epochs",
            "batch_size",
            "learning_rate",
            "loss",
            "loss_settings",
            "momentum",
            "weight_decay",
        )
    )
    right: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]], tuple[tuple[str, str], ...]]] = {
        "quickstart": (("quickstart",), out, ()),
        "reproduce": (("reproduce",), {"name": ("table1",), "--data": (str(table),), **out}, ()),
        "train-hash": (("train-hash",), {**data, **out, "--weights": ("none",)}, (*training, *shared[-5:])),
        "train-attack": (("train-attack",), {**data, **model, **out}, (*training, *shared[-5:])),
        "attack": (
            ("attack",),
            {
                **data,
                **model,
                **out,
                "pictures": (str(root / "query.png"),),
                "--target": ("cat",),
                "--attack": ("FGSM",),
            },
            shared,
        ),
        "evaluate": (("evaluate",), {**data, **model, **out, "--attack": ("FGSM",)}, shared),
        "transfer": (("transfer",), {**data, "--model": ("tiny", "tiny"), **out}, shared),
        "audit": (
            ("audit",),
            {**model, **out, "--images": (str(root),), "--image-size": ("32",)},
            (("--budget", "rms:{}"), ("--budget", "{}")),
        ),
        "encode": (
            ("encode",),
            {**model, **out, "--images": (str(root),), "--image-size": ("32",)},
            (("--model", "phash,hash_size={}"),),
        ),
        "report": (("report",), {"directory": (str(run),)}, ()),
        "list": (("list",), {"kind": ("attacks",)}, ()),
        "data list": (("data", "list"), {}, ()),
        "data show": (
            ("data", "show"),
            {**data, "--out": (str(root.with_name(root.name + "-out") / "s.png"),)},
            shared[-5:],
        ),
        "data check": (("data", "check"), data, shared[-5:]),
        "data build": (
            ("data", "build"),
            {"name": ("flickr25k",), "--source": (str(root / "run"),), **out},
            (),
        ),
        "bench": (("bench",), {}, ()),
    }
    return {
        name: Verb(words, given, options_of(words), settings)
        for name, (words, given, settings) in right.items()
    }


def tiny(bits: int | None = None) -> HashModel:
    """A model without training, by name."""
    return conv_model(bits or 12)


@st.composite
def strange_options(draw: st.DrawFn, verb: Verb) -> dict[str, tuple[str, ...]]:
    """Draw values in place of those of one option or two."""
    values: dict[str, tuple[str, ...]] = {}
    for _ in range(draw(st.integers(1, 2))):
        if verb.settings and draw(st.booleans()):
            name, text = draw(st.sampled_from(verb.settings))
            values[name] = (text.format(draw(st.sampled_from(SETTINGS))),)
        elif verb.options:
            name = draw(st.sampled_from(verb.options))
            values[name] = tuple(draw(st.lists(st.sampled_from(STRANGE), min_size=1, max_size=2)))
    return values


def _begin(*arguments: object, **keywords: object) -> None:
    raise Accepted


def _small_store(path: Path, shape: tuple[int, ...], blocks: Callable[[], Any]) -> Any:
    if shape[0] > 50 or shape[2] > 64:
        raise Accepted
    return open_store(path, shape, blocks)  # type: ignore[arg-type]


@contextlib.contextmanager
def _before_any_work(cache: Path) -> Iterator[None]:
    """Let commands run until they would take their folder, paint or time anything."""
    with contextlib.ExitStack() as stack:
        for place in ("hashprobe.folders.FileLock", "hashprobe.retrieval.bench.make_inputs"):
            stack.enter_context(mock.patch(place, _begin))
        for place in ("hashprobe.data.openmoji.open_store", "hashprobe.data.formats.folder.open_store"):
            stack.enter_context(mock.patch(place, _small_store))
        stack.enter_context(mock.patch.dict("os.environ", {"XDG_CACHE_HOME": str(cache)}))
        stack.enter_context(mock.patch("hashprobe.report.page.write_figures", return_value=[]))
        yield


def fault_of(verb: Verb, values: dict[str, tuple[str, ...]], root: Path) -> str:
    """Run a verb with strange values; return what is wrong with its answer, or nothing."""
    said, before = io.StringIO(), fuzzing.contents(root)
    cache = root.with_name(root.name + "-cache")
    try:
        with (
            _before_any_work(cache),
            _devices_stay(),
            contextlib.chdir(_empty(root)),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
        ):
            code = call(*verb.command(values))
    except Accepted:
        code = 0
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    if code == 2:
        lines = [line for line in said.getvalue().strip().split("\n") if not line.startswith("warning")]
        if len(lines) != 1 or not lines[0].startswith("hashprobe: "):
            return f"not one sentence: {said.getvalue()[:300]!r}"
        if problem := fuzzing.problem_of(lines[0]):
            return problem
    elif code not in (0, 1):
        return f"exit code {code}"
    after = fuzzing.contents(root)
    return "" if all(after.get(name) == content for name, content in before.items()) else "files were changed"


@contextlib.contextmanager
def _devices_stay() -> Iterator[None]:
    """Refuse to rename anything to a place in /dev: root may do so, and the machine would be without the device."""
    rename = os.replace

    def guarded(source: str | Path, target: str | Path) -> None:
        if Path("/dev") in Path(target).absolute().parents:
            raise AssertionError(f"{target} would have been replaced")
        rename(source, target)

    with mock.patch.object(os, "replace", guarded):
        yield


def _empty(root: Path) -> Path:
    folder = root.with_name(root.name + "-here")
    folder.mkdir(exist_ok=True)
    return folder
