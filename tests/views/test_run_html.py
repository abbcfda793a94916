"""The page of a run: whole in one file, deaf to hostile names, usable by keyboard, on a phone and with thousands of processes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, Dialog, Page, expect

import run_reports
from bongsu.model.run import Point, RunReport
from bongsu.views.run_html import content
from bongsu.views.run_html.page import page
from visiting import CHROMIUM, chromium

in_browser = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")
Make = Callable[[], RunReport]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as opened:
        yield opened


@contextmanager
def opened(
    browser: Browser, folder: Path, report: RunReport, width: int = 1200, scheme: str = "light"
) -> Iterator[Page]:
    """The page, read from disk; at the end nothing may have gone wrong on it."""
    file = folder / "report.html"
    file.write_text(page(report))
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light", offline=True
    )
    try:
        shown = context.new_page()
        wrong: list[str] = []

        def refused(dialog: Dialog) -> None:
            wrong.append("a dialog")
            dialog.dismiss()

        shown.on(
            "console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None
        )
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("dialog", refused)
        shown.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
        shown.add_init_script(
            "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
        )
        shown.goto(file.as_uri())
        expect(shown.locator("#shown")).not_to_be_empty()
        yield shown
        assert shown.evaluate("violations") == []
        assert wrong == []
    finally:
        context.close()


class Elements(HTMLParser):
    """What elements a page has, and what stands in scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._open = {"tag": tag, **dict(attrs)} if tag in {"script", "style"} else None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.raw.append((self._open, data))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  the parser hands it
        self._open = None


def told(report: RunReport) -> dict[str, Any]:
    """What the page's script reads."""
    found: dict[str, Any] = json.loads(next(text for tag, text in Elements(page(report)).raw if "type" in tag))
    return found


@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda one: one.__name__)
def test_a_page_has_the_same_elements_whatever_things_are_called(make: Make) -> None:
    """No element, attribute or script comes out of a name; nothing is loaded from anywhere."""
    elements = Elements(page(make()))
    assert elements.tags.count("script") == 2
    assert elements.tags.count("style") == 1
    assert not {"img", "iframe", "link", "object", "embed", "base", "form"} & set(elements.tags)
    assert not [name for name, _ in elements.attributes if name.startswith("on") or name in {"src", "style", "srcdoc"}]
    assert {value for name, value in elements.attributes if name == "href"} == {"#processes"}


def test_the_policy_lets_only_what_stands_in_the_page_run() -> None:
    """Script and style are named by what they are; all else is forbidden."""
    elements = Elements(page(run_reports.hostile()))
    policy = next(
        value or "" for name, value in elements.attributes if name == "content" and "default-src" in (value or "")
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, text in elements.raw:
        if "type" not in tag:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag['tag']}-src 'sha256-{digest}'" in policy


def test_charts_hold_what_the_report_holds() -> None:
    """The area under the CPU line is the CPU time; what was never read is no line."""
    charts = {chart["title"]: chart for chart in told(run_reports.build())["charts"]}
    times, (line, *_) = charts["CPU"]["times"], charts["CPU"]["lines"]
    area = sum(rate * (b - a) for a, b, rate in zip(times, times[1:], line["values"][1:], strict=False))
    assert area == pytest.approx(200.0)
    assert [one["legend"] for one in charts["Memory"]["lines"]] == ["RSS", "PSS", "cgroup"]
    assert [one["seldom"] for one in charts["Memory"]["lines"]] == [False, True, False]
    assert all(chart["lines"] == [] for chart in told(run_reports.unknown())["charts"])


def test_a_long_run_is_thinned_and_says_so() -> None:
    """A day of seconds is more than a screen has; its peak stays."""
    points = tuple(
        Point(at_seconds=float(n), rss_bytes=2**40 if n == 54_321 else n) for n in range(1, 86_400)
    )  # fmt: skip
    report = msgspec.structs.replace(run_reports.sleeping(), samples=points)
    about = told(report)
    memory = about["charts"][1]
    assert len(memory["times"]) <= content.MOST_SAMPLES + 2
    assert max(value for value in memory["lines"][0]["values"] if value is not None) == 2**40
    assert about["notes"]
    assert about["notes"][0].startswith("Of 86.4 k samples the charts show")
    assert about["notes"][0] in re.sub(r"\s+", " ", page(report))


