"""The report in a notebook, from a run directory or from result rows that are still in memory."""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hashprobe.errors import HashprobeError
from hashprobe.files import write_text
from hashprobe.report.page import render
from hashprobe.report.run import RunRecord

Results = str | Path | Iterable[Mapping[str, Any] | Any]


class Report:
    """The report of some results, for looking at and for saving.

    Args:
        results: A run directory, or result rows: mappings, or objects with ``model_dump``, such as
            ``hashprobe.evaluation.ResultRow``.

    Raises:
        HashprobeError: the directory or the rows hold no results, or something in them is malformed.

    Example:
        >>> row = {"attack": "FGSM", "protocol": "paper", "epsilon": 8 / 255, "t_map": 0.61, "chance": 0.5}
        >>> "FGSM" in Report([row]).html()
        True
    """

    def __init__(self, results: Results) -> None:
        if isinstance(results, str | Path):
            self.run = RunRecord.read(results)
        else:
            self.run = RunRecord.from_rows(_mapping(row) for row in results)

    def html(self) -> str:
        """Return the whole page: a string that needs no other file and no network."""
        return render(self.run)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, whole or not at all, and return its path."""
        write_text(Path(path), self.html())
        return Path(path)

    def show(self, height: int = 800) -> None:
        """Show the page in a notebook.

        Args:
            height: Of its frame, in pixels.

        Raises:
            HashprobeError: IPython is not installed, so this is no notebook.
        """
        try:
            ipython = importlib.import_module("IPython.display")
        except ImportError:
            message = "show() is for notebooks, and IPython is missing; use save(path) and open the file."
            raise HashprobeError(message) from None
        ipython.display(_Frame(self.html(), height))

    def _repr_html_(self) -> str:
        return _Frame(self.html(), 800)._repr_html_()


class _Frame:
    """A page within a page: its styles and its script stay its own."""

    def __init__(self, page: str, height: int) -> None:
        self.page, self.height = page, height

    def _repr_html_(self) -> str:
        page = html.escape(self.page)
        frame = f'width="100%" height="{self.height}" style="border: 1px solid #dfe2e7"'
        return f'<iframe title="hashprobe report" srcdoc="{page}" {frame}></iframe>'


def _mapping(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    if hasattr(row, "model_dump"):
        dumped: Mapping[str, Any] = row.model_dump()
        return dumped
    raise HashprobeError(f"a result row must be a mapping or a ResultRow; found {type(row).__name__}.")
