"""How long a browser takes to open a large report: 5,000 rows and 50 queries, against the smallest report.

Opened means: loaded, the script has run, and the table, the gallery and the charts have been painted.

    python benchmarks/report_opens.py
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from hashprobe.report.page import render
from hashprobe.report.run import RunRecord

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "report"))
from synthetic import write_run

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PAINTED = """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const gallery = document.querySelectorAll("#after img");
  resolve({
    milliseconds: performance.now(),
    rows: document.querySelectorAll("#table tbody tr").length,
    pictures: [...gallery].filter((image) => image.complete && image.naturalWidth).length,
    charts: document.querySelectorAll("#curve-charts > *").length,
  });
})))"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        large = page_of(Path(name) / "large", options.rows, options.queries)
        small = page_of(Path(name) / "small", 0, 1)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.browser, args=FLAGS)
            seen: dict[Path, list[dict[str, Any]]] = {large: [], small: []}
            for _ in range(options.repeats):
                for path, found in seen.items():  # in turn, so that a busy machine slows both
                    found.append(opened(browser, path))
            browser.close()
        medians = {}
        for title, path in (("large", large), ("small", small)):
            taken = [one["milliseconds"] for one in seen[path]]
            medians[title] = statistics.median(taken)
            processor = statistics.median(one["processor"] for one in seen[path])
            print(
                f"{title}: {path.stat().st_size / 2**20:.2f} MiB, opened after {medians[title]:.0f} ms (median; "
                f"{min(taken):.0f} to {max(taken):.0f}), of which processor time {processor:.0f} ms"
            )
        painted = {name: seen[large][0][name] for name in ("rows", "pictures", "charts")}
        print(
            f"large over small: {medians['large'] / medians['small']:.1f}; painted in the large one: {painted}"
        )


def page_of(folder: Path, rows: int, queries: int) -> Path:
    run = write_run(folder, rows=max(0, rows - 24), queries=queries, database=40 * queries, size=64)
    path = folder / "report.html"
    path.write_text(render(RunRecord.read(run)), encoding="utf-8")
    return path


def opened(browser: Any, path: Path) -> dict[str, Any]:
    """Return what is painted, when, and how much processor time the page's own thread had taken by then."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path.as_uri(), wait_until="load")
    seen: dict[str, Any] = page.evaluate(PAINTED)
    metrics = {
        metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]
    }
    context.close()
    return seen | {"processor": 1000 * metrics["TaskDuration"]}


if __name__ == "__main__":
    main()
