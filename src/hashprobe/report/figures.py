"""The plots as files, in the formats that papers take."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import matplotlib

from hashprobe.files import replacing
from hashprobe.report import plots
from hashprobe.report.run import Run

FORMATS = ("svg", "pdf", "png")

_UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""Without a date in it, the same results give the same file."""


def write_figures(run: Run, folder: Path) -> list[Path]:
    """Write every figure that the run has values for as SVG, PDF and PNG (200 dpi).

    Args:
        run: The run.
        folder: Where; made if it is not there.

    Returns:
        The files, in order.

    Raises:
        HashprobeError: a file could not be written.
    """
    written = []
    with matplotlib.rc_context(plots.STYLE), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing from"
        )  # a name in a script without a font here
        for name, figure in plots.figures(run).items():
            for place, kind in enumerate(FORMATS):
                if place == 1:
                    figure.set_layout_engine("none")  # the first file laid it out; once is enough
                path = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:100]}.{kind}"
                with replacing(path) as temporary:
                    figure.savefig(temporary, format=kind, dpi=200, metadata=_UNDATED[kind])
                written.append(path)
    return written
