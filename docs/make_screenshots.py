"""Make the README's screenshots from the report of a run, in Chromium: docs/images/report-*.png.

    python docs/make_screenshots.py runs/quickstart

Needs the extra ``dev`` (playwright) and a Chromium (Debian's package ``chromium``).
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from hashprobe.files import replacing
from hashprobe.report import Report

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTH, MARGIN = 1280, 14
SHOTS = {
    "report-summary": ("#summary-title", ".tested"),
    "report-gallery": ("#viewer", "#viewer"),
    "report-table": ("#filters", "#table-controls"),
    "report-curves": ("#curve-charts", "#curve-charts"),
}
"""File stem; the elements that a screenshot begins and ends with."""

LIMIT = 250_000
"""Bytes of one picture, above which its colours are reduced to 256."""


def main() -> None:
    """Read the command line, open the report and save its parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    options = parser.parse_args()
    if options.browser is None:
        sys.exit("no chromium was found; install Debian's package chromium, or name one with --browser.")
    page_html = Report(options.run).html()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.set_content(page_html, wait_until="load")
        page.evaluate("document.querySelector('.bar').hidden = true")  # it would lie over the sections
        page.wait_for_timeout(500)
        for name, (first, last) in SHOTS.items():
            path = options.out / f"{name}.png"
            with replacing(path) as temporary:
                temporary.write_bytes(packed(taken(page, first, last)))
            print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")
        browser.close()


def taken(page: Any, first: str, last: str) -> bytes:
    """Return the page from one element to another, over its whole width, as PNG."""
    top = page.locator(first).bounding_box()["y"]
    box = page.locator(last).bounding_box()
    offset = page.evaluate("scrollY")
    clip = {
        "x": 0,
        "y": max(0, top + offset - MARGIN),
        "width": WIDTH,
        "height": box["y"] + box["height"] - top + 2 * MARGIN,
    }
    picture: bytes = page.screenshot(full_page=True, clip=clip)
    return picture


def packed(png: bytes) -> bytes:
    """Pack a PNG harder, with 256 colours if it is large otherwise."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for reduced in (image, image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)):
        out = io.BytesIO()
        reduced.save(out, "PNG", optimize=True)
        if out.tell() <= LIMIT:
            break
    return out.getvalue()


if __name__ == "__main__":
    main()
