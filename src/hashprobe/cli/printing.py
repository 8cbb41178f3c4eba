"""What verbs print for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hashprobe.main_process import is_main
from hashprobe.text import plain

if TYPE_CHECKING:
    from hashprobe.evaluation import ResultRow


def say(line: str) -> None:
    """Print a line at once, its control characters made visible; of several processes, the main one prints."""
    if is_main():
        print(plain(line), flush=True)


def print_rows(rows: Sequence[ResultRow]) -> None:
    """Print result rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="t-MAP in percent, with its 95 % interval; chance is a random ranking's")
    for heading in ("protocol", "attack", "code", "budget"):
        table.add_column(heading)
    for heading in ("t-MAP", "interval", "chance", "RMS"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.protocol,
            row.attack,
            row.code,
            budget(row),
            f"{row.t_map * 100:.1f}",
            f"{row.t_map_low * 100:.1f}–{row.t_map_high * 100:.1f}",
            f"{row.chance * 100:.1f}",
            "–" if row.rms is None else f"{row.rms:.4f}",
        )
    if is_main():
        Console().print(table)


def budget(row: ResultRow) -> str:
    """Return a row's budget in words: none where no image was changed."""
    if row.linf is None:
        return "–"
    return "unbounded" if row.epsilon is None else f"{row.epsilon * 255:.3g}/255"
