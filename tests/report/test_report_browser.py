"""The page in a browser: it opens without a request or an error, and works by mouse and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic import SIZE

from hashprobe.report.page import render
from hashprobe.report.run import RunRecord

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs the Python package playwright (extra: dev)"
)

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A page from a file may not be given the clipboard; what matters is what would be written to it.
CLIPBOARD = """Object.defineProperty(navigator, "clipboard", {
  value: { writeText: async (text) => { window.copied = text; } },
});"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: Debian's package chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@contextmanager
def opened(browser: Any, path: Path, *, width: int = 1280, **options: Any) -> Iterator[Any]:
    """Open a page from its file; fail on any request, console error, exception or dialog."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.add_init_script(CLIPBOARD)
    page, faults = context.new_page(), []
    page.on(
        "console",
        lambda message: faults.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("data:", "blob:", path.as_uri())) else faults.append(request.url)
        ),
    )
    page.goto(path.as_uri())
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def page(browser: Any, reported: Path) -> Iterator[Any]:
    with opened(browser, reported) as page:
        yield page


@pytest.fixture(scope="module")
def mixed_path(mixed_directory: Path) -> Path:
    path = mixed_directory / "report.html"
    path.write_text(render(RunRecord.read(mixed_directory)), encoding="utf-8")
    return path


@pytest.fixture
def mixed(browser: Any, mixed_path: Path) -> Iterator[Any]:
    with opened(browser, mixed_path) as page:
        yield page


def cells(page: Any, heading: str) -> list[str]:
    """The texts of a column of the result table."""
    return page.eval_on_selector(
        "#table",
        """(table, heading) => {
          const heads = [...table.querySelectorAll("thead th")];
          let at = 0;
          for (const head of heads) { if (head.textContent.startsWith(heading)) break; at += head.colSpan; }
          return [...table.querySelectorAll("tbody tr")].map((row) => row.children[at].textContent);
        }""",
        heading,
    )


def heading(page: Any, text: str) -> Any:
    return page.locator("#table thead button", has_text=text).first


def test_a_column_sorts_by_mouse_and_keyboard(page: Any) -> None:
    heading(page, "t-MAP, %").click()
    falling = [float(text) for text in cells(page, "t-MAP, %")]
    assert falling == sorted(falling, reverse=True)
    head = page.locator("#table thead th", has_text="t-MAP, %").first
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")  # the focus stayed on the heading
    rising = [float(text) for text in cells(page, "t-MAP, %")]
    assert rising == sorted(rising)
    assert head.get_attribute("aria-sort") == "ascending"
    heading(page, "Attack").focus()
    page.keyboard.press("Space")
    assert cells(page, "Attack") == sorted(cells(page, "Attack"), key=str.lower)


def test_numbers_have_one_digit_after_the_point(page: Any) -> None:
    for column in ("t-MAP, %", "Chance, %"):
        assert all(len(text.partition(".")[2]) == 1 for text in cells(page, column)), column


def test_rows_are_filtered(page: Any) -> None:
    assert len(cells(page, "Attack")) == 12  # the headline protocol
    page.get_by_label("Protocol").first.select_option("")
    assert len(cells(page, "Attack")) == 24
    page.locator("#filters").get_by_label("Budget").select_option("unbounded")
    assert set(cells(page, "Attack")) == {"ProS-GAN"}
    assert page.locator("#table-count").inner_text().startswith("2 of 24")


def test_the_best_of_equal_budget_is_bold(page: Any) -> None:
    bold = page.locator("#table tr.best")
    assert bold.count() == 1
    assert "I-FGSM" in bold.inner_text()
    weight = bold.locator(".t").evaluate("(cell) => getComputedStyle(cell).fontWeight")
    assert int(weight) >= 600


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("markdown", "| --- |"), ("latex", "\\textbf{79."), ("csv", "Attack,")],
)
def test_the_table_is_copied(page: Any, kind: str, expected: str) -> None:
    page.locator(f"[data-copy={kind}]").click()
    page.wait_for_function("window.copied")
    copied = page.evaluate("window.copied")
    assert expected in copied
    assert copied.count("ProS-GAN") == 2
    assert "8/255" in copied


def test_menus_choose_query_target_and_attack(page: Any) -> None:
    adversarial = page.locator("#adversarial-picture")
    page.locator("#pick-query").select_option(index=2)
    first = adversarial.get_attribute("src")
    facts = page.locator("#facts").inner_text()
    chosen = page.locator("#pick-attack").evaluate("(menu) => menu.selectedIndex")
    page.locator("#pick-attack").select_option(index=1 - chosen)
    assert adversarial.get_attribute("src") != first
    page.locator("#next").focus()
    page.keyboard.press("Enter")
    assert page.locator("#facts").inner_text() != facts
    assert page.locator("#before li").count() == page.locator("#after li").count() == 10
    targets = page.locator("#pick-target option").all_inner_texts()
    assert [text.rpartition(" (")[2] for text in targets] == ["paper)", "disjoint)"]
    page.locator("#pick-target").select_option(index=0)
    assert "paper" in page.locator("#facts").inner_text()


def test_target_hits_are_framed_and_counted(page: Any) -> None:
    framed = page.locator("#after li.hit").count()
    assert page.locator("#after-count").inner_text() == f"{framed} of 10 carry the target label"
    target = page.locator("#facts .target dd").inner_text()
    for place in range(10):
        item = page.locator("#after li").nth(place)
        alt = item.locator("img").get_attribute("alt")
        assert (
            ("hit" in (item.get_attribute("class") or ""))
            == ("carries the target label" in alt)
            == (target in alt)
        )


def test_the_query_is_flipped_in_by_mouse_and_keyboard(page: Any) -> None:
    adversarial, button = page.locator("#adversarial-picture"), page.locator("#flip")
    query, attacked = page.locator("#query-picture").get_attribute("src"), adversarial.get_attribute("src")
    assert query != attacked
    button.hover()
    page.mouse.down()
    assert adversarial.get_attribute("src") == query
    page.mouse.up()
    assert adversarial.get_attribute("src") == attacked
    button.focus()
    page.keyboard.down("Space")
    assert adversarial.get_attribute("src") == query
    page.keyboard.up("Space")
    assert adversarial.get_attribute("src") == attacked


def test_the_difference_states_its_factor_and_the_largest_change(page: Any) -> None:
    page.locator("#factor").select_option("10")
    said = page.locator("#difference-caption")
    sync_api.expect(said).to_contain_text("× 10", timeout=60_000)
    assert "largest change 8 of 255" in said.inner_text()


def test_failures_are_on_a_shelf(page: Any) -> None:
    """The first query's average precision falls, so that it must be there."""
    failed = page.locator('[data-shelf="failed"] button')
    assert failed.count() >= 1
    failed.first.click()
    before, after = page.locator("#facts .figure").nth(1).inner_text().replace(",", "").split()[::2]
    assert float(after) <= float(before) or page.locator("#after li.hit").count() == 0


