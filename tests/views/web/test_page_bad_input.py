"""What the page makes of addresses that mean nothing, of thousands of lines, of holes, and of a load that breaks off."""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Route, expect

from bongsu.model.batch import Batch
from bongsu.store.reading.history import History
from bongsu.store.reading.reader import Reader
from bongsu.store.writing.writer import Writer
from live_page import Page as Server
from live_page import page, readings
from readings import HEAT, part
from visiting import CHROMIUM, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


UNKNOWN = "\u2013"  # how the page writes that a value is not known


def heated(tick: int, rooms: dict[str, float]) -> Batch:
    """A batch in which the rooms are as hot as that."""
    batch = readings(tick)
    heat = part({(HEAT, (room,)): value for room, value in rooms.items()}, 0, collector="rooms")
    heat = msgspec.structs.replace(heat, time=batch.time, monotonic=batch.monotonic)
    return Batch(batch.time, batch.monotonic, (heat, *batch.parts[1:]))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("#nowhere", "asks for #nowhere; there is no such place"),
        ("#chart-nothing", "asks for #chart-nothing; there is no such place"),
        ("#<script>alert(1)</script>", "#<script>alert(1)</script>;"),
        ("#%E0%A4%A", "#%E0%A4%A;"),
        ("#" + "x" * 9000, "x…;"),
        ("&metric=node_nothing", "says metric=…, which means nothing"),
        ("&theme=neon", "asks for theme=neon; there are light, dark and system"),
        ("&sort=beauty", "asks for sort=beauty"),
        ("&range=%E2%80%AE1%1B[31m", "range=\\u202e1\\x1b[31m,"),
        ("&from=100000000000000000000&to=100000000000000001000", "ends before it begins"),
        ("&from=1000.001&to=1000.002", "at least 10 s long"),
        ("&from=32503680000&to=32503690000", "yet to come"),
        ("&from=-5&to=5", "from=-5, which is no time"),
        ("&from=&to=", "from=, which is no time"),
    ],
)
def test_an_address_that_means_nothing_is_told(browser: Browser, server: Server, address: str, said: str) -> None:
    """In words, as text, beside the page as it is without: live, with its charts, and no wider than the window."""
    with Visit(browser, server, at=address) as visit:
        visit.live()
        expect(visit.page.locator("#notice")).to_contain_text(said)
        expect(visit.page.locator("#chart-heat canvas")).to_have_count(1)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1400
        visit.clean()


@pytest.mark.parametrize("address", ["", "&range=300", "&theme=system", "#health", "#chart-heat", "#processes"])
def test_an_address_that_means_something_is_not_told(browser: Browser, server: Server, address: str) -> None:
    """No warning where nothing is wrong, also before the charts have come."""
    with Visit(browser, server, at=address) as visit:
        visit.live()
        expect(visit.page.locator("#notice")).to_be_hidden()
        visit.clean()


def test_a_section_that_is_typed_later_is_told_too(browser: Browser, server: Server) -> None:
    """The notice goes with what was wrong."""
    with Visit(browser, server) as visit:
        visit.live()
        visit.page.evaluate("location.hash = '#gpus'")
        expect(visit.page.locator("#notice")).to_contain_text("#gpus")
        visit.page.get_by_role("link", name="Health").click()
        expect(visit.page.locator("#notice")).to_be_hidden()
        visit.clean()


def test_a_link_comes_to_its_chart(browser: Browser, server: Server) -> None:
    """A tile that is opened in another tab leads to the chart there, which comes after the page."""
    with Visit(browser, server, width=360, at="#chart-none") as visit:
        visit.live()
        expect(visit.page.locator("#chart-none-title")).to_be_in_viewport()


@pytest.mark.parametrize("span", ["from=0&to=100", "from=978307200&to=978310800"])
def test_a_time_of_which_nothing_is_kept_is_told(browser: Browser, server: Server, span: str) -> None:
    """1970 is a time that can be asked for: that nothing is there is said once at the top, with the way back."""
    with Visit(browser, server, at=f"&{span}") as visit:
        notice = visit.page.locator("#notice")
        expect(notice).to_contain_text(re.compile("Nothing is kept of the time from .* to .*Back to live"))
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        visit.page.get_by_role("button", name="Back to live").click()
        visit.live()
        expect(notice).to_be_hidden()
        visit.clean()


def test_hundreds_of_lines_have_a_budget(browser: Browser) -> None:
    """Of 512 the highest are drawn, and it is said of how many; the table has the same lines; ticks stay small."""
    rooms = tuple(f"room {i:03}" for i in range(512))
    with page(make=lambda tick: readings(tick, rooms)) as running:
        running.tick(3)
        clock = running.tick_on(0.2)
        with Visit(browser, running) as visit:
            visit.live()
            chart = visit.page.locator("#chart-heat")
            expect(chart).to_contain_text("the 3 highest of 512 lines")
            expect(chart.locator("tbody th")).to_have_text(["room 509", "room 510", "room 511"])
            visit.page.get_by_role("button", name="View Heat as a table").click()
            expect(visit.page.get_by_role("dialog")).to_contain_text("the 3 highest of 512 lines")
            expect(visit.page.get_by_role("dialog").locator("thead th")).to_have_text(["Time", *rooms[-3:]])
            visit.clean()
        assert len(running.live.drawings["test"].newest()["panels"]["heat"]) == 3
        running.hold()
        clock.join()


