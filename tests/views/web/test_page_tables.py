"""The tables of processes and collectors in a browser: order, search, groups, histories, thousands, hostile names."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, Locator, Page, expect

from bongsu.collectors import process as collector
from bongsu.model.batch import Batch, Table
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sinks import http_message, query_api
from bongsu.store.reading.reader import Reader
from bongsu.store.writing.writer import Writer
from bongsu.views.web.own import Kept
from live_page import HOSTILE, page, process, readings
from live_page import Page as Server
from readings import HEAT, Values, part
from visiting import CHROMIUM, Visit

AHEAD = 600  # seconds of history yet to come, so that it has not ended when a slow machine asks
SHOWN = "<img src=x onerror=alert(1)>\\x1b[31m\\n\"'&\\u202eevil"

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


def rows(shown: Page) -> Locator:
    """The lines of the table of processes that are drawn."""
    return shown.locator("#processes-table tbody tr")


def row(shown: Page, name: str) -> Locator:
    """The line of a program."""
    return rows(shown).filter(has=shown.get_by_role("button", name=name, exact=True))


def many(count: int, threads: int = 1) -> Batch:
    """One look at a machine with so many processes, of so many threads each."""
    found = tuple(
        process(1000 + i, f"rank-{i:04}", user=f"user{i % 7}", cpu_seconds=float(i), threads=threads)
        for i in range(count)
    )
    now, at = time.time(), time.monotonic()
    only = part({}, 0, collector="process", tables=(Table("processes", found),))
    return Batch(now, at, (msgspec.structs.replace(only, time=now, monotonic=at),))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Writer]:
    """A history of two programs since two minutes ago, which goes on."""
    writer = Writer(str(tmp_path / "history.db"), labels={"job": "bongsu", "instance": "here"}, threaded=False)
    now = time.time()
    for second in range(-120, AHEAD, 2):
        values: dict[tuple[MetricSpec, tuple[str, ...]], float] = {}
        for user, name in (("alice", "train.py"), (HOSTILE, HOSTILE)):
            key = (user, name, "program")
            values |= {
                (collector.CPU_SECONDS, key): second * 0.5 + 1000, (collector.RESIDENT_BYTES, key): 2**30,
                (collector.READ_BYTES, key): second * 1024.0 + 1e6, (collector.PROCESSES, key): 3,
            }  # fmt: skip
        writer.write(Batch(now + second, second + 1000.0, (part(values, second, collector="process"),)))
    writer.flush()
    yield writer
    writer.close()


def api_of(writer: Writer) -> functools.partial[http_message.Response]:
    """What answers PromQL over a writer's history."""
    return functools.partial(query_api.answer, source=Reader(writer.path))


def test_every_column_sorts_by_mouse_and_keyboard(browser: Browser, server: Server) -> None:
    """A click sorts numbers from the largest and names from A, a second one turns it round; Enter does the same."""
    with Visit(browser, server) as visit:
        visit.live()
        heads = visit.page.locator("#processes-table thead th")
        assert heads.count() == 11
        for name in heads.evaluate_all("all => all.map(each => each.dataset.column)"):
            head = visit.page.locator(f'#processes-table th[data-column="{name}"]')
            usual = "ascending" if name in {"user", "executable", "owner", "state"} else "descending"
            head.locator("button").click()
            expect(head).to_have_attribute("aria-sort", usual)
            expect(visit.page.locator('#processes-table th[aria-sort$="ending"]')).to_have_count(1)
            head.locator("button").press("Enter")
            expect(head).to_have_attribute("aria-sort", "descending" if usual == "ascending" else "ascending")
        visit.page.locator('#processes-table th[data-column="pid"] button').click()
        expect(rows(visit.page).first.locator("td").first).to_have_text("159")
        visit.page.locator('#processes-table th[data-column="pid"] button').click()
        expect(rows(visit.page).first.locator("td").first).to_have_text("7")
        expect(visit.page.locator("#processes-said")).to_have_text("Sorted by PID, smallest first.")
        visit.page.locator("#processes-table th[data-column=read] button").click()
        expect(rows(visit.page).first.locator("th")).to_have_text("train.py")
        visit.page.locator(
            "#processes-table th[data-column=read] button"
        ).click()  # what is not known stands last either way
        expect(rows(visit.page).first.locator("th")).to_have_text("train.py")
        visit.clean()


