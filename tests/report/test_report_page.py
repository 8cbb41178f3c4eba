"""The page as a file: one, small, the same each time, with names as text and pictures to the last bit."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from synthetic import SIZE, projections, write_run

from hashprobe.report import plots, write_report
from hashprobe.report.page import json_for_html, render
from hashprobe.report.run import RunRecord


class Elements(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def embedded(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def decoded(uri: str) -> np.ndarray:
    head, packed = uri.split(",", 1)
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(packed))).convert("RGB")).transpose(2, 0, 1)


@pytest.fixture(scope="module")
def page(run_directory: Path) -> str:
    return render(RunRecord.read(run_directory))


def test_the_report_and_its_figures_are_written(tmp_path: Path) -> None:
    write_run(tmp_path, queries=1, protocols=("disjoint",))
    assert write_report(tmp_path) == tmp_path / "report.html"
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    for name in ("pr-disjoint", "precision-at-n-disjoint", "t-map-over-epsilon-disjoint", "training-prosgan"):
        assert name in names
        ElementTree.parse(tmp_path / f"figures/{name}.svg")
        assert (tmp_path / f"figures/{name}.pdf").read_bytes().startswith(b"%PDF")
    assert not list(tmp_path.rglob("*.part"))


def test_the_same_run_gives_the_same_page(run_directory: Path, page: str) -> None:
    assert render(RunRecord.read(run_directory)) == page


def test_nothing_is_fetched(page: str) -> None:
    for tag, attributes in Elements(page).found:
        for name in ("src", "href", "srcset", "action", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_shown_adversarial_picture_gives_the_reported_code(run_directory: Path, page: str) -> None:
    gallery, encode = embedded(page)["gallery"], projections(SIZE)
    entries = json.loads((run_directory / "gallery/gallery.json").read_text())["entries"]
    assert len(gallery["entries"]) == len(entries) == 4 * 4 * 2
    for shown, entry in zip(gallery["entries"], entries, strict=True):
        picture = decoded(gallery["pictures"][shown["adversarial"]])
        assert encode(picture[None])[0].tobytes().hex() == entry["code_hex"] == shown["code"]


def test_each_picture_is_embedded_once(run_directory: Path, page: str) -> None:
    pictures = embedded(page)["gallery"]["pictures"]
    assert len(set(pictures)) == len(pictures)
    named = {
        name
        for entry in json.loads((run_directory / "gallery/gallery.json").read_text())["entries"]
        for name in (
            entry["query_image"],
            entry["adversarial_image"],
            *(n["image"] for n in entry["before"] + entry["after"]),
        )
    }
    assert len(pictures) == len(named)


@pytest.mark.parametrize("pictures", [500_000, 200_000])
def test_a_page_keeps_its_limit_and_the_attack(tmp_path: Path, pictures: int) -> None:
    """Noise is the worst that a picture can be to pack; the first limit compresses, the second leaves out some."""
    run = write_run(tmp_path, queries=12, database=150, protocols=("disjoint",))
    rng = np.random.default_rng(0)
    for path in (run / "gallery/images").glob("d*.png"):
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(path)
    limit = len(render(RunRecord.read(run), limit=0).encode()) + pictures
    page = render(RunRecord.read(run), limit=limit)
    assert len(page.encode()) < limit
    gallery = embedded(page)["gallery"]
    assert gallery["compressed"]
    shown, complete = len(gallery["entries"]), len(gallery["entries"]) == gallery["all"]
    assert complete == (pictures == 500_000)
    assert complete or f"{shown} of {gallery['all']} examples" in page
    entry = gallery["entries"][-1]
    row = embedded(page)["table"]["columns"]["row"]
    name = row["texts"][row["index"][entry["row"]]]
    wanted = np.asarray(Image.open(run / f"gallery/images/{name}-q{entry['query']}.png")).transpose(2, 0, 1)
    assert np.array_equal(decoded(gallery["pictures"][entry["adversarial"]]), wanted)


def test_hostile_names_stay_text(hostile_directory: Path) -> None:
    page = render(RunRecord.read(hostile_directory))
    found = Elements(page).found
    assert [tag for tag, _ in found if tag == "script"] == ["script", "script"]
    assert not [attributes for _, attributes in found if any(name.startswith("on") for name in attributes)]
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "x" * 300 in page
    entry = embedded(page)["gallery"]["entries"][0]
    assert "<script>alert(1)</script>" in entry["name"] + "".join(entry["labels"] + entry["target"])


def test_hostile_names_can_be_drawn(hostile_directory: Path) -> None:
    figure = plots.transfer(RunRecord.read(hostile_directory))
    written = io.StringIO()
    figure.savefig(written, format="svg")
    ElementTree.fromstring(written.getvalue())


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "a & b", "\u2028", "'\""])
def test_json_cannot_leave_its_element(text: str) -> None:
    written = str(json_for_html({text: text}))
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == {text: text}


def test_best_is_marked_and_every_budget_is_said(page: str) -> None:
    table = embedded(page)["table"]
    texts, index = table["columns"]["budget"]["texts"], table["columns"]["budget"]["index"]
    assert set(texts) == {"none", "no picture", "8/255", "4/255", "unbounded"}
    best = {(texts[index[row]]) for row in table["best"]}
    assert best == {"8/255"}


def test_optional_sections_are_absent_when_their_files_are(tmp_path: Path) -> None:
    write_run(tmp_path, queries=1)
    for name in ("audit.json", "transfer.jsonl", "curves.jsonl", "experiment.json", "gallery/gallery.json"):
        (tmp_path / name).unlink()
    ids = {attributes.get("id") for _, attributes in Elements(render(RunRecord.read(tmp_path))).found}
    assert {"summary", "results", "made"} <= ids
    assert not {"gallery", "audit", "transfer"} & ids
