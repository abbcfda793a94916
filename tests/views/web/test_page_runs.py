"""Recorded runs in a browser: the list, the page of each, live ones, links, keys, hostile names, small screens, what is wrong."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, Locator, Page, expect

from bongsu.model.run import Event, Point, RunReport
from bongsu.views.printable import printable
from live_page import Page as Server
from live_page import page
from run_reports import HOSTILE as HOSTILE_TEXT
from run_reports import build, crowded, hostile, killed, lost, running, training
from shelf import Shelf
from visiting import CHROMIUM, PATIENCE, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")

BUILD, TRAINING, KILLED, RUNNING, LOST, HOSTILE = (f"20260101-00000{n}-run-000{n}" for n in range(6))
SHOWN = printable(HOSTILE_TEXT)
SLOW = PATIENCE


def named(report: RunReport, run: str, **known: Any) -> RunReport:
    """The same under another id, with this known of it."""
    meta = msgspec.structs.replace(report.metadata, id=run, **known)
    return msgspec.structs.replace(report, metadata=meta)


@pytest.fixture
def shelf() -> Shelf:
    """One run of each kind; one goes on."""
    return Shelf(
        [
            named(build(), BUILD), named(training(), TRAINING), named(killed(), KILLED), named(lost(), LOST),
            named(running(), RUNNING, started=time.time() - 9, pid=8), named(hostile(), HOSTILE),
        ]
    )  # fmt: skip


@pytest.fixture
def server(shelf: Shelf) -> Iterator[Server]:
    """A server that has these runs."""
    with page(runs=shelf) as opened:
        opened.tick(3)
        clock = opened.tick_on(0.2)
        yield opened
        opened.hold()
        clock.join()


def rows(page: Page) -> Locator:
    """The rows of the table of runs."""
    return page.locator("#runs-table tbody tr")


def row(page: Page, run: str) -> Locator:
    """One of them."""
    return page.locator(f'#runs-table tbody tr[data-key="{run}"]')


def dialog(page: Page) -> Locator:
    """The page of a run."""
    return page.locator("#run-dialog")


def processes(page: Page) -> Locator:
    """The rows of a run's processes."""
    return page.locator(".run-processes tbody tr")


def test_what_shows_runs_is_loaded_when_someone_comes_to_them(browser: Browser, server: Server) -> None:
    """Not before: the first page has no room for it."""
    with Visit(browser, server) as visit:
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url))
        visit.live()
        assert not any("run_page.js" in url or "/api/runs" in url for url in asked)
        visit.page.locator('nav a[href="#runs"]').click()
        expect(rows(visit.page)).to_have_count(6, timeout=SLOW)
        assert any("run_page.js" in url for url in asked)
        visit.clean()


def test_the_list_says_how_each_run_is(browser: Browser, server: Server) -> None:
    """The one that goes on first; how the others ended, in words."""
    with Visit(browser, server, at="#runs") as visit:
        page = visit.page
        expect(rows(page)).to_have_count(6, timeout=SLOW)
        expect(rows(page).first).to_contain_text("running")
        expect(row(page, BUILD)).to_contain_text("exit 0")
        expect(row(page, BUILD)).to_contain_text("job 42 nightly (alice)")
        expect(row(page, BUILD)).to_contain_text("3 min 20 s")
        expect(row(page, KILLED).locator("td.bad")).to_have_text("SIGKILL")
        expect(row(page, LOST)).to_contain_text("lost: its recorder ended first")
        visit.clean()


def test_runs_are_searched_and_sorted_and_the_address_says_so(browser: Browser, server: Server) -> None:
    """As other tables are; the one that goes on stays first."""
    with Visit(browser, server, at="#runs") as visit:
        page = visit.page
        page.locator("#runs-search").fill("nightly")
        expect(rows(page)).to_have_count(1, timeout=SLOW)
        expect(page).to_have_url(re.compile("runs-search=nightly"))
        page.locator("#runs-search").fill("")
        page.locator("#runs-table").get_by_role("button", name="CPU time").click()
        expect(page).to_have_url(re.compile(r"runs-sort=cpu(&|#|$)"))
        expect(rows(page).first).to_contain_text("running")
        expect(rows(page).nth(3)).to_contain_text("make")
        visit.clean()


