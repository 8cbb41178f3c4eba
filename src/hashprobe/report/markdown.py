"""The tables of a run as Markdown, for a page that is kept: scores, what they cost, and the comparison with the strongest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hashprobe.report.rows import groups, remarks, score_heading, setting_names
from hashprobe.report.run import RunRecord
from hashprobe.results import ResultRow, beside_the_best, setting_of
from hashprobe.typed_values import checked

HEADINGS = (
    "beside the best",
    "95 %",
    "p (Holm)",
    "L∞",
    "RMS",
    "bits moved",
    "to go",
    "passes",
    "questions",
    "ms",
)


@checked
def markdown_report(directory: str | Path) -> str:
    """Return one Markdown table for each protocol (or ``untargeted``) and setting of a run directory.

    A row's difference from the strongest attack of its group is a paired bootstrap's over the same queries, with its 95 %
    interval; p-values are corrected by Holm's method within the group. Passes are forward / backward, means an image, as are
    questions and milliseconds.

    Raises:
        HashprobeError: the directory holds no results, or a file in it is malformed.
    """
    run = RunRecord.read(directory)
    names = setting_names(run.rows)
    parts = []
    for group in groups(run.rows):
        for setting, name in names.items():
            rows = [row for row in run.lines if row.group == group and setting_of(row) == setting]
            if rows:
                parts.append(
                    "\n".join([f"**{group}** ({name}), {rows[0].queries} queries", "", *_lines(rows, run)])
                )
    return "\n\n".join(parts)


def _lines(rows: list[ResultRow], run: RunRecord) -> Iterator[str]:
    compared = beside_the_best(rows, run.scores)
    heads = ("attack", "code", "budget", score_heading(rows), "95 %", *HEADINGS)
    yield _line(heads)
    yield _line(["---"] * 3 + ["---:"] * (len(heads) - 3))
    for row in rows:
        name = "; ".join([row.attack, *remarks(row, run.numbers[row.row])])
        interval = "–"
        if row.score_low is not None and row.score_high is not None:
            interval = f"{row.score_low:.3f} to {row.score_high:.3f}"
        beside = ["–"] * 3
        if row.row in compared:
            own = compared[row.row][1]
            beside = [f"{own.mean:+.3f}", f"{own.low:+.3f} to {own.high:+.3f}", f"{own.p:.2g}"]
        elif row.row in run.best:
            beside = ["the best", "", ""]
        yield _line(
            [name, row.code or "none", row.budget, f"{row.score:.3f}", interval, *beside, *_cost(row)]
        )
    for row in rows:
        if row.won:
            won = ", ".join(f"{name} {100 * share:.0f} %" for name, share in row.won.items())
            yield f"\nWhich member of `{row.attack}` won how often: {won}."


def _cost(row: ResultRow) -> list[str]:
    passes = "–" if row.passes is None else f"{row.forward_passes or 0:g} / {row.backward_passes or 0:g}"
    return [
        "–" if row.linf is None else f"{255 * row.linf:.0f}/255",
        "–" if row.rms is None else f"{row.rms:.4f}",
        "–" if row.bits_moved is None else f"{row.bits_moved:.1f}",
        "–" if row.goal_bits is None else f"{row.goal_bits:.1f}",
        passes,
        "–" if row.questions is None else f"{round(row.questions)}",
        "–" if row.seconds_per_image is None else f"{1000 * row.seconds_per_image:.3g}",
    ]


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