def test_search_and_sort_are_in_the_address(browser: Browser, server: Server) -> None:
    """A link shows the same rows in the same order; an unknown column is told, and CPU is taken."""
    with Visit(browser, server) as visit:
        visit.live()
        expect(visit.page.locator("#processes-count")).to_have_text("62")
        search = visit.page.locator("#processes-search")
        search.fill("WORKER alice")
        expect(visit.page.locator("#processes-count")).to_have_text("60 of 62")
        visit.page.locator('#processes-table th[data-column="pid"] button').click()
        visit.page.locator('#processes-table th[data-column="pid"] button').click()
        visit.page.wait_for_url("**search=WORKER*sort=-pid*")
        visit.page.reload()
        visit.live()
        expect(search).to_have_value("WORKER alice")
        expect(rows(visit.page).first.locator("td").first).to_have_text("100")
        search.fill("<img")
        expect(visit.page.locator("#processes-table tbody th")).to_have_text([SHOWN])
        search.fill("no such thing")
        expect(visit.page.locator("#processes-none")).to_have_text("No process matches.")
        expect(rows(visit.page)).to_have_count(0)
        visit.clean()
    with Visit(browser, server, at="&sort=<b>height</b>") as visit:
        visit.live()
        expect(visit.page.locator("#notice")).to_contain_text("sort=<b>height</b>, which is no column")
        expect(visit.page.locator('#processes-table th[data-column="cpu"]')).to_have_attribute(
            "aria-sort", "descending"
        )
        assert visit.page.locator("b").count() == 0
        visit.clean()


def test_groups_have_sums_and_open(browser: Browser, server: Server) -> None:
    """By user or program: a line with the sums, whose processes follow when it is opened, also with the arrow keys."""
    with Visit(browser, server) as visit:
        visit.live()
        visit.page.get_by_label("Group by").select_option("user")
        expect(rows(visit.page)).to_have_count(2)
        expect(visit.page.locator("#processes-note")).to_contain_text("Sums of the group")
        alice = row(visit.page, "alice · 61 processes")
        expect(alice.locator("td.memory")).to_have_text("7.6 GiB")  # 8 + 100 + 101 … + 159 MiB
        expect(alice.locator("td.threads")).to_have_text("124")
        opener = alice.get_by_role("button")
        expect(opener).to_have_attribute("aria-expanded", "false")
        opener.focus()
        visit.page.keyboard.press("ArrowRight")
        expect(opener).to_have_attribute("aria-expanded", "true")
        expect(visit.page.locator("#processes-table")).to_have_attribute("aria-rowcount", "64")
        visit.page.keyboard.press("ArrowDown")
        expect(visit.page.locator("#processes-table .member button:focus")).to_have_count(1)
        visit.page.keyboard.press("ArrowUp")
        visit.page.keyboard.press("ArrowLeft")
        expect(rows(visit.page)).to_have_count(2)
        visit.page.get_by_label("Group by").select_option("program")
        expect(row(visit.page, "train.py · 1 process")).to_have_count(1)
        visit.clean()


def test_groups_are_in_the_address(browser: Browser, server: Server) -> None:
    """A link and the way back show the same groups; what one cannot group by is told, and nothing is grouped."""
    with Visit(browser, server) as visit:
        visit.live()
        choice = visit.page.get_by_label("Group by")
        choice.select_option("user")
        visit.page.wait_for_url("**group=user*")
        visit.page.reload()
        expect(choice).to_have_value("user")
        expect(row(visit.page, "alice · 61 processes")).to_have_count(1)
        choice.select_option("none")
        expect(visit.page.locator("#processes-table .group")).to_have_count(0)
        assert "group" not in visit.page.url
        visit.clean()
    with Visit(browser, server, at="&group=<b>moon</b>") as visit:
        visit.live()
        expect(visit.page.locator("#notice")).to_contain_text(
            "group=<b>moon</b>; processes can be grouped by user, program, owner."
        )
        expect(visit.page.get_by_label("Group by")).to_have_value("none")
        visit.clean()


@pytest.mark.parametrize("width", [360, 560, 700, 900, 1400])
def test_the_table_stays_where_it_is_when_its_order_rests(browser: Browser, width: int) -> None:
    """What is said of that moves nothing: a row that goes away between press and release is not chosen."""
    with page(make=lambda tick: many(60 + tick)) as running:
        running.tick(2)
        clock = running.tick_on(0.2)
        with Visit(browser, running, width=width) as visit:
            visit.live()
            where = []
            for place in ("#processes-search", "#processes-table tbody button"):
                visit.page.locator(place).first.focus()
                visit.page.wait_for_function(
                    "most => parseInt(document.querySelector('#processes-count').textContent) > most",
                    arg=62 + running.ticks,
                    timeout=60_000,
                )
                where.append(
                    visit.page.locator("#processes-scroll").evaluate("e => e.getBoundingClientRect().top + scrollY")
                )
            assert where[0] == where[1]
            visit.clean()
        running.hold()
        clock.join(60)


