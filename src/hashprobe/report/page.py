"""The report as one file: everything in it, nothing fetched, written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hashprobe._version import __version__
from hashprobe.files import user_path, write_text
from hashprobe.main_process import is_main
from hashprobe.report import payload, terms
from hashprobe.report.credits import credit_of
from hashprobe.report.figures import write_figures
from hashprobe.report.pictures import Pictures, embed
from hashprobe.report.rows import NOT_WEAKER, groups, remarks, score_heading
from hashprobe.report.run import RunRecord
from hashprobe.report.sections import (
    audit_counts,
    audit_findings,
    by_check,
    made_of,
    still_example,
    transfer_tables,
)
from hashprobe.report.summary import summarise
from hashprobe.results import CHECKS, UNTARGETED
from hashprobe.templates import Templates
from hashprobe.text import plain
from hashprobe.typed_values import checked

LIMIT = 8 * 1024 * 1024
"""Bytes of a page: what a mail attachment may have."""

STILL_ROWS = 60
"""Result rows that are shown where scripts do not run, as in the preview of a mail program."""

SCRIPTS = ("core.js", "table.js", "charts.js", "gallery.js", "start.js")


@checked
def write_report(directory: str | Path, *, figures: bool = True, progress: bool = False) -> Path:
    """Write ``report.html`` and ``figures/`` into a run directory, from the files that are in it.

    Of several processes the main one writes, and the others do not wait for it.

    Args:
        directory: A run directory; ``results.jsonl`` must be in it, everything else is shown when present.
        figures: Whether ``figures/`` is written too; it takes about a second a figure.
        progress: Whether a progress bar is shown.

    Returns:
        The path of the page: one file that needs no other and no network.

    Raises:
        HashprobeError: the directory holds no results, a file in it is malformed, or writing failed.
    """
    directory = user_path(directory)
    path = directory / "report.html"
    if not is_main():
        return path
    run = RunRecord.read(directory)
    write_text(path, render(run))
    if figures:
        write_figures(run, directory / "figures", progress=progress)
    return path


def render(run: RunRecord, limit: int = LIMIT) -> str:
    """Return the page of a run as HTML.

    Args:
        run: The run.
        limit: Bytes that the page may have if it shows pictures.
    """
    templates = Templates("hashprobe.report")
    style = templates.source("report.css")
    script = '(() => {\n"use strict";\n' + "\n".join(templates.source(name) for name in SCRIPTS) + "\n})();\n"
    data: dict[str, Any] = {
        "table": payload.table(run),
        "charts": payload.chart_sets(run),
        "training": payload.training_sets(run),
        "transfer": payload.rounded(transfer_tables(run.transfer)),
        "gallery": None,
        "terms": payload.rounded(terms.of_rows(run.lines)),
    }

    audit = audit_findings(run.audit)
    still = None if run.gallery is None else still_example(run.gallery, run.rows)

    def page(gallery: Mapping[str, Any] | None) -> str:
        return templates.page("report.html").render(
            title=_title(run),
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            data=json_for_html({**data, "gallery": gallery}),
            summary=summarise(run),
            gallery=gallery,
            charts=data["charts"],
            training=data["training"],
            transfer=data["transfer"],
            findings=by_check(run.findings),
            finding_count=len(run.findings),
            check_count=len(CHECKS),
            audit=audit,
            audit_counts=audit_counts(audit),
            made=made_of(run),
            credit=credit_of(run),
            plain=plain,
            remarks=lambda row: remarks(row, run.numbers[row.row]),
            score_heading=score_heading,
            goals={row.goal for row in run.rows},
            terms=data["terms"],
            only_protocol=_only_protocol(run),
            still=still,
            still_rows=run.lines[:STILL_ROWS],
            row_count=len(run.lines),
            near=run.not_weaker,
            not_weaker=NOT_WEAKER,
            version=__version__,
        )

    if run.gallery is None or not run.gallery.entries:
        return page(None)
    left = limit - len(page(payload.gallery(run.gallery, Pictures(), run.rows)).encode())
    while True:
        text = page(payload.gallery(run.gallery, embed(run.gallery, left), run.rows))
        over = len(text.encode()) - limit
        if over <= 0 or left <= 0:
            return text
        left -= over


def _only_protocol(run: RunRecord) -> str:
    """Return the protocol that all rows share, with what it means, or an empty text."""
    found = groups(run.rows)
    name = found[0] if len(found) == 1 and found[0] != UNTARGETED else ""
    return f"{name}: {terms.PROTOCOLS[name]}" if name in terms.PROTOCOLS else name


def json_for_html(value: Any) -> Markup:
    """Return JSON that stays text in a script element, whatever it holds (``</script>``, ``<!--``)."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def _policy(style: str, script: str) -> str:
    """Forbid every request, and every script and style but the page's own."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; img-src data: blob:; script-src 'sha256-{hashes[0]}'; "
        f"style-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


def _title(run: RunRecord) -> str:
    data = run.experiment.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    recipe = run.experiment.get("recipe")
    return plain(" · ".join(str(part) for part in ("hashprobe", recipe, name or run.rows[0].data) if part))
