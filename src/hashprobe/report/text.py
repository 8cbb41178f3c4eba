"""The report for a terminal: the summary and the main table."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hashprobe.report.payload import plain
from hashprobe.report.rows import NO_PICTURE, Row, best_rows, protocols, setting_names, setting_of
from hashprobe.report.run import RunRecord
from hashprobe.report.summary import summarise


def text_report(directory: str | Path, console: Console | None = None) -> None:
    """Print the summary and one table for each protocol and setting of a run directory.

    Args:
        directory: A run directory.
        console: Where; standard output if not given.

    Raises:
        HashprobeError: the directory holds no results, or a file in it is malformed.
    """
    run = RunRecord.read(directory)
    console = console or Console()
    summary = summarise(run)
    for place, finding in enumerate(summary.findings):
        console.print(Text(plain(finding.sentence), style="bold" if place == 0 else ""))
        console.print()
    console.print(Text(plain(summary.tested), style="dim"))
    best, names = best_rows(run.rows), setting_names(run.rows)
    for protocol in protocols(run.rows):
        for setting, name in names.items():
            rows = [row for row in run.rows if row.protocol == protocol and setting_of(row) == setting]
            if rows:
                console.print()
                console.print(_table(rows, f"{protocol} ({name})", best))


def _table(rows: list[Row], title: str, best: set[str]) -> Table:
    table = Table(title=Text(plain(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.padding, table.collapse_padding = (0, 1), True
    table.add_column("Attack", overflow="fold", min_width=12)
    table.add_column("Budget", overflow="fold", min_width=9)
    for heading in ("t-MAP", "95 %", "chance", "MAP", "L∞", "RMS", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        strong = "bold" if row.row in best else "dim" if row.budget == NO_PICTURE else ""
        code = f", {row.code}" if row.code not in ("", "none") and not row.is_code else ""
        cells = (plain(row.attack + code), row.budget, *_numbers(row))
        table.add_row(*(Text(cell) for cell in cells), style=strong)
    table.caption = Text("Percent; L∞ of 255. Bold: the best of the attacks with equal budget.")
    table.caption_justify = "left"
    return table


def _numbers(row: Row) -> tuple[str, ...]:
    interval = "–"
    if row.t_map_low is not None and row.t_map_high is not None:
        interval = f"{100 * row.t_map_low:.1f}–{100 * row.t_map_high:.1f}"
    return (
        _percent(row.t_map),
        interval,
        _percent(row.chance),
        _percent(row.map),
        "–" if row.linf is None else f"{255 * row.linf:.1f}",
        "–" if row.rms is None else f"{row.rms:.4f}",
        "–" if row.seconds_per_image is None else _seconds(row.seconds_per_image),
    )


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
