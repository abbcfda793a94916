"""How the page looks and who can use it: colours, sizes, keyboard, screen readers, tables of charts."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import math
import os
import re
from datetime import datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, Route, expect

from bongsu.views.web import static
from live_page import Page as Server
from live_page import page, readings
from visiting import CHROMIUM, Visit

STATIC = Path(static.FOLDER)
RGB = tuple[float, ...]
Matrix = tuple[RGB, ...]

# How a deuteranope and a protanope see linear RGB: Machado, Oliveira, Fernandes 2009, severity 1.
SEEN_BY: dict[str, Matrix] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranope": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "protanope": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}
# From linear RGB to the cones, and from their cube roots to OKLab: Ottosson 2020.
CONES: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)  # fmt: skip
OKLAB: Matrix = (
    (0.2104542553, 0.793617785, -0.0040720468), (1.9779984951, -2.428592205, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.808675766),
)  # fmt: skip

in_browser = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


def tokens(theme: str) -> dict[str, str]:
    """The colours of a theme, by name."""
    css = (STATIC / "tokens.css").read_text()
    light, dark = css.split('[data-theme="dark"]')
    found = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", light))
    return found if theme == "light" else {**found, **dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", dark))}


def linear(colour: str) -> RGB:
    """A colour as three shares of light."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)


def times(matrix: Matrix, vector: RGB) -> RGB:
    """A matrix by a vector."""
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def contrast(a: str, b: str) -> float:
    """As WCAG 2 counts it."""
    low, high = sorted(sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (a, b))
    return (high + 0.05) / (low + 0.05)


def apart(a: str, b: str, eye: str) -> float:
    """How far two colours are from each other for an eye, in hundredths of OKLab's lightness."""
    seen = [tuple(min(1.0, max(0.0, c)) for c in times(SEEN_BY[eye], linear(x))) for x in (a, b)]
    return 100 * math.dist(*(times(OKLAB, tuple(c ** (1 / 3) for c in times(CONES, x))) for x in seen))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_lines_stand_out(theme: str) -> None:
    """Text has a contrast of 4.5 to what it stands on, a line of a chart 3 to its card: WCAG 2 AA."""
    colour = tokens(theme)
    for ground, text in itertools.product(
        ("card", "ground", "raised"), ("ink", "quiet", "accent", "good", "warn", "bad")
    ):
        assert contrast(colour[ground], colour[text]) >= 4.5, (ground, text)
    assert contrast(colour["accent"], colour["on-accent"]) >= 4.5
    for hue in range(8):
        assert contrast(colour["card"], colour[f"hue-{hue}"]) >= 3, hue


@pytest.mark.parametrize("eye", SEEN_BY)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_of_one_dash_differ_for_every_eye(theme: str, eye: str) -> None:
    """Four hues share a dash; none of them is taken for another by people who see no red or no green."""
    colour = tokens(theme)
    for first in (0, 4):
        for a, b in itertools.combinations(range(first, first + 4), 2):
            assert apart(colour[f"hue-{a}"], colour[f"hue-{b}"], eye) >= 11, (a, b)


