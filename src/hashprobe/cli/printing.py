"""What verbs print for a person."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
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


def print_rows(rows: Sequence[ResultRow]) -> None:
    """Print result rows: a table of what was scored by target labels, and one of what was scored by the queries' own."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    for untargeted in (False, True):
        own = [row for row in rows if row.is_untargeted is untargeted]
        if not own or not is_main():
            continue
        score, table = own[0].score_name, Table(box=SIMPLE_HEAD, padding=0)
        kind, less = ("Untargeted", "less is stronger; ") if untargeted else ("Targeted", "")
        say(f"{kind}: {score} in percent, with its 95 % interval; {less}chance is a random ranking's")
        for heading in ("goal" if untargeted else "protocol", "attack", "code", "budget"):
            table.add_column(heading, overflow="fold")
        for heading in (score, "interval", "chance", "RMS"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in own:
            low, high = row.score_low, row.score_high
            cells = (
                row.group,
                row.attack,
                row.code,
                "–" if row.linf is None else row.budget,
                f"{row.score * 100:.1f}",
                "–" if low is None or high is None else f"{low * 100:.1f}–{high * 100:.1f}",
                f"{row.score_chance * 100:.1f}",
                "–" if row.rms is None else f"{row.rms:.4f}",
            )
            table.add_row(*(Text(plain(cell)) for cell in cells))  # a name in brackets is no markup
        Console().print(table)