def test_the_order_rests_under_the_keyboard(browser: Browser) -> None:
    """Who is about to open a row does not see it jump away: values go on, and the order again when one leaves."""
    busy = [8]
    spent = dict.fromkeys(range(1, 20), 0.0)
    last = time.monotonic()

    def turning(_tick: int) -> Batch:
        nonlocal last
        now, at = time.time(), time.monotonic()
        for pid in spent:
            spent[pid] += (at - last) * (0.5 if pid in busy else 0.005)
        last = at
        table = Table("processes", tuple(process(pid, f"p{pid}", cpu_seconds=spent[pid]) for pid in spent))
        only = msgspec.structs.replace(part({}, 0, collector="process", tables=(table,)), time=now, monotonic=at)
        return Batch(now, at, (only,))

    with page(make=turning) as running:
        running.tick()
        time.sleep(0.1)
        running.tick()
        clock = running.tick_on(0.2)
        with Visit(browser, running) as visit:
            visit.live()
            expect(rows(visit.page).first).to_contain_text("p8")
            rows(visit.page).first.get_by_role("button").focus()
            expect(visit.page.locator("#processes .rests")).to_be_visible()
            busy[:] = [9]
            expect(row(visit.page, "p8").locator("td.cpu")).to_have_text("0.5 %")
            expect(rows(visit.page).first).to_contain_text("p8")
            expect(visit.page.locator("#processes-table button:focus")).to_have_text("p8")
            visit.page.locator("#processes-search").focus()
            expect(visit.page.locator("#processes .rests")).to_be_hidden()
            expect(rows(visit.page).first).to_contain_text("p9")
            visit.clean()
        running.hold()
        clock.join()


def test_a_row_opens_the_history_of_its_program(browser: Browser, kept: Writer) -> None:
    """Charts of CPU, memory and storage out of the store, the facts of the process; Esc closes, the focus returns."""
    with page(api=api_of(kept)) as running:
        running.tick(3)
        with Visit(browser, running) as visit:
            row(visit.page, "train.py").get_by_role("button").press("Enter")
            dialog = visit.page.get_by_role("dialog", name="train.py of alice")
            expect(dialog.locator("canvas")).to_have_count(4)
            expect(dialog.locator(".fact.threads")).to_contain_text("64")
            expect(dialog.locator(".fact.start")).to_contain_text("1970-01-01")
            expect(dialog.locator(".fact.arguments")).to_be_hidden()
            said = dialog.locator('[data-plot="cpu"] [role="img"]').get_attribute("aria-label") or ""
            assert said.startswith("CPU, chart over 15 min. Last: CPU ")
            assert said.endswith("to 50.0 %.")
            expect(dialog.locator('[data-plot="memory"]')).to_contain_text("resident 1 GiB")
            expect(dialog.locator('[data-plot="io"]')).to_contain_text("reads 1 KiB/s")
            found = Axe().run(visit.page).response["violations"]
            assert [each["id"] for each in found if each["impact"] in {"serious", "critical"}] == []
            visit.page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
            expect(visit.page.locator("button:focus")).to_have_text("train.py")
            row(visit.page, "worker-59").locator("td").first.click()
            expect(visit.page.get_by_role("dialog")).to_contain_text("The history holds nothing of it at these times.")
            visit.clean()


def test_a_history_follows_the_span_of_the_page(browser: Browser, kept: Writer) -> None:
    """A link to a fixed span asks for that span."""
    with page(api=api_of(kept)) as running:
        running.tick(3)
        with Visit(browser, running, at="&from=1000&to=4600") as visit:
            with visit.page.expect_request("**/api/v1/query_range?*") as caught:
                row(visit.page, "train.py").get_by_role("button").click()
            assert "start=990&end=4590&step=15" in caught.value.url
            expect(visit.page.get_by_role("dialog")).to_contain_text("over 1 h")


