"""The report for a terminal: the summary and the main table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hashprobe.report import terms
from hashprobe.report.rows import NOT_WEAKER, groups, remarks, score_heading, setting_names
from hashprobe.report.run import RunRecord
from hashprobe.report.summary import summarise
from hashprobe.results import CHECKS, Finding, ResultRow, setting_of
from hashprobe.text import plain
from hashprobe.typed_values import checked

SHOWN = 4
"""Findings of one check that are shown in a terminal."""


@checked
def text_report(directory: str | Path, console: Console | None = None) -> None:
    """Print the summary and one table for each protocol (or ``untargeted``) and setting of a run directory.

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
        console.print(Text(plain(f"{finding.role}:"), style="dim"))
        console.print(Text(plain(finding.sentence), style="bold" if place == 0 else ""))
        console.print(Text(plain(f"{finding.explained} {finding.measured}".strip()), style="dim"))
        console.print()
    console.print(Text(plain(summary.tested), style="dim"))
    for line in finding_lines(run.findings):
        console.print(Text(plain(line)))
    names = setting_names(run.rows)
    for group in groups(run.rows):
        for setting, name in names.items():
            rows = [row for row in run.lines if row.group == group and setting_of(row) == setting]
            if rows:
                console.print()
                console.print(_table(rows, f"{group} ({name})", run))
    console.print()
    for name, words in terms.of_rows(run.lines).items():
        console.print(Text(plain(f"{name}: {words}."), style="dim"))


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return what checks found as lines of text: of each check why it matters, what it found, and what to do."""
    if not findings:
        return ["", f"Checks: nothing of what {len(CHECKS)} checks look for speaks against these results."]
    reasons = "reason" if len(findings) == 1 else "reasons"
    lines = ["", f"Checks: {len(findings)} {reasons} not to trust these results as they are."]
    for name in dict.fromkeys(finding.check for finding in findings):
        own = [finding for finding in findings if finding.check == name]
        lines += [f"! {name}: {own[0].why}"]
        lines += [f"    - {finding.said}" for finding in own[:SHOWN]]
        lines += [f"    - and {len(own) - SHOWN} more, in checks.jsonl"] if len(own) > SHOWN else []
        lines += [f"    → {own[0].do}"]
    return lines


def _table(rows: list[ResultRow], title: str, run: RunRecord) -> Table:
    table = Table(title=Text(plain(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.padding, table.collapse_padding = (0, 1), True
    table.add_column("Attack", overflow="fold", min_width=14)  # CodeGenerator, and a comma
    table.add_column("Budget", overflow="fold", min_width=9)
    untargeted = rows[0].is_untargeted
    other = "benign" if untargeted else "MAP"
    for heading in (score_heading(rows), "95 %", "chance", other, "L∞", "RMS", "moved", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        strong = "bold" if row.row in run.best else "dim" if row.is_code else ""
        code = f", {row.code}" if row.code not in ("", "none") and not row.is_code else ""
        notes = "".join(f"; {note}" for note in remarks(row, run.numbers[row.row]))
        score, *others = _numbers(row)
        score += f" {NOT_WEAKER}" if row.row in run.not_weaker else ""
        cells = (plain(row.attack + code + notes), row.budget, score, *others)
        table.add_row(*(Text(cell) for cell in cells), style=strong)
    strongest = "the lowest MAP" if untargeted else "the best"
    caption = (
        f"Percent; L∞ of 255; moved: bits of the code. Bold: {strongest} of the attacks with equal budget."
    )
    if any(row.row in run.not_weaker for row in rows):
        caption += f" {NOT_WEAKER}: not significantly weaker (paired bootstrap over queries, Holm, 5 %)."
    table.caption = Text(caption)
    table.caption_justify = "left"
    return table


def _numbers(row: ResultRow) -> tuple[str, ...]:
    interval = "–"
    if row.score_low is not None and row.score_high is not None:
        interval = f"{100 * row.score_low:.1f}–{100 * row.score_high:.1f}"
    return (
        _percent(row.score),
        interval,
        _percent(row.score_chance),
        _percent(row.map_benign if row.is_untargeted else row.map),
        "–" if row.linf is None else f"{255 * row.linf:.1f}",
        "–" if row.rms is None else f"{row.rms:.4f}",
        "–" if row.bits_moved is None else f"{row.bits_moved:.1f}",
        "–" if row.seconds_per_image is None else _seconds(row.seconds_per_image),
    )


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