def test_all_colours_are_named_once() -> None:
    """Only the tokens hold colours: a new theme is one block, and no meaning has two."""
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*;)|\brgba?\(", (STATIC / "page.css").read_text()) == []


@in_browser
@pytest.mark.parametrize("section", ["overview", "owners", "processes", "runs", "health"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nobody_is_shut_out(browser: Browser, server: Server, width: int, scheme: str, section: str) -> None:
    """axe-core has no serious or critical finding: names, roles, order, contrast."""
    with Visit(browser, server, width=width, scheme=scheme, at=f"#{section}") as visit:
        visit.live()
        if section == "overview":
            visit.page.get_by_role("button", name="View Heat as a table").click()
            found = findings(visit)
            visit.page.keyboard.press("Escape")
            assert found == []
        assert findings(visit) == []
        visit.clean()


def findings(visit: Visit) -> list[str]:
    """What axe-core finds that is serious or critical. It needs to be let in beside the content policy."""
    result = Axe().run(visit.page).response
    return [
        f"{v['id']}: {node['html']} {node.get('failureSummary')}"
        for v in result["violations"] if v["impact"] in {"serious", "critical"} for node in v["nodes"]
    ]  # fmt: skip


@in_browser
def test_a_chart_is_a_table_and_a_file(browser: Browser, server: Server) -> None:
    """Its times by its lines, newest first; the file has the same rows in base units; Esc gives the focus back."""
    with Visit(browser, server) as visit:
        visit.live()
        opener = visit.page.get_by_role("button", name="View Heat as a table")
        opener.focus()
        visit.page.keyboard.press("Enter")
        dialog = visit.page.get_by_role("dialog", name="Heat")
        expect(dialog.locator("thead th").first).to_have_text("Time")
        expect(dialog.locator("thead th").nth(1)).to_have_text("attic")
        expect(dialog.locator("tbody tr").first.locator("td").first).to_have_text("40 °C")
        rows = dialog.locator("tbody tr").count()
        for _ in range(8):
            visit.page.keyboard.press("Tab")
            assert visit.page.evaluate(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        with visit.page.expect_download() as caught:
            dialog.get_by_role("button", name="Download CSV").click()
        assert re.fullmatch(r"bongsu-heat-\d{8}T\d{4}Z\.csv", caught.value.suggested_filename)
        table = list(csv.reader(io.StringIO(Path(caught.value.path()).read_text())))
        assert table[0][:2] == ["time", "attic (celsius)"]
        assert len(table) == rows + 1
        assert {float(row[1]) for row in table[1:]} == {40.0}
        assert [datetime.fromisoformat(row[0]) for row in table[1:]] == sorted(
            datetime.fromisoformat(row[0]) for row in table[1:]
        )
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator("dialog.sheet[open]")).to_have_count(0)
        expect(opener).to_be_focused()
        visit.clean()


def banded(route: Route, *, heat: bool = False) -> None:
    """The board with a band around the first line of the panel Heat, with or without its lower edge."""
    answer = route.fetch()
    board = answer.json()
    first = board["panels"][1]["series"][0]
    first["high"] = [None if value is None else value + 4 for value in first["values"]]
    first["low"] = None if heat else [None if value is None else value - 7 for value in first["values"]]
    board["panels"][1].update(heat=heat, top=80)
    route.fulfill(response=answer, json=board)


@in_browser
@pytest.mark.parametrize("heat", [False, True])
def test_a_band_is_in_the_table_too(browser: Browser, server: Server, heat: bool) -> None:
    """The least and the most that a value stands for have columns of their own; a heat map has the most alone."""
    server.hold()
    with Visit(browser, server) as visit:
        visit.page.route("**/api/board*", functools.partial(banded, heat=heat))
        visit.page.reload()
        if heat:
            scale = visit.page.locator("#chart-heat .scale")
            expect(scale).to_contain_text("the highest value of each cell")
            expect(visit.page.locator("#chart-heat .legend")).to_contain_text("attic: 44 °C")
        visit.page.get_by_role("button", name="View Heat as a table").click()
        dialog = visit.page.get_by_role("dialog", name="Heat")
        columns = ["attic", "attic, highest"] if heat else ["attic", "attic, lowest", "attic, highest"]
        cells = ["40 °C", "44 °C"] if heat else ["40 °C", "33 °C", "44 °C"]
        expect(dialog.locator("thead th")).to_have_count(len(columns) + 2)
        assert dialog.locator("thead th").all_inner_texts()[1:-1] == columns
        assert dialog.locator("tbody tr").first.locator("td").all_inner_texts()[:-1] == cells
        with visit.page.expect_download() as caught:
            dialog.get_by_role("button", name="Download CSV").click()
        table = list(csv.reader(io.StringIO(Path(caught.value.path()).read_text())))
        assert table[0][1:-1] == [f"{column} (celsius)" for column in columns]
        assert {tuple(row[1:-1]) for row in table[1:]} == {tuple(cell.split()[0] for cell in cells)}
        visit.clean()


@in_browser
@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", 'a"b,c'])
def test_a_name_is_no_formula_in_the_file(browser: Browser, name: str) -> None:
    """A spreadsheet opens the file: text that it would take for a formula begins with an apostrophe."""
    with page(make=lambda tick: readings(tick, (name,))) as running:
        running.tick(3)
        with Visit(browser, running) as visit:
            visit.page.get_by_role("button", name="View Heat as a table").click()
            with visit.page.expect_download() as caught:
                visit.page.get_by_role("button", name="Download CSV").click()
            heading = next(csv.reader(io.StringIO(Path(caught.value.path()).read_text())))[1]
            assert heading == f"{'' if name.startswith('a') else chr(39)}{name} (celsius)"


@in_browser
def test_the_theme_is_chosen_and_kept(browser: Browser, server: Server) -> None:
    """System, light, dark by one button; a link, the next visit, and charts drawn on canvas, have the same."""
    with Visit(browser, server, scheme="light") as visit:
        visit.live()
        root = visit.page.locator("html")
        button = visit.page.locator("#theme")
        expect(root).to_have_attribute("data-theme", "light")
        button.click()
        expect(button).to_have_accessible_name(re.compile("^Colours: light"))
        before = visit.page.locator("#chart-heat canvas").element_handle()
        button.click()
        expect(root).to_have_attribute("data-theme", "dark")
        assert before is not None
        assert not before.evaluate("canvas => canvas.isConnected"), "the canvas has the colours of before"
        assert visit.page.url.endswith("?theme=dark")
        for address in (visit.page.url, server.address):
            visit.page.goto(address)
            expect(root).to_have_attribute("data-theme", "dark")
        button.click()
        expect(root).to_have_attribute("data-theme", "light")
        visit.page.emulate_media(color_scheme="dark")
        expect(root).to_have_attribute("data-theme", "dark")
        visit.clean()


@in_browser
def test_a_tile_leads_to_its_chart(browser: Browser, server: Server) -> None:
    """A click, or Enter, brings the chart that explains the number, and the keyboard with it."""
    with Visit(browser, server, width=360) as visit:
        visit.live()
        link = visit.page.locator('[data-tile="heat"] a')
        link.focus()
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("#chart-heat")).to_be_focused()
        assert visit.page.locator("#chart-heat").evaluate("e => getComputedStyle(e).outlineStyle") != "none"
        expect(visit.page.locator("#chart-heat-title")).to_be_in_viewport()
        visit.clean()


@in_browser
def test_a_state_is_told_in_words_and_shape(browser: Browser, server: Server) -> None:
    """What is off has a sentence and a sign before it, not a colour alone; a tile that is not off has neither."""
    with Visit(browser, server) as visit:

        def off(route: Route) -> None:
            answer = route.fetch()
            board = answer.json()
            board["tiles"][0]["state"] = {"severity": "bad", "text": "all cores are busy"}
            route.fulfill(response=answer, json=board)

        server.hold()
        visit.page.route("**/api/board*", off)
        visit.page.route("**/api/stream", lambda route: route.abort())
        visit.page.reload()
        tile = visit.page.locator(".tile").first
        expect(tile.locator(".finding")).to_have_text("all cores are busy")
        assert tile.locator(".finding").evaluate("e => getComputedStyle(e, '::before').content") == '"◆"'
        expect(visit.page.locator(".tile").nth(1).locator(".finding")).to_be_hidden()


@in_browser
@pytest.mark.parametrize(
    ("unit", "step", "shown"),
    [
        ("per second", 0.005, ["0/s", "0.005/s", "0.01/s", "0.015/s"]), ("count", 0.02, ["0", "0.02", "0.04", "0.06"]),
        ("count", 5000, ["0", "5 k", "10 k", "15 k"]), ("ratio", 0.25, ["0 %", "25 %", "50 %", "75 %"]),
        ("ratio", 0.00005, ["0 %", "0.005 %", "0.01 %", "0.015 %"]), ("celsius", 5, ["0 °C", "5 °C", "10 °C", "15 °C"]),
    ],
)  # fmt: skip
def test_marks_of_an_axis_differ(browser: Browser, server: Server, unit: str, step: float, shown: list[str]) -> None:
    """However small the values are, no two marks have one text."""
    with Visit(browser, server) as visit:
        marks = visit.page.evaluate(
            "async ([unit, step]) => { const { mark } = await import('/static/units.js'); return [0, 1, 2, 3].map((i) => mark(i * step, unit)); }",
            [unit, step],
        )
        assert marks == shown


@in_browser
def test_the_navigation_says_where_one_is(browser: Browser, server: Server) -> None:
    """The section that one looks at is marked, for eyes and for screen readers."""
    with Visit(browser, server) as visit:
        visit.live()
        expect(visit.page.locator("nav [aria-current]")).to_have_text("Overview")
        visit.page.get_by_role("link", name="Health").click()
        expect(visit.page.locator("nav [aria-current]")).to_have_text("Health")


@in_browser
def test_a_link_comes_to_its_section(browser: Browser, server: Server) -> None:
    """Charts and tables that come after the first paint do not push away what the address names."""
    with Visit(browser, server, at="#health") as visit:
        visit.live()
        expect(visit.page.locator("#health h2").first).to_be_in_viewport()
        expect(visit.page.locator("nav [aria-current]")).to_have_text("Health")


@in_browser
@pytest.mark.parametrize("width", [1400, 760, 390])
def test_a_section_that_is_come_to_stands_below_the_header(browser: Browser, server: Server, width: int) -> None:
    """Its heading is all to be seen, however many lines what stays above takes."""
    with Visit(browser, server, width) as visit:
        visit.live()
        visit.page.locator("#facts").evaluate("e => { e.textContent = 'many words '.repeat(30) }")
        visit.page.get_by_role("link", name="Processes").click()
        expect(visit.page.locator("nav [aria-current]")).to_have_text("Processes")
        said = "document.querySelector('#processes h2').getBoundingClientRect().top"
        stays = "Math.max(...['.top', '.first'].map((n) => document.querySelector(n).offsetHeight))"
        visit.page.wait_for_function(f"() => {said} >= {stays} && {said} < {stays} + 120")


@in_browser
def test_drawings_of_a_row_stand_in_line(browser: Browser, server: Server) -> None:
    """However long the sentence above a chart is, its canvas begins where its neighbour's does."""
    with Visit(browser, server) as visit:
        visit.live()
        visit.page.locator("#chart-work figcaption p").evaluate("e => { e.textContent = 'many words '.repeat(30) }")
        for name in ("work", "heat"):
            expect(visit.page.locator(f"#chart-{name} canvas")).to_have_count(1)
        tops = "['work', 'heat'].map((n) => document.querySelector(`#chart-${n} canvas`).getBoundingClientRect().top)"
        visit.page.wait_for_function(f"() => {{ const [one, other] = {tops}; return one === other }}")