def test_hostile_names_have_a_history_and_stay_text(browser: Browser, kept: Writer) -> None:
    """A program called like markup and quotation marks is asked for by that very name; nothing of it is obeyed."""
    with page(api=api_of(kept)) as running:
        running.tick(3)
        with Visit(browser, running) as visit:
            row(visit.page, SHOWN).get_by_role("button").click()
            dialog = visit.page.get_by_role("dialog")
            expect(dialog.locator("h2")).to_have_text(f"{SHOWN} of {SHOWN}")
            expect(dialog.locator("canvas")).to_have_count(4)
            expect(dialog.locator(".fact.user dd")).to_have_text(SHOWN)
            visit.page.keyboard.press("Escape")
            visit.page.get_by_label("Group by").select_option("user")
            expect(row(visit.page, f"{SHOWN} · 1 process")).to_have_count(1)
            assert visit.page.locator("img, i").count() == 0
            visit.clean()


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (422, json.dumps({"status": "error", "error": HOSTILE}), SHOWN),
        (503, "<b>proxy</b>", "The server refused this (HTTP 503)."),
        (200, "<b>proxy</b>", "The server's answer was not understood."),
        (200, '{"status":"success","data":{"resultType":"scalar"}}', "The server's answer was not understood."),
        (401, "", "The server asks for its token. Open the address that it printed."),
    ],
)
def test_a_question_that_fails_is_told_in_words(browser: Browser, status: int, body: str, shown: str) -> None:
    """What the server or a proxy before it says is shown as text, without control characters."""

    def refuse(_: http_message.Request) -> http_message.Response:
        said = body.encode()
        headers = (("Content-Type", "application/json"), ("Content-Length", str(len(said))))
        return http_message.Response(status, headers, said)

    with page(api=refuse) as running:
        running.tick(3)
        with Visit(browser, running) as visit:
            row(visit.page, "train.py").get_by_role("button").click()
            expect(visit.page.get_by_role("dialog").locator(".plots")).to_have_text(shown)
            assert visit.page.locator("img, b").count() == 0
            assert visit.page.evaluate("violations") == []


def test_thousands_of_processes_stay_smooth(browser: Browser) -> None:
    """Only what is seen is drawn, whichever part of it; one more look at 2 000 processes takes a fraction of a second."""
    with page(make=lambda tick: many(2300, tick + 1)) as running:
        running.tick()
        time.sleep(0.05)
        running.tick()
        with Visit(browser, running) as visit:
            expect(visit.page.locator("#processes-count")).to_have_text("2000 of 2300")
            expect(visit.page.locator("#processes-note")).to_contain_text("The 2000 that use most CPU of 2300")
            assert rows(visit.page).count() < 60
            scroll = visit.page.locator("#processes-scroll")
            scroll.scroll_into_view_if_needed()
            visit.page.locator('#processes-table th[data-column="pid"] button').click()
            visit.page.locator('#processes-table th[data-column="pid"] button').click()
            scroll.evaluate("box => box.scrollTop = 1e6")
            expect(rows(visit.page).last.locator("th")).to_have_text("rank-2299")
            assert rows(visit.page).count() < 60
            box, last = scroll.bounding_box(), rows(visit.page).last.bounding_box()
            assert box
            assert last
            assert last["y"] + last["height"] <= box["y"] + box["height"] + 1
            rows(visit.page).last.get_by_role("button").focus()
            visit.page.keyboard.press("Home")
            expect(visit.page.locator("#processes-table button:focus")).to_have_text("rank-0300")
            visit.page.keyboard.press("End")
            expect(visit.page.locator("#processes-table button:focus")).to_have_text("rank-2299")
            wire = visit.context.new_cdp_session(visit.page)
            wire.send("Performance.enable", {"timeDomain": "threadTicks"})

            def worked() -> float:  # CPU seconds of the page's thread: other programs are none of its fault
                metrics = wire.send("Performance.getMetrics")["metrics"]
                return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

            before = worked()
            for _ in range(5):
                running.tick()
                expect(rows(visit.page).last.locator("td.threads")).to_have_text(str(running.ticks))
            assert worked() - before < 5 * 0.1  # 13 ms a look on a quiet machine
            visit.clean()