def test_a_run_has_a_page_with_a_link_of_its_own(browser: Browser, server: Server) -> None:
    """Tiles with source and residual, charts, processes, events; Esc closes it, and the keyboard is where it was."""
    with Visit(browser, server, at="#runs") as visit:
        page = visit.page
        row(page, BUILD).get_by_role("button").click(timeout=SLOW)
        expect(page).to_have_url(re.compile(f"run={BUILD}"))
        told = dialog(page)
        expect(told.locator("h2")).to_have_text("make", timeout=SLOW)
        expect(told).to_contain_text("exact, from the kernel's inherited task clock (perf)")
        expect(told).to_contain_text("residual:")
        expect(told.locator(".chart:not(.empty) canvas")).to_have_count(4)
        expect(told).to_contain_text("1 sample was missed")
        expect(told.locator("#chart-run-switches")).to_contain_text("it was not recorded in this run")
        page.keyboard.press("Escape")
        expect(told).to_be_hidden()
        expect(page).not_to_have_url(re.compile("run="))
        expect(row(page, BUILD).get_by_role("button")).to_be_focused()
        visit.clean()
    with Visit(browser, server, at=f"&run={TRAINING}") as visit:
        expect(dialog(visit.page)).to_contain_text("python train.py --epochs 3", timeout=SLOW)
        expect(dialog(visit.page).locator(".run-functions tbody tr")).to_have_count(3)
        expect(dialog(visit.page).locator(".run-functions")).to_contain_text("checkpoint [epoch]")
        visit.clean()


def test_many_processes_stand_in_groups(browser: Browser, server: Server) -> None:
    """By program, with how many failed; one opens its own. Few stand alone, each a bar over the time."""
    with Visit(browser, server, at=f"&run={BUILD}") as visit:
        page = visit.page
        expect(processes(page)).to_have_count(4, timeout=SLOW)
        group = processes(page).filter(has_text="1000 processes, 1 failed")
        group.get_by_role("button").click()
        expect(processes(page).nth(10)).to_have_class(re.compile("member"))
        expect(group.get_by_role("button")).to_have_attribute("aria-expanded", "true")
        visit.clean()
    with Visit(browser, server, at=f"&run={TRAINING}&run-search=loader&run-sort=-cpu") as visit:
        page = visit.page
        expect(processes(page)).to_have_count(4, timeout=SLOW)
        bars = page.locator(".run-processes div.lived:visible").evaluate_all("all => all.map(e => e.style.left)")
        assert len(set(bars)) == 4
        visit.clean()


def test_a_row_of_many_processes_says_how_many(browser: Browser) -> None:
    """In its group and in its own row, which has no process number and no one length of life."""
    with page(runs=Shelf([named(crowded(), BUILD)])) as opened:
        opened.tick(3)
        with Visit(browser, opened, at=f"&run={BUILD}") as visit:
            group = processes(visit.page).filter(has_text="true · 50000 processes")
            expect(group).to_have_count(1, timeout=SLOW)
            group.locator("button").click()
            many = processes(visit.page).filter(has_text="true · 50000 short processes")
            expect(many.locator("td.pid")).to_have_text("")
            expect(many.locator("td.lived").first).to_have_text("\N{EN DASH}")
            expect(visit.page.locator("#run-processes-title + p")).to_have_text("50001")
            visit.clean()


