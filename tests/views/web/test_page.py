"""The page in a browser: what a person sees, also of a hostile machine, a server that went, a small screen."""

from __future__ import annotations

import os
import re
import time

import pytest
from playwright.sync_api import Browser, Route, expect

from bongsu.views.web import stream
from bongsu.views.web.access import Access
from live_page import Page as Server
from live_page import page, readings
from node_exporter import free_port
from visiting import CHROMIUM, PATIENCE, Visit

SHOWN = "<img src=x onerror=alert(1)>\\x1b[31m\\n\"'&\\u202eevil"

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows_the_machine_live(browser: Browser, server: Server, scheme: str) -> None:
    """Tiles, charts and tables fill and go on; the token is not in the address; nothing is refused or fails."""
    with Visit(browser, server, scheme=scheme) as visit:
        visit.live()
        assert "token" not in visit.page.url
        expect(visit.page.locator('[data-tile="heat"] .value')).to_have_text("41 °C")
        work = visit.page.locator("#chart-work")
        expect(work.locator("canvas")).to_have_count(1)
        expect(work.locator("tbody tr")).to_have_count(2)
        before = server.ticks
        cpu = visit.page.locator('tr:has(th[title="train.py"]) td.cpu')
        expect(cpu).to_contain_text("%")
        first = visit.page.locator('[data-tile="work"] .spark').get_attribute("d")
        expect(visit.page.locator('[data-tile="work"] .spark')).not_to_have_attribute("d", first or "")
        assert server.ticks > before
        visit.clean()


def test_points_arrive_one_by_one(browser: Browser, server: Server) -> None:
    """The chart grows by what the stream brings, without asking for all again."""
    with Visit(browser, server) as visit:
        visit.live()
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url))
        first = visit.page.evaluate("document.querySelector('.spark').getAttribute('d')")
        visit.page.wait_for_function("d => document.querySelector('.spark').getAttribute('d') !== d", arg=first)
        time.sleep(1)
        assert asked == []
        visit.clean()


def test_a_chart_says_itself_in_a_sentence(browser: Browser, server: Server) -> None:
    """A canvas says nothing to a screen reader: its label does, and the table beneath holds the values."""
    with Visit(browser, server) as visit:
        visit.live()
        drawing = visit.page.locator("#chart-heat .canvas")
        said = re.compile("^Heat, chart of the last 15 min. Now: attic 40 °C, ")
        expect(drawing).to_have_attribute("aria-label", said)
        expect(visit.page.locator("#chart-none .quiet").last).to_contain_text("Nothing to draw")
        visit.clean()


def test_hostile_names_are_text(browser: Browser, server: Server) -> None:
    """A process, a user, a room and an error that hold markup, escapes and line breaks are shown, not obeyed."""
    with Visit(browser, server) as visit:
        visit.live()
        row = visit.page.locator("#processes-table tbody tr", has=visit.page.locator("td", has_text="7").first)
        expect(row.locator("th").first).to_have_text(SHOWN)
        expect(visit.page.locator("#chart-heat tbody th").nth(1)).to_have_text(SHOWN)
        expect(visit.page.locator('[data-collector="broken"]')).to_contain_text("<b>it</b> broke")
        expect(visit.page.locator('[data-collector="rooms"]')).to_contain_text(f"{SHOWN} is gone")
        assert visit.page.locator("img, b, i").count() == 0
        visit.clean()


def test_it_says_stale_when_the_server_goes_and_comes_back_by_itself(browser: Browser) -> None:
    """Never a frozen lie: the time of the newest reading is named, values are dimmed; a restart heals it."""
    with page(port=free_port()) as first:  # one that nobody else is given while it is away
        first.tick(3)
        with Visit(browser, first) as visit:
            first.tick()
            clock = first.tick_on(0.2)
            visit.live()
            first.hold()
            clock.join()
            port = first.server.port
            first.server.stop()
            state = visit.page.locator("#state")
            expect(state).to_contain_text("stale since")
            expect(state).to_contain_text("the server does not answer")
            expect(visit.page.locator("html")).to_have_attribute("data-state", "stale")
            with page(port=port) as second:
                second.tick(2)
                clock = second.tick_on(0.2)
                expect(state).to_have_text("live")
                second.hold()
                clock.join()


def test_it_says_stale_when_readings_stop(browser: Browser) -> None:
    """The connection stands but nothing new comes: that is told too."""
    with page() as running:
        running.tick(2)
        clock = running.tick_on(0.2)
        with Visit(browser, running) as visit:
            visit.live()
            running.hold()
            clock.join()
            expect(visit.page.locator("#state")).to_contain_text("no new readings arrive")
            running.tick()
            visit.live()
            visit.clean()