def test_more_processes_than_a_page_can_hold_are_said_to_be_left_out() -> None:
    """Those that cost most stay."""
    report = run_reports.build(content.MOST_PROCESSES + 500)
    about = told(report)
    assert len(about["processes"]) == content.MOST_PROCESSES
    assert "make" in {row[4] for row in about["processes"]}
    assert "Of 10.5 k processes" in about["notes"][0]


@in_browser
@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda one: one.__name__)
def test_every_page_opens_without_a_fault(browser: Browser, tmp_path: Path, make: Make) -> None:
    """No error, no dialog, no request, nothing that the policy refused, whatever a program is called."""
    with opened(browser, tmp_path, make()) as shown:
        expect(shown.get_by_role("heading", level=1)).not_to_be_empty()
        assert shown.locator("img, iframe").count() == 0


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize(
    "make", [run_reports.training, run_reports.build, run_reports.unknown], ids=lambda one: one.__name__
)
def test_nobody_is_shut_out(browser: Browser, tmp_path: Path, make: Make, width: int, scheme: str) -> None:
    """axe-core has no serious finding, light or dark, wide or narrow; nothing is wider than the window."""
    with opened(browser, tmp_path, make(), width, scheme) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        found = [
            f"{one['id']}: {node['html']} {node.get('failureSummary')}"
            for one in Axe().run(shown).response["violations"] if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]  # fmt: skip
        assert found == []


def where(shown: Page) -> str:
    """The part of the run that is shown."""
    return shown.locator("#shown").inner_text()


def charted(shown: Page) -> list[list[float]]:
    """The part of the run that each chart shows, once it is drawn."""
    shown.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    ranges: list[list[float]] = shown.evaluate("plots.map(plot => plot().scales.x).map(({min, max}) => [min, max])")
    return ranges


@in_browser
def test_all_charts_zoom_together_by_mouse_and_by_key(browser: Browser, tmp_path: Path) -> None:
    """A drag over one, a key on another, the buttons: one range for all."""
    with opened(browser, tmp_path, run_reports.build()) as shown:
        assert where(shown) == "0.0 s to 60.0 s"
        over = shown.locator("#charts .u-over").first
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        assert box
        shown.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
        shown.mouse.down()
        shown.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50, steps=5)
        shown.mouse.up()
        expect(shown.locator("#shown")).to_have_text(re.compile(r"^1[45]\.\d s to (29|30)\.\d s$"))
        ranges = charted(shown)
        assert len(ranges) == 4
        assert all(one == ranges[0] for one in ranges)
        assert 14 < ranges[0][0] < 16
        chart = shown.get_by_role("img", name=re.compile("^Memory"))
        chart.focus()
        shown.keyboard.press("0")
        expect(shown.locator("#shown")).to_have_text("0.0 s to 60.0 s")
        shown.keyboard.press("+")
        expect(shown.locator("#shown")).to_have_text("15.0 s to 45.0 s")
        assert charted(shown) == [[15, 45]] * 4
        shown.keyboard.press("ArrowLeft")
        expect(shown.locator("#shown")).to_have_text("7.5 s to 37.5 s")
        shown.get_by_role("button", name="All", exact=True).click()
        expect(shown.locator("#shown")).to_have_text("0.0 s to 60.0 s")


@in_browser
def test_five_thousand_processes_stay_usable(browser: Browser, tmp_path: Path) -> None:
    """By program at first; each in a row of its own when asked; found by name, walked by key; only what is seen is drawn."""
    with opened(browser, tmp_path, run_reports.build(5000)) as shown:
        assert shown.evaluate("lanes.length") == 4
        shown.get_by_label("a row for each program").uncheck()
        assert shown.evaluate("lanes.length") == 5000
        assert shown.evaluate("canvas.clientHeight") <= 480
        shown.locator("#gantt").focus()
        shown.keyboard.press("End")
        expect(shown.locator("#said")).to_contain_text("file4999.c")
        shown.keyboard.press("ArrowUp")
        expect(shown.locator("#said")).to_contain_text("file4998.c")
        shown.get_by_label("Find").fill("file1234.c")
        expect(shown.locator("#count")).to_have_text("1 of 5000")
        shown.locator("#gantt").focus()
        shown.keyboard.press("ArrowDown")
        expect(shown.locator("#said")).to_contain_text("failed (1)")
        assert shown.locator("#process-table tbody tr").count() == 1
        # Draws in far less than it takes to see; the limit is for a machine that has other things to do.
        assert (
            shown.evaluate("(() => { const t = performance.now(); drawGantt(); return performance.now() - t; })()")
            < 1000
        )