def test_curves_tell_values_to_pointer_and_keyboard(page: Any) -> None:
    chart = page.locator('[data-chart="pr"]').first
    chart.scroll_into_view_if_needed()
    chart.locator("svg").first.hover()
    tip = chart.locator(".tip")
    assert tip.is_visible()
    assert "I-FGSM" in tip.inner_text()
    page.mouse.move(0, 0)
    assert not tip.is_visible()
    chart.locator("> svg").focus()
    page.keyboard.press("Home")
    first = tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    assert "chance" in chart.inner_text()


def test_lines_are_switched_in_the_legend(page: Any) -> None:
    chart = page.locator('[data-chart="pr"]').first
    drawn = chart.locator("> svg path").count()
    chart.locator(".legend button", has_text="DHTA").click()
    assert chart.locator("> svg path").count() == drawn - 1


def test_dark_and_light_are_chosen_by_system_and_by_button(browser: Any, reported: Path) -> None:
    def paper(page: Any) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(",")[:3])

    with opened(browser, reported, color_scheme="dark") as page:
        assert paper(page) < 150
        page.locator("#theme").click()
        assert paper(page) > 650
        page.locator("#theme").focus()
        page.keyboard.press("Enter")
        assert paper(page) < 150


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_axe_finds_no_serious_fault(browser: Any, reported: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python (extra: dev)"
    )
    with opened(browser, reported, width=width, color_scheme=scheme) as page:
        for details in page.locator("details").all():
            details.evaluate("(element) => { element.open = true; }")
        found = axe.Axe().run(page).response["violations"]
    serious = [
        (fault["id"], [node["target"] for node in fault["nodes"]][:3])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("width", [390, 768, 1920])
def test_the_page_is_no_wider_than_the_screen(browser: Any, reported: Path, width: int) -> None:
    with opened(browser, reported, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["targeted", "mixed"])
def test_navigation_and_table_are_not_cut(
    browser: Any, reported: Path, mixed_path: Path, width: int, kind: str
) -> None:
    """Columns make room, first those that say least; what tells rows apart stays, if only under the name."""
    with opened(browser, reported if kind == "targeted" else mixed_path, width=width) as page:
        filters, box, nav = (page.locator(name) for name in ("#filters", "#results .scroll", "nav"))
        for group in ("disjoint", *(["untargeted", ""] if kind == "mixed" else [""])):
            filters.locator("select").first.select_option(group)
            for element in (box, nav):
                assert element.evaluate("(element) => element.scrollWidth - element.clientWidth") <= 0
            heads = headings(page)
            assert heads[0] == "Attack"
            assert any(head.startswith("Chance") for head in heads)
            if "Code" not in heads:
                under = page.locator("#table tbody .under").evaluate_all(
                    "(all) => all.map((one) => one.dataset.text)"
                )
                assert any("anchor" in text or "own" in text for text in under)
        assert "no room for" in page.locator("#table-count").inner_text()
        page.get_by_label("All columns").check()
        assert len(headings(page)) > len(heads)


def test_columns_come_back_where_there_is_room(browser: Any, reported: Path) -> None:
    with opened(browser, reported, width=390) as page:
        narrow = headings(page)
        page.set_viewport_size({"width": 1280, "height": 900})
        sync_api.expect(page.locator("#table thead th", has_text="RMS")).to_be_visible()
        assert set(narrow) < set(headings(page))


def test_names_are_explained_where_they_stand(browser: Any, reported: Path) -> None:
    with opened(browser, reported) as page:
        assert {"t-MAP", "disjoint", "P2P code", "DHTA"} <= set(page.locator("#terms dt").all_inner_texts())
        code = page.locator("#table tbody th", has_text="P2P code")
        assert "a yardstick and no attack" in (code.get_attribute("title") or "")
        assert "the target label shares nothing with the query" in page.locator("#facts").inner_text()
    with opened(browser, reported, width=390) as page:  # there it would fill the screen
        assert not page.locator("#terms dl").is_visible()
        page.locator("#terms summary").click()
        assert page.locator("#terms dl").is_visible()


def test_training_and_fingerprints_are_last_and_folded(page: Any) -> None:
    assert page.locator("section").last.get_attribute("id") == "training"
    assert not page.locator("#training-charts").is_visible()
    assert not page.get_by_text("split_sha256").is_visible()
    assert not page.locator("#facts .hex details").get_attribute("open")
    page.locator("#training summary").click()
    chart = page.locator("#training-charts svg").first
    sync_api.expect(chart).to_be_visible()
    page.wait_for_function("document.querySelector('#training-charts svg').clientWidth > 200")


def test_small_pictures_are_shown_smoothly_at_most_at_twice_their_size(page: Any) -> None:
    sync_api.expect(page.locator("#query-caption")).to_contain_text(f"{SIZE} × {SIZE} pixels")
    for picture in ("#query-picture", "#adversarial-picture", "#difference", "#after img"):
        shown = page.locator(picture).first
        assert shown.evaluate("(image) => getComputedStyle(image).imageRendering") == "auto"
        assert 0 < shown.evaluate("(image) => image.clientWidth") <= 2 * SIZE
    assert f"{SIZE} × {SIZE} pixels" in page.locator("#gallery .lead").inner_text()


def test_one_label_of_a_target_of_two_is_marked_and_counted(
    browser: Any, run_directory: Path, tmp_path: Path
) -> None:
    run = RunRecord.read(run_directory)
    assert run.gallery
    entry = next(entry for entry in run.gallery.entries if any(item.hit for item in entry.after))
    (label,) = entry.target_labels
    both = entry.model_copy(update={"target_labels": (label, "moon")})
    lead, *rest = both.after
    first = lead.model_copy(update={"labels": (label, "moon"), "hit": True})
    shown = replace(run.gallery, entries=(both.model_copy(update={"before": (), "after": (first, *rest)}),))
    path = tmp_path / "page.html"
    path.write_text(render(replace(run, gallery=shown)), encoding="utf-8")
    hits = 1 + sum(item.hit for item in rest)
    with opened(browser, path) as page:
        said = f"{hits} of 10 carry at least one of the 2 target labels, 1 carry all"
        assert page.locator("#after-count").inner_text() == said
        assert page.locator("#after li.partial").count() == hits - 1
        assert "carries 2 of 2 target labels" in page.locator("#after img").first.get_attribute("alt")
        assert "any of which counts" in page.locator("#facts").inner_text()


def test_hostile_names_are_shown_as_text(browser: Any, hostile_directory: Path) -> None:
    path = hostile_directory / "page.html"
    path.write_text(render(RunRecord.read(hostile_directory)), encoding="utf-8")
    with opened(browser, path, width=390) as page:
        for place in range(4):
            page.locator("#pick-query").select_option(index=place)
        page.locator("#made summary").click()
        text = page.locator("#made").inner_text()
        assert "<script>alert(1)</script>" in text
        assert '<img src=x onerror="alert(1)">' in text
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_findings_are_read_without_scripts(browser: Any, reported: Path) -> None:
    with opened(browser, reported, java_script_enabled=False) as page:
        assert "I-FGSM" in page.locator("#summary").inner_text()
        assert page.locator("#made").is_visible()


def test_printing_leaves_out_what_only_works_on_a_screen(page: Any) -> None:
    page.emulate_media(media="print")
    assert not page.locator("#theme").is_visible()
    assert not page.locator("#pick-query").is_visible()
    assert page.locator("#after img").first.is_visible()


def headings(page: Any) -> list[str]:
    return page.locator("#table thead th").all_inner_texts()


def test_the_table_of_a_goal_is_headed_by_its_score(mixed: Any) -> None:
    assert "t-MAP, %" in headings(mixed)
    mixed.locator("#filters").get_by_label("Goal or protocol").select_option("untargeted")
    shown = headings(mixed)
    assert {"MAP, %", "MAP benign, %", "Made on", "Index", "First", "Questions"} <= set(shown)
    assert not {"t-MAP, %", "Protocol", "Goal"} & set(shown)
    assert cells(mixed, "MAP, %")[4] == "32.0"
    assert mixed.locator("#table tr.best").inner_text().startswith("I-FGSM")
    assert "transfer: bbbbbbbb" in cells(mixed, "Made on")
    mixed.locator("#filters").get_by_label("Goal or protocol").select_option("")
    assert {"t-MAP or MAP, %", "Goal", "Protocol"} <= set(headings(mixed))
    assert set(cells(mixed, "Goal")) == {"targeted", "untargeted"}


def test_a_run_of_targeted_attacks_shows_no_column_of_other_goals(page: Any) -> None:
    page.get_by_label("Protocol").first.select_option("")
    assert not {"Goal", "Made on", "Index", "First", "Questions", "Recall, %"} & set(headings(page))


def test_the_curves_of_untargeted_attacks_are_chosen(mixed: Any) -> None:
    mixed.locator("#curve-controls").get_by_label("Goal or protocol").select_option("untargeted")
    assert "unchanged queries 71.0" in mixed.locator('[data-chart="map-over-epsilon"]').inner_text()
    assert mixed.locator('[data-chart="t-map-over-epsilon"]').count() == 0


def test_the_gallery_of_an_untargeted_attack_counts_what_is_relevant_still(mixed: Any) -> None:
    assert mixed.locator("#key-target").is_visible()
    mixed.locator("#pick-target").select_option(label="no target (untargeted)")
    relevant = mixed.locator("#after .tag-relevant").count()
    assert (
        mixed.locator("#after-count").inner_text() == f"{relevant} of 10 still share a label with the query"
    )
    assert "away from" in mixed.locator("#facts").inner_text()
    assert not mixed.locator("#key-target").is_visible()
    assert mixed.locator("#after li.hit").count() == 0
    shelves = mixed.locator("#shelves").inner_text()
    assert "the largest fall in average precision for the query's own labels" in shelves
    assert "target" not in shelves.replace("untargeted", "")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_mixed_page_is_sound(browser: Any, mixed_path: Path, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(browser, mixed_path, width=width) as page:
        page.locator("#filters").get_by_label("Goal or protocol").select_option("untargeted")
        page.locator("#pick-target").select_option(label="no target (untargeted)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.Axe().run(page).response["violations"]
    assert [fault["id"] for fault in found if fault["impact"] in ("serious", "critical")] == []
