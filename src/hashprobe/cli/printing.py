"""What verbs print for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hashprobe.main_process import is_main
from hashprobe.report.rows import score_heading
from hashprobe.results import TARGETED, UNTARGETED, ResultRow


def say(line: str) -> None:
    """Print a line at once; of several processes, the main one prints."""
    if is_main():
        print(line, flush=True)


def print_rows(rows: Sequence[ResultRow]) -> None:
    """Print result rows as a table."""
    score = score_heading(rows)
    table = Table(title=f"{score} in percent, with its 95 % interval; chance is a random ranking's")
    goals = {row.goal for row in rows}
    heads = [
        *(["goal"] if UNTARGETED in goals else []),
        *(["protocol"] if TARGETED in goals else []),
        *("attack", "code", "budget"),
    ]
    for heading in heads:
        table.add_column(heading)
    for heading in (score, "interval", "chance", "RMS"):
        table.add_column(heading, justify="right")
    for row in rows:
        low, high = row.score_low, row.score_high
        table.add_row(
            *([row.goal] if UNTARGETED in goals else []),
            *([row.protocol or "–"] if TARGETED in goals else []),
            row.attack,
            row.code,
            "–" if row.linf is None else row.budget,
            f"{row.score * 100:.1f}",
            "–" if low is None or high is None else f"{low * 100:.1f}–{high * 100:.1f}",
            f"{row.score_chance * 100:.1f}",
            "–" if row.rms is None else f"{row.rms:.4f}",
        )
    if is_main():
        Console().print(table)
