"""The report of a run: one HTML file with tables, curves and pictures; figures for papers; a table for the terminal."""

from hashprobe.report.page import write_report
from hashprobe.report.run import Run

__all__ = ["Run", "write_report"]