def test_what_nobody_looks_at_costs_nothing(browser: Browser, server: Server) -> None:
    """Far from the table its rows rest; who comes to it sees the newest look at once."""
    with Visit(browser, server) as visit:
        visit.live()
        expect(visit.page.locator("#processes-count")).to_have_text("62")
        visit.page.evaluate("window.changes = 0; new MutationObserver(l => changes += l.length).observe("
                            "document.querySelector('#processes-table'), {subtree: true, childList: true, characterData: true})")  # fmt: skip
        visit.page.set_viewport_size({"width": 1400, "height": 300})
        visit.page.evaluate("scrollTo(0, 0)")
        deadline = time.monotonic() + 60
        while True:  # soon the table rests, while the page goes on
            visit.page.evaluate("changes = 0")
            drawn = visit.page.evaluate("document.querySelector('.spark').getAttribute('d')")
            visit.page.wait_for_timeout(1500)
            visit.page.wait_for_function("d => document.querySelector('.spark').getAttribute('d') !== d", arg=drawn)
            if visit.page.evaluate("changes") == 0:
                break
            assert time.monotonic() < deadline
        visit.page.locator("#processes-scroll").scroll_into_view_if_needed()
        visit.page.wait_for_function("() => changes > 0")
        visit.clean()


def test_health_says_what_is_wrong_first(browser: Browser, server: Server) -> None:
    """Failures stand first, in words, with the cure of what is absent."""
    with Visit(browser, server) as visit:
        visit.live()
        lines = visit.page.locator("#health-table tbody tr")
        expect(visit.page.locator("#health-problems li")).to_have_text(["broken: <b>it</b> broke"])
        expect(visit.page.get_by_role("navigation").get_by_role("link", name="Health")).to_have_attribute(
            "data-wrong", "1"
        )
        expect(lines.first).to_contain_text("broken")
        expect(lines.first).to_contain_text("failed")
        expect(lines.first).to_contain_text("never")
        expect(lines.nth(1)).to_contain_text("Rooms of the house.")
        expect(lines.nth(1)).to_contain_text("Cure: look for it")
        expect(lines.nth(1)).to_contain_text(f"{SHOWN} is gone")
        expect(lines.nth(1).locator('[data-number="cpu"]')).to_have_text("1 ms")
        expect(visit.page.locator("#health-count")).to_have_text("1 of 2 collectors read")
        expect(visit.page.locator('[data-card="store"]')).to_contain_text("No history is kept")
        expect(visit.page.locator('[data-card="cost"]')).to_contain_text("Pages open1")
        expect(visit.page.locator('[data-card="cost"] .fact').first).to_have_text("CPUnot read")
        visit.clean()


@pytest.mark.parametrize("width", [360, 1400])
def test_health_shows_the_history_and_what_is_wrong_with_it(browser: Browser, kept: Writer, width: int) -> None:
    """Size, limit, times and pending of the store, and its problem among the first; also on a phone."""
    with page(
        store=lambda: Kept(kept.facts(), kept.limits), trouble=lambda: Message("{path}: the disk is full", path=HOSTILE)
    ) as running:
        running.tick(2)
        with Visit(browser, running, width=width) as visit:
            expect(visit.page.locator("#health-problems li").first).to_have_text(f"{SHOWN}: the disk is full")
            card = visit.page.locator('[data-card="store"]')
            expect(card).to_contain_text("history.db")
            expect(card).to_contain_text("% of 2 GiB")
            expect(card).to_contain_text("kept for 7 d")
            expect(card).to_contain_text("Series9")
            expect(card).to_contain_text("Waits to be writtennothing")
            expect(card).to_contain_text("ago, every 5 s")
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            box = visit.page.locator('[data-collector="rooms"]').bounding_box()
            assert box
            assert box["x"] + box["width"] <= width
            visit.clean()


def test_what_is_not_here_is_kept_together(browser: Browser) -> None:
    """Collectors that found nothing of their kind stand in one list, each with why and the cure, not among the problems."""
    values: Values = {(HEAT, ("attic",)): 40.0}

    def bare(tick: int) -> Batch:
        batch = readings(tick)
        now, at = batch.time, batch.monotonic
        gone = msgspec.structs.replace(part(values, 0, collector="gpu"), time=now, monotonic=at, samples=())
        outcome = msgspec.structs.replace(
            gone.outcome, no_data=Message("libnvidia-ml.so.1 is not installed"), cure=Message("install the driver")
        )
        return Batch(now, at, (*batch.parts, msgspec.structs.replace(gone, outcome=outcome)))

    with page(make=bare) as running:
        running.tick(2)
        with Visit(browser, running) as visit:
            absent = visit.page.locator("#health-absent")
            expect(absent.locator("summary")).to_have_text("1 collector found nothing of its kind on this machine")
            absent.locator("summary").click()
            gpu = absent.locator('[data-collector="gpu"]')
            expect(gpu).to_have_text("gpu libnvidia-ml.so.1 is not installedCure: install the driver")
            expect(visit.page.locator("#health-table tbody tr")).to_have_count(2)
            visit.clean()
