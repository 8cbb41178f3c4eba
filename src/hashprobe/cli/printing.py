"""What verbs print for a person."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hashprobe.main_process import is_main
from hashprobe.text import plain

if TYPE_CHECKING:
    from hashprobe.results import ResultRow


def say(line: str) -> None:
    """Print a line at once, its control characters made visible; of several processes, the main one prints."""
    if is_main():
        print(plain(line), flush=True)


def said() -> str:
    """Return the command as it was given, for whoever wants to repeat it."""
    return shlex.join(["hashprobe", *sys.argv[1:]])


def print_results(rows: Sequence[ResultRow], folder: Path) -> None:
    """Print what a command measured: its rows as tables, and what speaks against them.

    Args:
        rows: Result rows.
        folder: Where they were written, with the scores of their queries.
    """
    from hashprobe.results import lines_of, not_weaker, read_query_scores

    if not is_main():
        return
    lines, scores = lines_of(rows, read_query_scores(folder))
    print_rows(lines, near=not_weaker(lines, scores))
    print_findings(folder)


def print_findings(folder: Path) -> None:
    """Print what speaks against the results of a folder."""
    from hashprobe.report import RunRecord
    from hashprobe.report.text import finding_lines

    if is_main():
        for line in finding_lines(RunRecord.read(folder).findings):
            say(line)


def print_rows(rows: Sequence[ResultRow], near: Collection[str] = ()) -> None:
    """Print result rows: a table of what was scored by target labels, and one of what was scored by the queries' own.

    Args:
        rows: Result rows.
        near: Ids of those that are not significantly weaker than the strongest of their group.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hashprobe.report.rows import numbers_apart

    numbers = numbers_apart(rows)
    for untargeted in (False, True):
        own = [row for row in rows if row.is_untargeted is untargeted]
        if not own or not is_main():
            continue
        score, table = own[0].score_name, Table(box=SIMPLE_HEAD, padding=0)
        kind, less = ("Untargeted", "less is stronger; ") if untargeted else ("Targeted", "")
        say(f"{kind}: {score} in percent, with its 95 % interval; {less}chance is a random ranking's")
        for heading in ("goal" if untargeted else "protocol", "attack", "code", "budget"):
            table.add_column(heading, overflow="fold")
        for heading in (score, "interval", "chance", "RMS", "moved"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in own:
            low, high = row.score_low, row.score_high
            cells = (
                row.group,
                ", ".join(part for part in (row.attack, numbers[row.row]) if part),
                row.code,
                "–" if row.linf is None else row.budget,
                f"{row.score * 100:.1f}{' ≈' if row.row in near else ''}",
                "–" if low is None or high is None else f"{low * 100:.1f}–{high * 100:.1f}",
                f"{row.score_chance * 100:.1f}",
                "–" if row.rms is None else f"{row.rms:.4f}",
                "–" if row.bits_moved is None else f"{row.bits_moved:.1f}",
            )
            table.add_row(*(Text(plain(cell)) for cell in cells))  # a name in brackets is no markup
        if any(row.row in near for row in own):
            table.caption = (
                "≈: not significantly weaker than the strongest of equal budget (paired bootstrap, Holm, 5 %)"
            )
        Console().print(table)