def test_a_part_of_the_time_is_chosen_as_in_other_charts(browser: Browser, server: Server) -> None:
    """Drag zooms all charts and the bars, the address says where, Home shows all again, double-click goes back."""
    with Visit(browser, server, at=f"&run={TRAINING}") as visit:
        page = visit.page
        over = page.locator("#chart-run-cpu .u-over")
        over.scroll_into_view_if_needed(timeout=SLOW)
        box = over.bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50, steps=4)
        page.mouse.up()
        expect(page).to_have_url(re.compile(r"run-span=(8\d\d|9\d\d)[.\d]*-1[78]\d\d"))
        expect(page.locator(".run-span")).to_contain_text("Shown: 1")
        page.locator("#chart-run-cpu .canvas").focus()
        page.keyboard.press("Home")
        expect(page).not_to_have_url(re.compile("run-span"))
        over.dblclick()
        expect(page).to_have_url(re.compile("run-span="))
        page.get_by_role("button", name="Whole run").click()
        expect(page).not_to_have_url(re.compile("run-span"))
        expect(page.locator(".run-span")).to_have_text("Shown: 0 s to 1 h after its start.")
        visit.clean()


def test_a_run_that_goes_on_is_live_until_it_ends(browser: Browser, server: Server, shelf: Shelf) -> None:
    """New readings appear by themselves, and so does its end; then nothing is asked any more."""
    with Visit(browser, server, at=f"&run={RUNNING}") as visit:
        page = visit.page
        told = dialog(page)
        expect(told.locator(".run-state")).to_have_text("running", timeout=SLOW)
        going = shelf.reports[RUNNING]
        shelf.reports[RUNNING] = msgspec.structs.replace(
            going, samples=(*going.samples, Point(at_seconds=10.0, cpu_seconds=5.0, processes=77)),
            summary=msgspec.structs.replace(going.summary, wall_seconds=10.0),
        )  # fmt: skip
        expect(told.locator("#chart-run-processes .legend")).to_contain_text("77", timeout=SLOW)
        over = msgspec.structs.replace(going.metadata, state="ended", exit_code=3)
        shelf.reports[RUNNING] = msgspec.structs.replace(
            shelf.reports[RUNNING], metadata=over, events=(Event(at_seconds=10.5, what="note", text="that was all"),)
        )
        expect(told.locator(".run-state")).to_have_text("exit code 3", timeout=SLOW)
        expect(told).to_contain_text("that was all", timeout=SLOW)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(3000)
        assert not [url for url in asked if "/api/run?" in url]
        visit.clean()


def test_processes_owners_and_the_machine_are_linked(browser: Browser, server: Server, shelf: Shelf) -> None:
    """A process leads to its run, a run to its owner and to what the machine did then."""
    shelf.alive = {8: (908.0, RUNNING), 100: (1.0, RUNNING)}
    with Visit(browser, server, at="#processes") as visit:
        page = visit.page
        page.locator("#processes-search").fill(RUNNING)
        button = page.locator("#processes-table tbody").get_by_role("button", name="train.py")
        button.click(timeout=SLOW)  # the one of an old process with a number of the run is not of it
        expect(page.locator("#processes-table tbody tr")).to_have_count(1)
        page.locator("#process-dialog .run").get_by_role("button").click()
        expect(dialog(page).locator(".run-state")).to_have_text("running", timeout=SLOW)
    with Visit(browser, server, at=f"&run={BUILD}") as visit:
        page = visit.page
        page.get_by_role("button", name="The machine at that time").click(timeout=SLOW)
        expect(dialog(page)).to_be_hidden()
        expect(page).to_have_url(re.compile(r"from=1767225600&to=1767225661"))  # whole seconds around it
        page.go_back()
        expect(dialog(page)).to_be_visible()
        page.get_by_role("button", name="Owner: job 42 nightly").click()
        expect(page).to_have_url(re.compile("owner=slurm%2F42"))
        expect(page.locator("#owner-dialog")).to_be_visible()


