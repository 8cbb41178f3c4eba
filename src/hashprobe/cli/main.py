"""The command line as a whole: its verbs, what it says before any of them, and how it stops on bad input.

A verb's module brings typer alone and imports what it works with when it is run, so that help and completion are there at
once.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from hashprobe._version import __version__
from hashprobe.cli import attack, audit, bench, data, encode, report, reproduce, train
from hashprobe.cli.list import list_kind
from hashprobe.cli.verb import Plugins, add_verb, use_plugins
from hashprobe.errors import HashprobeError, shortened
from hashprobe.text import plain

HELP = """Attack image retrieval by hash codes, and see how robust it is.

hashprobe trains hash models (or takes yours), attacks them, and writes what it found as result rows and as a report with
pictures, curves and tables. Everything runs on this machine.

To begin:

\b
  hashprobe quickstart                       the whole way on generated pictures
  hashprobe report runs/quickstart --text    what came out of it
  hashprobe list attacks                     what evaluate --attack takes

The report of quickstart is runs/quickstart/report.html. COMMAND --help shows the options and an example.
"""

LONGEST = 1000
# Wrong options and arguments; typer gives the class no public name of its own, only its subclass.
_UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hashprobe {__version__}")
        raise typer.Exit


@app.callback(help=HELP)
def before_any_verb(
    plugin: Plugins = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            help="Largest of what is read from a file as NAME=VALUE: image_pixels, image_bytes, text_bytes, "
            "annotation_bytes, weight_bytes or index_bytes; may be repeated."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Do what the options before a verb say."""
    if bound:
        from hashprobe.bounds import set_bounds
        from hashprobe.settings_text import read_pairs

        set_bounds(read_pairs(bound, "--bound"))
    if plugin:
        use_plugins(plugin)


add_verb(app, "quickstart", reproduce.quickstart)
add_verb(app, "reproduce", reproduce.reproduce)
add_verb(app, "train-hash", train.train_hash)
add_verb(app, "train-attack", train.train_attack)
add_verb(app, "attack", attack.attack)
add_verb(app, "evaluate", attack.evaluate)
add_verb(app, "transfer", attack.transfer_attacks)
add_verb(app, "audit", audit.audit)
add_verb(app, "encode", encode.encode)
add_verb(app, "report", report.report)
add_verb(app, "list", list_kind)
app.add_typer(data.app, name="data")
add_verb(app, "bench", bench.bench)


def main() -> None:
    """Run the command line; bad input prints one sentence (of several processes, each prints it) and exits with code 2."""
    try:
        _check_text(sys.argv[1:])
        code = app(prog_name="hashprobe", standalone_mode=False)
        if "hashprobe.processes" in sys.modules:
            sys.modules["hashprobe.processes"].processes().disband()
    except HashprobeError as error:
        _stop(str(error), 2)
    except ValueError as error:
        pydantic = sys.modules.get("pydantic")
        if pydantic is None or not isinstance(error, pydantic.ValidationError):
            raise
        _stop(_sentence(error), 2)
    except _UsageError as error:
        message = error.format_message()
        if len(message) > LONGEST:  # typer quotes what it was given, whole
            message = f"{message[:LONGEST]}…"
        if "\n" in message:  # the help, where no command was given
            print(message)
            sys.exit(2)
        _stop(f"{message.rstrip('.')}; see --help.", 2)
    except (typer.Abort, KeyboardInterrupt):
        _stop("stopped; the same command goes on where it was.", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _check_text(arguments: list[str]) -> None:
    """Raise where an argument is no UTF-8: files of results say the command and its paths, and are UTF-8."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise HashprobeError(f"{shortened(argument)} is not UTF-8 text; give another name.") from None


def _stop(sentence: str, code: int) -> None:
    print(f"hashprobe: {plain(sentence)}", file=sys.stderr)
    sys.exit(code)


def _sentence(error: Any) -> str:
    """Say the first thing that is wrong with a setting; ``error`` is pydantic's."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or error.title
    return f"{name}: {first['msg']}; found {shortened(first['input'])}."
