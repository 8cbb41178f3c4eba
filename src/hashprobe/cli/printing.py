"""What verbs print for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hashprobe.main_process import is_main
from hashprobe.report.rows import score_heading
from hashprobe.results import ResultRow


def say(line: str) -> None:
    """Print a line at once; of several processes, the main one prints."""
    if is_main():
        print(line, flush=True)


def print_rows(rows: Sequence[ResultRow]) -> None:
    """Print result rows, a table for each goal."""
    if is_main():
        for goal in dict.fromkeys(row.goal for row in rows):
            Console().print(_table([row for row in rows if row.goal == goal]))


def _table(rows: Sequence[ResultRow]) -> Table:
    score, untargeted = score_heading(rows), rows[0].is_untargeted
    said = f"{score} in percent, with its 95 % interval; chance is a random ranking's"
    table = Table(title=f"Untargeted: {said}; less is stronger" if untargeted else said)
    for heading in ("goal" if untargeted else "protocol", "attack", "code", "budget"):
        table.add_column(heading)
    for heading in (score, "interval", "chance", "RMS"):
        table.add_column(heading, justify="right")
    for row in rows:
        low, high = row.score_low, row.score_high
        table.add_row(
            row.group,
            row.attack,
            row.code,
            "–" if row.linf is None else row.budget,
            f"{row.score * 100:.1f}",
            "–" if low is None or high is None else f"{low * 100:.1f}–{high * 100:.1f}",
            f"{row.score_chance * 100:.1f}",
            "–" if row.rms is None else f"{row.rms:.4f}",
        )
    return table
