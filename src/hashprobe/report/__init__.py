"""The report of a run: one HTML file of tables, curves and pictures; figures; text for the terminal."""

from hashprobe.report import plots
from hashprobe.report.markdown import markdown_report
from hashprobe.report.notebook import Report
from hashprobe.report.page import write_report
from hashprobe.report.run import RunRecord
from hashprobe.report.text import text_report

__all__ = ["Report", "RunRecord", "markdown_report", "plots", "text_report", "write_report"]
