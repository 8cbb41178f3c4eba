"""The verb ``report``: the page of a folder of results, or its text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashprobe.cli.printing import say
from hashprobe.files import user_path


def report(
    directory: Annotated[Path, typer.Argument(help="Folder of a run, with results.jsonl.")],
    text: Annotated[
        bool, typer.Option("--text", help="Print summary and tables instead of writing a page.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown instead, with what attacks cost.")
    ] = False,
) -> None:
    """Write report.html of a folder of results, or print it.

    A folder that audit wrote has a page of its own.

    Example: hashprobe report runs/quickstart
    """
    directory = user_path(directory)
    if (directory / "findings.json").is_file() and not (directory / "results.jsonl").is_file():
        _audit_report(directory, text)
        return
    from hashprobe.report import markdown_report, text_report, write_report

    if markdown:
        typer.echo(markdown_report(directory))
    elif text:
        text_report(directory)
    else:
        say(f"wrote {write_report(directory)}")


def _audit_report(directory: Path, text: bool) -> None:
    from hashprobe.auditing import Findings, audit_lines, write_audit_report

    if not text:
        say(f"wrote {write_audit_report(directory)}")
        return
    for line in audit_lines(Findings.read(directory)):
        say(line)
