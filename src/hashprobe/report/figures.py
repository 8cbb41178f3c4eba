"""The plots as files, in the formats that papers take."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hashprobe.files import replacing
from hashprobe.progress import progress_bar
from hashprobe.report import plots
from hashprobe.report.run import RunRecord

FORMATS = ("svg", "pdf", "png")

_UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""Without a date in it, the same results give the same file."""


def write_figures(run: RunRecord, folder: Path, *, progress: bool = False) -> list[Path]:
    """Write every figure that the run has values for as SVG, PDF and PNG (200 dpi).

    Args:
        run: The run.
        folder: Where; made if it is not there.
        progress: Whether a progress bar is shown.

    Returns:
        The files, in order.

    Raises:
        HashprobeError: a file could not be written.
    """
    written = []
    figures = plots.figures(run)
    with progress_bar("figures", len(figures), show=progress) as advance:
        for name, figure in figures.items():
            stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:100]
            written += save_figure(figure, folder, stem)
            advance(1)
    return written


@plots.STYLED
def save_figure(
    figure: Figure, folder: Path, stem: str, *, formats: Sequence[str] = FORMATS, dpi: int = 200
) -> list[Path]:
    """Save a figure in several formats; the same figure gives the same files.

    Args:
        figure: The figure.
        folder: Where; made if it is not there.
        stem: Of the files' names.
        formats: Some of ``FORMATS``.
        dpi: Of what is drawn in points of colour.

    Raises:
        HashprobeError: a file could not be written.
    """
    with warnings.catch_warnings():
        # A name may be in a script that no font here has; the figure then shows boxes, as any viewer would.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        return [_save(figure, folder / f"{stem}.{kind}", kind, dpi) for kind in formats]


def _save(figure: Figure, path: Path, kind: str, dpi: int) -> Path:
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=dpi, metadata=_UNDATED[kind])
    figure.set_layout_engine("none")  # it is laid out now: once is enough for all formats
    return path