def test_another_token_is_asked_for_in_words(browser: Browser) -> None:
    """A server that was started anew with another token says what to do, and the page keeps trying."""
    with page(port=free_port()) as first:
        first.tick(2)
        with Visit(browser, first) as visit:
            expect(visit.page.locator("#processes-count")).to_have_text("62")
            port = first.server.port
            first.server.stop()
            with page(port=port, access=Access("another")) as second:
                second.tick()
                expect(visit.page.locator("#notice")).to_contain_text("Open the address that it printed")
                expect(visit.page.locator("#state")).to_contain_text("asks for its token")


def test_too_many_pages_are_told_so(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says why it is not live, shows what it has, and tries again."""
    monkeypatch.setattr(stream, "MOST_CLIENTS", 0)
    with page() as running:
        running.tick(3)
        with Visit(browser, running) as visit:
            expect(visit.page.locator("#state")).to_contain_text("too many pages are open")
            expect(visit.page.locator('[data-tile="heat"] .value')).to_have_text("41 °C")
            monkeypatch.setattr(stream, "MOST_CLIENTS", 5)
            clock = running.tick_on(0.2)
            visit.live()
            running.hold()
            clock.join()
            visit.clean()


def test_a_hidden_page_rests_and_catches_up(browser: Browser, server: Server) -> None:
    """Nobody looks, nothing is sent; when someone looks again, what was missed is there."""
    with Visit(browser, server) as visit:
        visit.live()
        hide = "h => { Object.defineProperty(document, 'hidden', {value: h, configurable: true}); document.dispatchEvent(new Event('visibilitychange')) }"
        visit.page.evaluate(hide, arg=True)
        deadline = time.monotonic() + PATIENCE / 1000
        while len(server.live.hub) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(server.live.hub) == 0
        before = server.ticks
        while server.ticks < before + 5:
            time.sleep(0.05)
        with visit.page.expect_response("**/api/board*") as caught:
            visit.page.evaluate(hide, arg=False)
        assert len(caught.value.json()["times"]) > before
        visit.live()
        visit.clean()


def test_a_range_is_chosen(browser: Browser, server: Server) -> None:
    """The pressed button is told, and the history of that range is asked for."""
    with Visit(browser, server) as visit:
        visit.live()
        with visit.page.expect_response("**/api/board?seconds=3600*"):
            visit.page.get_by_role("button", name="1 h").click()
        expect(visit.page.get_by_role("button", name="1 h")).to_have_attribute("aria-pressed", "true")
        expect(visit.page.get_by_role("button", name="5 min", exact=True)).to_have_attribute("aria-pressed", "false")
        expect(visit.page.locator("#chart-work canvas")).to_have_count(1)
        visit.clean()


def test_a_new_device_appears_by_itself(browser: Browser) -> None:
    """A line that the page does not know makes it ask for all; nobody needs to reload."""
    rooms = ["attic"]
    with page(make=lambda tick: readings(tick, tuple(rooms))) as running:
        running.tick(2)
        clock = running.tick_on(0.2)
        with Visit(browser, running) as visit:
            visit.live()
            expect(visit.page.locator("#chart-heat tbody tr")).to_have_count(1)
            rooms.append("cellar")
            expect(visit.page.locator("#chart-heat tbody tr")).to_have_count(2)
            visit.clean()
        running.hold()
        clock.join()


@pytest.mark.parametrize("width", [360, 800, 1400, 2500])
def test_it_fits_any_screen(browser: Browser, server: Server, width: int) -> None:
    """From a phone to a wide screen nothing sticks out sideways; tables scroll in their own box."""
    with Visit(browser, server, width=width) as visit:
        visit.live()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        for chart in visit.page.locator("#charts canvas").all():
            box = chart.bounding_box()
            assert box
            assert box["x"] + box["width"] <= width
        visit.clean()


def test_the_keyboard_reaches_everything(browser: Browser, server: Server) -> None:
    """Tab goes through links, ranges, search and columns, and each shows that it has the focus."""
    with Visit(browser, server) as visit:
        visit.live()
        seen = set()
        for _ in range(100):
            visit.page.keyboard.press("Tab")
            if visit.page.evaluate("document.activeElement === document.body"):
                break  # all round
            seen.add(visit.page.evaluate("document.activeElement.textContent || document.activeElement.id"))
            outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
        assert {"Overview", "5 min", "1 h", "processes-search", "CPU", "Memory"} <= seen
        visit.clean()


def test_the_first_paint_is_quick(browser: Browser, server: Server) -> None:
    """The page is there before one wonders: it is painted though no answer about the machine has come yet."""
    painted = "() => performance.getEntriesByName('first-contentful-paint').length"
    with Visit(browser, server) as visit:
        visit.live()
        held: list[Route] = []
        visit.page.route("**/api/**", lambda route: held.append(route))  # noqa: PLW0108  it looks at parameters
        visit.page.reload(wait_until="commit")
        visit.page.wait_for_function(painted)
        expect(visit.page.get_by_role("link", name="Health")).to_be_visible()
        expect(visit.page.locator("#state")).not_to_have_text("live")
        for route in held:
            route.continue_()