def test_what_is_seen_is_taken_away(browser: Browser, server: Server) -> None:
    """The report as JSON, the list, the processes and a chart as CSV."""
    with Visit(browser, server, at=f"&run={TRAINING}#runs") as visit:
        page = visit.page
        with page.expect_download(timeout=SLOW) as report:
            page.get_by_role("link", name="Download report (JSON)").click(timeout=SLOW)
        assert json.loads(report.value.path().read_text())["metadata"]["id"] == TRAINING
        with page.expect_download(timeout=SLOW) as table:
            page.get_by_role("button", name="Download Processes as CSV").click()
        lines = table.value.path().read_text().splitlines()
        assert lines[0].startswith('"index","pid","parent","command"')
        assert len(lines) == 6
        page.get_by_role("button", name="View Memory as a table").last.click()
        expect(page.locator("dialog.sheet[open]")).to_contain_text("PSS")
        page.keyboard.press("Escape")
        page.locator("#run-dialog .close").click()
        with page.expect_download(timeout=SLOW) as every:
            page.get_by_role("button", name="Download list as CSV").click(timeout=SLOW)
        assert len(every.value.path().read_text().splitlines()) == 7
        visit.clean()


@pytest.mark.parametrize("width", [400, 1400])
def test_hostile_names_are_only_text(browser: Browser, server: Server, width: int) -> None:
    """In the list and on the page, and nothing is wider than the screen."""
    with Visit(browser, server, width=width, at="#runs") as visit:
        page = visit.page
        expect(row(page, HOSTILE).get_by_role("button")).to_have_text(SHOWN, timeout=SLOW)
        row(page, HOSTILE).get_by_role("button").click()
        expect(dialog(page).locator("h2")).to_have_text(SHOWN, timeout=SLOW)
        expect(dialog(page)).to_contain_text(SHOWN)
        assert page.locator("img").count() == 0
        assert dialog(page).evaluate("e => e.scrollWidth <= e.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        visit.clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_nobody_is_shut_out_of_a_run(browser: Browser, server: Server, width: int, scheme: str) -> None:
    """axe-core has no serious or critical finding on the page of a run."""
    with Visit(browser, server, width=width, scheme=scheme, at=f"&run={TRAINING}") as visit:
        expect(dialog(visit.page).locator(".run-functions tbody tr")).to_have_count(3, timeout=SLOW)
        found = Axe().run(visit.page)
        serious = [v for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]
        assert serious == [], [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious]
        visit.clean()


def test_nothing_recorded_is_said_with_what_to_do(browser: Browser) -> None:
    """No empty table without a word."""
    with page(runs=Shelf([])) as server, Visit(browser, server, at="#runs") as visit:
        expect(visit.page.locator("#runs-none")).to_contain_text(
            "Nothing recorded yet: bongsu run -- COMMAND", timeout=SLOW
        )
        visit.clean()


def test_what_the_address_asks_and_cannot_be_is_told(browser: Browser, server: Server) -> None:
    """A run that is gone, a span that is none, a column that is none."""
    with Visit(browser, server, at="&run=20200101-000000-gone-0000") as visit:
        expect(dialog(visit.page)).to_contain_text("There is no run of this id here.", timeout=SLOW)
    with Visit(browser, server, at=f"&run={BUILD}&run-span=abc&run-sort=colour&runs-sort=weather") as visit:
        for said in ("run-span=abc", "run-sort=colour", "runs-sort=weather"):
            expect(visit.page.locator("#notice")).to_contain_text(said, timeout=SLOW)
        visit.clean()


def test_on_paper_there_is_the_run_alone(browser: Browser, server: Server) -> None:
    """All of it, without what lies behind and without controls."""
    with Visit(browser, server, at=f"&run={BUILD}") as visit:
        page = visit.page
        expect(processes(page)).to_have_count(4, timeout=SLOW)
        page.emulate_media(media="print")
        expect(page.locator("main")).to_be_hidden()
        expect(page.locator("#run-dialog .close")).to_be_hidden()
        assert dialog(page).evaluate("e => e.scrollHeight <= e.clientHeight + 1")
        visit.clean()
