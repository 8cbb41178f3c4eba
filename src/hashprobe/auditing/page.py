"""The report of an audit as one page: no script, nothing fetched, written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from hashprobe._version import __version__
from hashprobe.auditing.chart import draw, lines_of
from hashprobe.auditing.findings import Findings
from hashprobe.auditing.rows import PictureRow
from hashprobe.auditing.verdict import (
    index_sentences,
    interval,
    next_steps,
    not_tested,
    percent,
    threshold_sentence,
    verdict,
)
from hashprobe.data import read_image
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.own_size import Picture
from hashprobe.files import read_json, read_json_lines, user_path, write_text
from hashprobe.main_process import is_main
from hashprobe.templates import Templates
from hashprobe.text import plain
from hashprobe.typed_values import checked

LIMIT = 8 * 1024 * 1024
"""Bytes of a page: what a mail attachment may have."""
SHOWN_SIDE = 640
"""Pixels of the longer side of a picture that is shown as it is; a larger one is shown smaller, and its file is named."""
AMPLIFIED = 8
AIMS = ("evasion", "collision")
OPEN = 2
"""Pictures of each aim that are shown at once; the others are folded."""


@dataclass(frozen=True)
class Shown:
    """One of the weakest pictures as a page shows it.

    Attributes:
        row: What is known of it.
        photograph: Data URI of the photograph.
        attacked: Of the attacked picture.
        change: Of the difference, amplified around grey.
        other: Of the picture that it is to be taken for.
        size: Width and height of the photograph.
        scale: How much smaller it is shown; 1 for as it is.
    """

    row: PictureRow
    photograph: str
    attacked: str
    change: str
    other: str | None
    size: tuple[int, int]
    scale: float


@checked
def write_audit_report(folder: str | Path) -> Path:
    """Write ``report.html`` into the folder of an audit, from the files that are in it.

    Returns:
        The path of the page.

    Raises:
        HashprobeError: the folder holds no audit, a file of it is damaged, or writing failed.
    """
    folder = user_path(folder)
    path = folder / "report.html"
    if is_main():
        write_text(path, render(folder))
    return path


def render(folder: Path) -> str:
    """Return the page of an audit as HTML."""
    found = Findings.read(folder)
    points = read_json_lines(folder / "operating_points.jsonl")
    experiment = read_json(folder / "experiment.json")
    templates = Templates("hashprobe.auditing")
    style = templates.source("audit.css")
    try:
        lines = lines_of(found, points)
        chart = draw(lines, found.threshold, found.bits, lists=found.listed is not None)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise HashprobeError(
            f"{folder / 'operating_points.jsonl'} is damaged; give the command of the audit again, which writes it anew."
        ) from None
    page = templates.page("audit.html")
    shown: list[Shown] = []
    left = LIMIT
    for row in found.pictures:
        one = _shown(folder, row)
        if one is not None:
            left -= sum(len(uri or "") for uri in (one.photograph, one.attacked, one.change, one.other))
            shown += [one] if left > 0 else []
    return page.render(
        found=found,
        style=Markup(style),
        policy=_policy(style),
        verdict=verdict(found),
        threshold=" ".join([threshold_sentence(found), *index_sentences(found)]),
        steps=next_steps(found),
        gaps=not_tested(found),
        chart=chart,
        lines=lines,
        shown=shown,
        open=[one for aim in AIMS for one in [one for one in shown if one.row.aim == aim][:OPEN]],
        experiment=experiment if isinstance(experiment, dict) else {},
        percent=percent,
        interval=interval,
        plain=plain,
        amplified=AMPLIFIED,
        version=__version__,
    )


def _shown(folder: Path, row: PictureRow) -> Shown | None:
    """Return a picture with its photograph, or nothing where one of the files is gone or another one."""
    try:
        photograph, attacked = (read_image(folder / own, None) for own in (row.photograph_file, row.file))
        other = None if row.other_file is None else read_image(folder / row.other_file, None)
    except HashprobeError:
        return None
    if photograph.shape != attacked.shape:
        return None
    amplified = 128 + AMPLIFIED * (attacked.astype(int) - photograph)
    height, width = photograph.shape[1:]
    return Shown(
        row,
        _uri(photograph),
        _uri(attacked),
        _uri(amplified.clip(0, 255).astype("uint8")),
        None if other is None else _uri(other),
        (width, height),
        max(1.0, max(width, height) / SHOWN_SIDE),
    )


def _uri(picture: Picture) -> str:
    """Return a picture as a data URI: without loss at its size, or, where it is larger than is shown, smaller."""
    image, written = Image.fromarray(picture.transpose(1, 2, 0)), io.BytesIO()
    if max(image.size) <= SHOWN_SIDE:
        image.save(written, "WEBP", lossless=True, quality=80, method=2, exact=True)
    else:
        image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        image.save(written, "WEBP", quality=90, method=4)
    return "data:image/webp;base64," + base64.b64encode(written.getvalue()).decode("ascii")


def _policy(style: str) -> str:
    """Forbid every request and every script, and every style but the page's own."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
