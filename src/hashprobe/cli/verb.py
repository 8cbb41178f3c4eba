"""What every verb has beside its own options: ``--plugin``, which acts before them, and help whose example can be copied."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        help="A Python file of yours that registers attacks, losses, data sets, …; may be repeated.",
    ),
]


def use_plugins(plugin: Plugins = None) -> None:
    """Load the plugins of the option ``--plugin`` after those that are installed."""
    from hashprobe.plugins import load_installed_plugins, load_plugins

    load_installed_plugins()
    load_plugins(plugin or ())


def add_verb(app: typer.Typer, name: str, function: Callable[..., None]) -> None:
    """Make a function a verb of a command line.

    Nothing is imported for a verb but its module, which must bring typer alone: ``--help`` is to be there at once.

    Args:
        app: The command line.
        name: The verb.
        function: What it does. Its docstring is the help, with an example in a paragraph of its own.
    """

    @wraps(function)
    def run(plugin: Plugins = None, **options: Any) -> None:
        use_plugins(plugin)
        function(**options)

    own = inspect.signature(function, eval_str=True)
    option = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Plugins)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*own.parameters.values(), option)}
    # The mark \b keeps a paragraph from being wrapped, so that a command stays on one line.
    shown = (inspect.getdoc(function) or "").replace("Example: ", "\b\nExample: ")
    app.command(name, help=shown)(run)
