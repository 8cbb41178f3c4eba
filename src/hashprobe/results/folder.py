"""Result rows and what goes with them, written into a folder of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hashprobe.files import write_json_lines
from hashprobe.results import queries
from hashprobe.results.checks import run_checks
from hashprobe.results.queries import QueryScores
from hashprobe.results.rows import ResultRow


def write_results(
    folder: Path,
    rows: Sequence[ResultRow],
    curves: Sequence[dict[str, Any]],
    scores: Sequence[QueryScores],
) -> None:
    """Write ``results.jsonl``, ``curves.jsonl``, ``queries.jsonl`` and what checks find in them, ``checks.jsonl``.

    Args:
        folder: Where.
        rows: Result rows.
        curves: Their curves, as ``curves.jsonl`` holds them.
        scores: What each query of them scored.
    """
    write_json_lines(folder / "results.jsonl", [row.model_dump(mode="json") for row in rows])
    write_json_lines(folder / "curves.jsonl", list(curves))
    write_json_lines(folder / queries.FILE, [one.model_dump() for one in scores])
    findings = run_checks(rows, {one.row: one for one in scores})
    write_json_lines(folder / "checks.jsonl", [finding.as_json() for finding in findings])
