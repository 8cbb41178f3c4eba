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
from synthetic import SIZE, UNTARGETED, projections, untargeted_row, write_run

from hashprobe import report
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
            link = tag == "a" and name == "href"  # followed by the reader alone
            assert value is None or value.startswith(("#", "data:", *(["https://"] if link else []))), value
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


def test_hostile_rows_stay_text() -> None:
    bad = "</script><b onmouseover=alert(1)>\u202e$x"
    rows = [
        untargeted_row(
            bad, bad, 8 / 255, 0.5, {"index": bad, "attacked_model": bad, "data": bad, "row": str(place)}
        )
        for place in range(2)
    ]
    page = render(RunRecord.from_rows(rows))
    found = Elements(page).found
    assert [tag for tag, _ in found if tag in ("script", "b")] == ["script", "script"]
    assert not [attributes for _, attributes in found if any(name.startswith("on") for name in attributes)]
    assert "\u202e" not in page


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


def test_an_attack_has_one_colour_in_all_charts_and_lends_it_to_its_code(mixed_directory: Path) -> None:
    run = RunRecord.read(mixed_directory)
    sets = embedded(render(run))["charts"]["sets"]
    colours: dict[str, set[int]] = {}
    for line in (line for drawn in sets for chart in drawn["charts"] for line in chart["lines"]):
        colours.setdefault(re.split(r"[ ,]* \(|, ", line["name"])[0], set()).add(line["colour"])
    assert {name: len(found) for name, found in colours.items()} == dict.fromkeys(colours, 1)
    order = [row.attack for row in run.rows if row.is_attack and row.attack != "Noise"]
    attacks = list(dict.fromkeys(order))
    assert [colours[name] for name in attacks] == [{place} for place in range(len(attacks))]
    assert colours["Original"] == colours["Noise"] == {-1}
    assert colours["Anchor code"] == colours["DHTA"]  # the first that aims at it
    assert colours["P2P code"] == colours["P2P"]


def test_untargeted_rows_have_charts_of_their_own(mixed_directory: Path) -> None:
    sets = embedded(render(RunRecord.read(mixed_directory)))["charts"]["sets"]
    drawn = {chart["name"]: chart for chart in next(s for s in sets if s["group"] == "untargeted")["charts"]}
    assert set(drawn) == {"pr", "precision-at-n", "map-over-epsilon", "map-over-time", "map-over-passes"}
    budgets = drawn["map-over-epsilon"]
    assert (budgets["chance"], budgets["reference"], budgets["y_label"]) == (0.44, 0.71, "MAP, %")
    iterated = next(line for line in budgets["lines"] if line["name"] == "I-FGSM")
    assert (iterated["x"], iterated["y"]) == ([4, 8], [0.41, 0.32])
    assert "own labels" in drawn["pr"]["title"]
    others = {s["setting"] for s in sets if s["group"] == "untargeted"}
    assert {"made on bbbbbbbb", "index faiss-ivf, first 100"} < others


def test_the_figures_of_untargeted_rows_have_their_own_names(mixed_directory: Path) -> None:
    names = plots.figures(RunRecord.read(mixed_directory))
    assert {"pr-untargeted", "map-over-epsilon-untargeted", "t-map-over-epsilon-disjoint"} <= set(names)
    assert "transfer-I-FGSM (8/255)-untargeted" in names


def test_a_page_of_untargeted_rows_alone_speaks_of_no_target(tmp_path: Path) -> None:
    rows = [untargeted_row(*spec) for spec in UNTARGETED]
    page = render(RunRecord.from_rows(rows))
    told = page.split("<script")[0]
    assert "t-MAP" not in told
    assert "target label" not in told
    assert "the lower it is, the stronger" in told
    assert "transfer: made against another model, bbbbbbbb" in told
    assert "searched by faiss-ivf, recall 97.3 %" in told


def test_no_attack_is_named_in_the_code_of_the_report() -> None:
    folder = Path(report.__file__).parent
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".js", ".html", ".css")]
    assert files
    naming = re.compile(r"pros-?gan|\b(p2p|dhta)\b", re.IGNORECASE)
    named = {path.name for path in files if naming.search(path.read_text(encoding="utf-8"))}
    assert named == set()


def test_optional_sections_are_absent_when_their_files_are(tmp_path: Path) -> None:
    write_run(tmp_path, queries=1)
    for name in ("audit.json", "transfer.jsonl", "curves.jsonl", "experiment.json", "gallery/gallery.json"):
        (tmp_path / name).unlink()
    ids = {attributes.get("id") for _, attributes in Elements(render(RunRecord.read(tmp_path))).found}
    assert {"summary", "results", "made"} <= ids
    assert not {"gallery", "audit", "transfer"} & ids


def test_openmoji_is_credited_beside_its_pictures_and_at_the_foot(tmp_path: Path) -> None:
    run = RunRecord.read(write_run(tmp_path, queries=1))
    assert "OpenMoji" not in render(run)
    run.experiment["data"]["name"] = "openmoji"
    page = render(run)
    for part in (page.split('id="gallery"')[1].split("</section>")[0], page.split("<footer>")[1]):
        assert 'href="https://openmoji.org"' in part
        assert 'href="https://creativecommons.org/licenses/by-sa/4.0/"' in part
        assert "CC BY-SA 4.0" in part


def test_other_data_say_their_credit_themselves(tmp_path: Path) -> None:
    run = RunRecord.read(write_run(tmp_path, queries=1))
    run.experiment["data"]["credit"] = {
        "by": "Photos by <b>A & B</b>",
        "url": "javascript:alert(1)",
        "licence": "CC0",
    }
    footer = render(run).split("<footer>")[1]
    assert "Photos by &lt;b&gt;A &amp; B&lt;/b&gt;" in footer
    assert "CC0" in footer
    assert "javascript:" not in footer.split("</footer>")[0]