@in_browser
def test_zooming_in_shows_the_processes_of_that_time(browser: Browser, tmp_path: Path) -> None:
    """Among thousands of rows those of the time that is shown would have to be searched for."""
    with opened(browser, tmp_path, run_reports.build(5000)) as shown:
        shown.get_by_label("a row for each program").uncheck()
        expect(shown.locator("#count")).to_have_text("5000")
        shown.evaluate("setRange(30, 31)")
        expect(shown.locator("#count")).to_have_text(re.compile(r"^\d\d of 5000$"))
        assert shown.evaluate("lanes.every(({rows}) => rows.some((row) => row[START] <= 31 && row[END] >= 30))")
        shown.get_by_role("button", name="All", exact=True).click()
        expect(shown.locator("#count")).to_have_text("5000")


@in_browser
def test_a_bar_under_the_pointer_is_told(browser: Browser, tmp_path: Path) -> None:
    """Where there is no key there is a finger or a mouse."""
    with opened(browser, tmp_path, run_reports.training()) as shown:
        shown.locator("#gantt canvas").click(position={"x": 900, "y": 22 + 9})  # below the axis, in the first row
        expect(shown.locator("#said")).to_contain_text("100 python train.py --epochs 3")
        expect(shown.locator("#said")).to_contain_text("CPU 50 min (33.3 %)")


@in_browser
def test_tables_are_sorted_by_what_is_pressed_and_unknown_comes_last(browser: Browser, tmp_path: Path) -> None:
    """The same key again turns the order round; the column says so to screen readers."""
    with opened(browser, tmp_path, run_reports.training()) as shown:
        table = shown.locator("#function-table")
        names = table.locator("tbody td:first-child")
        expect(names).to_have_text(["forward", "load", "checkpoint [epoch]"])
        table.get_by_role("button", name="Self").click()
        expect(names).to_have_text(["forward", "load", "checkpoint [epoch]"])
        expect(table.get_by_role("columnheader", name="Self")).to_have_attribute("aria-sort", "descending")
        shown.keyboard.press("Enter")
        expect(names).to_have_text(["load", "forward", "checkpoint [epoch]"])
        expect(table.get_by_role("columnheader", name="Self")).to_have_attribute("aria-sort", "ascending")
        expect(table).to_contain_text("not known")


@in_browser
def test_long_tables_begin_short(browser: Browser, tmp_path: Path) -> None:
    """The rest is one press away."""
    with opened(browser, tmp_path, run_reports.build(300)) as shown:
        rows = shown.locator("#process-table tbody tr")
        expect(rows).to_have_count(25)
        shown.get_by_role("button", name="Show all 300").click()
        expect(rows).to_have_count(300)


@in_browser
def test_it_prints_light_and_the_button_turns_it_dark(browser: Browser, tmp_path: Path) -> None:
    """Ink is not spent on a dark ground; on the screen the reader decides."""
    with opened(browser, tmp_path, run_reports.training(), scheme="dark") as shown:
        theme = shown.locator("html")
        expect(theme).to_have_attribute("data-theme", "dark")
        pdf = shown.pdf()
        assert pdf.startswith(b"%PDF")
        expect(theme).to_have_attribute("data-theme", "dark")
        shown.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(theme).to_have_attribute("data-theme", "light")
        shown.evaluate("dispatchEvent(new Event('afterprint'))")
        expect(theme).to_have_attribute("data-theme", "dark")
        shown.get_by_role("button", name="Light").click()
        expect(theme).to_have_attribute("data-theme", "light")


def test_a_row_of_many_processes_is_told_with_their_number() -> None:
    """Not as one process."""
    about = told(run_reports.crowded())
    assert [dict(zip(about["keys"]["processes"], row, strict=True))["count"] for row in about["processes"]] == [
        1,
        50_000,
    ]


@in_browser
def test_a_row_of_many_processes_is_shown_with_their_number(browser: Browser, tmp_path: Path) -> None:
    """In the count, on the bar, in the table and where it is described; it has no process number."""
    with opened(browser, tmp_path, run_reports.crowded()) as shown:
        expect(shown.locator("#count")).to_have_text("50001")
        assert shown.evaluate("lanes.map((lane) => lane.label)")[1] == "true, 50000 short processes"
        shown.locator("#gantt").focus()
        shown.keyboard.press("End")
        expect(shown.locator("#said")).to_contain_text("true, 50000 short processes: ")
        row = shown.locator("#process-table tbody tr", has_text="50000 short processes")
        expect(row.locator("td").first).to_have_text("")
