"""``hashprobe``: each verb checks its arguments, calls the library, and prints what a person wants to know."""

from __future__ import annotations

import sys
from typing import Any

import typer
from pydantic import ValidationError

from hashprobe._version import __version__
from hashprobe.cli import attack, data, look, train, walk
from hashprobe.errors import HashprobeError
from hashprobe.processes import processes

# Wrong options and arguments; typer gives the class no public name of its own, only its subclass.
_UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)


@app.command("version")
def version() -> None:
    """Print the version.

    Example: hashprobe version
    """
    print(__version__)


app.command("quickstart")(walk.quickstart)
app.command("reproduce")(walk.reproduce)
app.add_typer(data.app, name="data")
app.command("train-hash")(train.train_hash)
app.command("train-attack")(train.train_attack)
app.command("attack")(attack.attack)
app.command("evaluate")(attack.evaluate)
app.command("transfer")(attack.transfer_attacks)
app.command("report")(look.report)
app.command("bench")(look.bench)


def main() -> None:
    """Run the command line; bad input prints one sentence (of several processes, each prints it) and exits with code 2."""
    try:
        code = app(prog_name="hashprobe", standalone_mode=False)
        processes().disband()
    except HashprobeError as error:
        _stop(str(error), 2)
    except ValidationError as error:
        _stop(_sentence(error), 2)
    except _UsageError as error:
        message = error.format_message()
        if "\n" in message:  # the help, where no command was given
            print(message)
            sys.exit(2)
        _stop(f"{message.rstrip('.')}; see --help.", 2)
    except (typer.Abort, KeyboardInterrupt):
        _stop("stopped; the same command goes on where it was.", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(sentence: str, code: int) -> None:
    print(f"hashprobe: {sentence}", file=sys.stderr)
    sys.exit(code)


def _sentence(error: ValidationError) -> str:
    """Say the first thing that is wrong with a setting."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or error.title
    return f"{name}: {first['msg']}; found {first['input']!r}."
