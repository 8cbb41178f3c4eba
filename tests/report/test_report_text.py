"""The report elsewhere: in a terminal, in a notebook, and its plots alone."""

from __future__ import annotations

import html
import io
import sys
import types
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from hashprobe.errors import HashprobeError
from hashprobe.report import Report, charts, plots, text_report
from hashprobe.report.run import RunRecord

PLOTS = [plots.precision_recall, plots.precision_at, plots.over_epsilon, plots.over_time, plots.over_passes]


def printed(directory: Path, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    text_report(directory, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_the_summary_and_every_row(run_directory: Path) -> None:
    text = printed(run_directory, 140)
    assert "No pixel value changes by more than 8 of 255" in " ".join(text.split())
    assert text.count("ProS-GAN, prototype") == 4
    assert text.count("unbounded") == 2
    assert "disjoint" in text
    assert "paper" in text


def test_the_terminal_shows_untargeted_rows_by_their_map(mixed_directory: Path) -> None:
    text = printed(mixed_directory, 140)
    table, _, names = text[text.index("untargeted (soft pictures") :].partition("t-MAP: ")
    assert "Bold: the lowest MAP of the attacks with equal budget" in table
    assert "t-MAP" not in table
    (line,) = [line for line in table.splitlines() if "I-FGSM, own" in line and "4/255" in line]
    assert [text for text in line.split() if text[0].isdigit()][:4] == ["4/255", "41.0", "39.0–43.0", "44.0"]
    assert "transfer: made against another model" in " ".join(table.split())
    assert "P2P code: a yardstick and no attack" in names


def test_the_terminal_shows_names_as_text(hostile_directory: Path) -> None:
    text = printed(hostile_directory, 80)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_notebook_gets_the_same_page(run_directory: Path, tmp_path: Path) -> None:
    report = Report(run_directory)
    frame = report._repr_html_()
    assert frame.startswith("<iframe")
    assert "<script>" not in frame
    saved = report.save(tmp_path / "somewhere.html")
    assert saved.read_text(encoding="utf-8") == report.html()


def test_a_notebook_takes_rows_from_memory() -> None:
    row = {"attack": "FGSM", "protocol": "paper", "epsilon": None, "t_map": 0.61, "chance": 0.5}
    assert "FGSM" in Report([row]).html()
    with pytest.raises(HashprobeError, match="must be a mapping or a ResultRow; found int"):
        Report([1])


def test_every_plot_is_a_figure_and_changes_nothing_global(run_directory: Path) -> None:
    run, before = RunRecord.read(run_directory), dict(matplotlib.rcParams)
    figures = [plot(run, "paper") for plot in PLOTS]
    figures += [plots.training(run, "prosgan"), plots.transfer(run)]
    assert all(isinstance(figure, Figure) for figure in figures)
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.pyplot.get_fignums() == []


def test_a_curve_holds_the_run_s_values_and_chance(run_directory: Path) -> None:
    run = RunRecord.read(run_directory)
    axes = plots.precision_at(run, "disjoint").axes[0]
    drawn = [list(line.get_ydata()) for line in axes.get_lines()]
    wanted = next(row for row in run.rows if row.attack == "P2P" and row.protocol == "disjoint")
    assert any(
        values == pytest.approx([100 * p for p in run.curves[wanted.row].precision_at]) for values in drawn
    )
    assert any(values == pytest.approx([49.0, 49.0]) for values in drawn)


def test_a_plot_without_values_is_refused(run_directory: Path) -> None:
    run = RunRecord.read(run_directory)
    with pytest.raises(HashprobeError, match="no row under protocol 'single'"):
        plots.precision_recall(run, "single")
    with pytest.raises(HashprobeError, match=r"no training log 'gan'; it has hash-model, prosgan"):
        plots.training(run, "gan")
    with pytest.raises(HashprobeError, match="nothing to draw"):
        plots.precision_recall(RunRecord(rows=run.rows))


def test_the_score_over_a_single_budget_is_not_drawn(run_directory: Path) -> None:
    """It is a stack of points above one another, unbounded attacks beside it or not."""
    run = RunRecord.read(run_directory)
    rows = plots.select(run, "disjoint")
    assert "t-map-over-epsilon" in [chart.name for chart in charts.of_rows(run, rows)]
    one = [row for row in rows if row.epsilon in (None, 8 / 255)]
    drawn = [chart.name for chart in charts.of_rows(run, one)]
    assert drawn == ["pr", "precision-at-n", "t-map-over-time", "t-map-over-passes"]


def test_unbounded_attacks_are_rings_apart_from_bounded_ones(run_directory: Path) -> None:
    run = RunRecord.read(run_directory)
    for chart in (charts.over_epsilon, charts.over_time, charts.over_passes):
        lines = {line.name: line for line in chart(run, plots.select(run, "disjoint")).lines}
        assert lines["ProS-GAN (unbounded)"].hollow
        assert not lines["ProS-GAN"].hollow
        assert lines["I-FGSM, anchor"].dash != lines["I-FGSM, prototype"].dash


def test_show_displays_the_page_in_a_notebook(run_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=shown.append))
    report = Report(run_directory)
    report.show(height=500)
    assert html.escape(report.html()) in shown[0]._repr_html_()
    assert 'height="500"' in shown[0]._repr_html_()


def test_show_elsewhere_says_what_to_do(run_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(HashprobeError, match=r"use save\(path\)"):
        Report(run_directory).show()