def test_thousands_of_lines_are_told_to_be_too_many(browser: Browser) -> None:
    """Memory holds 2 000: the chart does not call its lines the highest of 5 000, and Health says what to do."""
    rooms = tuple(f"room {i:04}" for i in range(5000))
    with page(make=lambda tick: readings(tick, rooms)) as running:
        running.tick(3)
        clock = running.tick_on(0.5)
        with Visit(browser, running) as visit:
            visit.live()
            said = visit.page.locator("#chart-heat")
            expect(said).to_contain_text(re.compile(r"at least \d{4} more lines are not kept in memory"))
            expect(visit.page.locator("#health-problems")).to_contain_text("leave out devices that you do not need")
            visit.clean()
        running.hold()
        clock.join()


def test_a_line_that_becomes_the_highest_appears(browser: Browser) -> None:
    """Beyond the budget a line is left out only as long as it is lower than those that are drawn."""
    hot = {"attic": 50.0, "bath": 45.0, "cellar": 40.0, "den": 20.0}

    with page(make=lambda tick: heated(tick, hot)) as running:
        running.tick(3)
        clock = running.tick_on(0.2)
        with Visit(browser, running) as visit:
            visit.live()
            names = visit.page.locator("#chart-heat tbody th")
            expect(names).to_have_text(["attic", "bath", "cellar"])
            hot["den"] = 90.0
            expect(names).to_have_text(["attic", "bath", "den"])
            visit.clean()
        running.hold()
        clock.join()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_gap(browser: Browser, value: float) -> None:
    """A sensor that gives no number is neither at 0 nor at the top: its line has a hole, the rest goes on."""
    hot = {"attic": 40.0, "cellar": 41.0}
    with page(make=lambda tick: heated(tick, hot)) as running:
        running.tick(3)
        clock = running.tick_on(0.2)
        with Visit(browser, running) as visit:
            visit.live()
            values = visit.page.locator("#chart-heat tbody td")
            expect(values).to_have_text(["40 °C", "41 °C"])
            hot["cellar"] = value
            expect(values).to_have_text(["40 °C", UNKNOWN])
            expect(visit.page.locator('[data-tile="heat"] .value')).to_have_text("40 °C")
            visit.page.reload()
            expect(values).to_have_text(["40 °C", UNKNOWN])
            visit.page.get_by_role("button", name="View Heat as a table").click()
            expect(visit.page.get_by_role("dialog").locator("tbody tr").first.locator("td")).to_have_text(
                ["40 °C", UNKNOWN]
            )
            visit.clean()
        running.hold()
        clock.join()


def test_a_page_whose_scripts_do_not_come_asks_again(browser: Browser, server: Server) -> None:
    """A browser breaks off what it loads when a network comes or goes; a page without scripts would stay empty."""
    with Visit(browser, server) as visit:
        visit.live()
        left = [2]

        def break_off(route: Route) -> None:
            left[0] -= 1
            if left[0] >= 0:
                route.abort("addressunreachable")
            else:
                route.continue_()

        visit.page.route("**/static/dom.js", break_off)
        visit.page.reload()
        visit.live()
        expect(visit.page.locator("#chart-heat canvas")).to_have_count(1)
        assert left[0] < 0
        assert visit.page.evaluate("sessionStorage.getItem('tries')") is None


def test_a_page_whose_scripts_never_come_gives_up(browser: Browser, server: Server) -> None:
    """It does not ask for ever."""
    with Visit(browser, server) as visit:
        visit.live()
        visit.page.evaluate("sessionStorage.setItem('tries', 10)")
        loads: list[str] = []
        visit.page.on("request", lambda asked: loads.append(asked.url) if asked.is_navigation_request() else None)
        visit.page.route("**/static/dom.js", lambda route: route.abort("addressunreachable"))
        visit.page.reload()
        visit.page.wait_for_timeout(2500)
        assert len(loads) == 1


def test_a_store_of_yesterday_with_other_devices_is_shown(browser: Browser, tmp_path: Path) -> None:
    """A disk that was renamed: its old name has its line over its own time, the new one beside it over what came after."""
    writer = Writer(str(tmp_path / "history.db"), labels={"job": "bongsu", "instance": "here"}, threaded=False)
    now = time.time()
    for ago in range(30 * 3600, 0, -60):
        room = "sda" if ago > 2 * 3600 else "nvme0n1"
        at = now - ago
        one = part({(HEAT, (room,)): 30.0 if room == "sda" else 50.0}, 0, collector="rooms")
        one = msgspec.structs.replace(one, time=at, monotonic=1e6 - ago)
        writer.write(Batch(at, 1e6 - ago, (one,)))
    writer.flush()
    with page(make=lambda tick: heated(tick, {"nvme0n1": 50.0}), past=History(Reader(writer.path))) as running:
        running.tick(3)
        clock = running.tick_on(0.2)
        with Visit(browser, running, at="&range=86400") as visit:
            visit.live()
            chart = visit.page.locator("#chart-heat")
            expect(chart.locator("tbody th")).to_have_text(["sda", "nvme0n1"])
            expect(chart.locator("tbody td").first).to_have_text(UNKNOWN)  # the other one's depends on the time of day
            board = visit.page.evaluate("fetch('/api/board?seconds=86400&points=900').then(answer => answer.json())")
            heat = next(panel for panel in board["panels"] if panel["name"] == "heat")
            for line in heat["series"]:
                known = [at for at, value in zip(board["times"], line["values"], strict=True) if value is not None]
                assert set(line["values"]) <= {None, 30.0 if line["legend"] == "sda" else 50.0}
                if line["legend"] == "sda":
                    assert known[-1] < now - 1.5 * 3600
                else:
                    assert known[0] > now - 2.5 * 3600
            visit.clean()
        running.hold()
        clock.join()
    writer.close()
