"""Time on the page: links, zoom, pan, one line over all charts, pause, and addresses that ask for what cannot be."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from bongsu.model.batch import Batch
from live_page import Page as Server
from live_page import page, readings
from node_exporter import free_port
from visiting import CHROMIUM, Visit

PAST = 50  # seconds that were read before a test begins
pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


def watched() -> Iterator[Server]:
    """A server that has read once a second for a while, and goes on five times a second."""
    began = time.time() - PAST

    def make(tick: int) -> Batch:
        batch = readings(tick)
        late = min(0.0, began + tick - batch.time) if tick < PAST else 0.0
        parts = tuple(msgspec.structs.replace(p, time=p.time + late, monotonic=p.monotonic + late) for p in batch.parts)
        return Batch(batch.time + late, batch.monotonic + late, parts)

    with page(make=make) as running:
        running.tick(PAST)
        clock = running.tick_on(0.2)
        yield running
        running.hold()
        clock.join()


server = pytest.fixture(watched)


def area(visit: Visit, name: str = "heat") -> Locator:
    """Where the times of a chart lie side by side."""
    return visit.page.locator(f"#chart-{name} .u-over")


def across(visit: Visit, start: float, end: float, *, name: str = "heat", shift: bool = False) -> None:
    """Drag over parts of a chart's width."""
    box = area(visit, name).bounding_box()
    assert box
    if shift:
        visit.page.keyboard.down("Shift")
    visit.page.mouse.move(box["x"] + start * box["width"], box["y"] + 40)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + end * box["width"], box["y"] + 40, steps=5)
    visit.page.mouse.up()
    if shift:
        visit.page.keyboard.up("Shift")


def asked(visit: Visit) -> tuple[float, float] | None:
    """The span in the address."""
    found = re.search(r"from=([\d.]+)&to=([\d.]+)", visit.page.url)
    return (float(found[1]), float(found[2])) if found else None


def moved_to(visit: Visit) -> tuple[float, float]:
    """The span in the address, once there is one."""
    expect(visit.page).to_have_url(re.compile("from=.*to="))
    span = asked(visit)
    assert span
    return span


def drawn(visit: Visit, name: str = "heat") -> int:
    """How many points of a chart's canvas are not empty."""
    count = visit.page.evaluate(
        """n => { const c = document.querySelector(`#chart-${n} canvas`); const d = c.getContext('2d')
        .getImageData(0, 0, c.width, c.height).data; let s = 0; for (let i = 3; i < d.length; i += 4) s += d[i] > 0; return s }""",
        name,
    )
    return int(count)


def test_a_drag_zooms_and_a_double_click_goes_back(browser: Browser, server: Server) -> None:
    """What was dragged over is shown and asked for, to the second; two zooms need two double-clicks back to live."""
    began = time.time() - PAST
    with Visit(browser, server) as visit:
        visit.live()
        with visit.page.expect_response("**/api/board?from=*") as caught:
            across(visit, 0.3, 0.8)
        start, end = moved_to(visit)
        assert 22 <= end - start <= 0.5 * (time.time() - began) + 8  # the chart grows while the machine is watched
        times = caught.value.json()["times"]
        assert start <= times[0]
        assert times[-1] <= end
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        across(visit, 0.1, 0.6)
        expect(visit.page).not_to_have_url(re.compile(f"from={start:.0f}&"))
        area(visit).dblclick()
        expect(visit.page).to_have_url(re.compile(f"from={start:.0f}&to={end:.0f}"))
        area(visit).dblclick()
        expect(visit.page).not_to_have_url(re.compile("from="))
        visit.live()
        visit.clean()


def test_a_click_does_not_zoom(browser: Browser, server: Server) -> None:
    """Two pixels are a hand that trembles."""
    with Visit(browser, server) as visit:
        visit.live()
        across(visit, 0.5, 0.505)
        expect(visit.page.locator("#chart-heat .select")).to_be_hidden()
        assert asked(visit) is None
        visit.clean()


def test_the_browser_goes_back_and_forward(browser: Browser, server: Server) -> None:
    """Each zoom and range is a step of the browser's own history; following a link to a section loses none."""
    with Visit(browser, server) as visit:
        visit.live()
        across(visit, 0.3, 0.8)
        start, _ = moved_to(visit)
        visit.page.get_by_role("button", name="1 h", exact=True).click()
        expect(visit.page).to_have_url(re.compile("range=3600"))
        visit.live()
        visit.page.go_back()
        expect(visit.page).to_have_url(re.compile(f"from={start:.0f}"))
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        visit.page.get_by_role("link", name="Health").click()
        expect(visit.page).to_have_url(re.compile(f"from={start:.0f}.*#health"))
        visit.page.go_back()
        visit.page.go_back()
        expect(visit.page).not_to_have_url(re.compile("from="))
        visit.live()
        visit.page.go_forward()
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        visit.clean()


def test_a_link_restores_the_view(browser: Browser, server: Server) -> None:
    """Whoever opens the address sees the same span, not the newest; one button leads to what is live."""
    start, end = int(time.time()) - 40, int(time.time()) - 10
    with Visit(browser, server, at=f"&from={start}&to={end}&range=3600") as visit:
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        expect(visit.page.locator("#chart-heat .canvas")).to_have_attribute(
            "aria-label", re.compile("chart from .* to ")
        )
        assert asked(visit) == (start, end)
        before = server.ticks
        while server.ticks < before + 4:
            time.sleep(0.05)
        assert asked(visit) == (start, end)
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        visit.page.get_by_role("button", name="Back to live").click()
        visit.live()
        expect(visit.page.get_by_role("button", name="1 h", exact=True)).to_have_attribute("aria-pressed", "true")
        visit.clean()


def test_pause_holds_what_is_shown(browser: Browser, server: Server) -> None:
    """The charts stand still while the tables go on; live again catches up."""
    with Visit(browser, server) as visit:
        visit.live()
        visit.page.get_by_role("button", name="Pause").click()
        _, end = moved_to(visit)
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        with visit.page.expect_response("**/api/board?seconds=900*") as caught:
            visit.page.get_by_role("button", name="Back to live").click()
        assert caught.value.json()["times"][-1] > end - 2
        visit.live()
        visit.clean()


def test_shift_and_drag_pans(browser: Browser, server: Server) -> None:
    """The span keeps its length and goes where the hand goes; one drag is one step back."""
    with Visit(browser, server) as visit:
        visit.live()
        across(visit, 0.5, 0.9)
        start, end = moved_to(visit)
        across(visit, 0.2, 0.7, shift=True)
        expect(visit.page).not_to_have_url(re.compile(f"from={start:.0f}&"))
        earlier, until = moved_to(visit)
        assert until - earlier == end - start
        assert abs((start - earlier) - (end - start) / 2) <= 2
        visit.page.go_back()
        expect(visit.page).to_have_url(re.compile(f"from={start:.0f}&to={end:.0f}"))
        visit.clean()


def test_keys_move_through_time(browser: Browser, server: Server) -> None:
    """What a mouse can do, keys can: pan, zoom, point, go back, return to live."""
    with Visit(browser, server) as visit:
        visit.live()
        chart = visit.page.locator("#chart-heat .canvas")
        chart.press("ArrowLeft")
        start, end = moved_to(visit)
        chart.press("+")
        expect(visit.page).not_to_have_url(re.compile(f"from={start:.0f}&"))
        closer = moved_to(visit)
        assert closer[1] - closer[0] == pytest.approx((end - start) / 2, abs=2)
        chart.press("Backspace")
        expect(visit.page).to_have_url(re.compile(f"from={start:.0f}&to={end:.0f}"))
        chart.press("Shift+ArrowLeft")
        expect(visit.page.locator("#chart-heat")).not_to_have_attribute("data-at", "now")
        chart.press("Escape")
        expect(visit.page.locator("#chart-heat")).to_have_attribute("data-at", "now")
        chart.press("Home")
        visit.live()
        visit.clean()


def test_one_line_stands_over_all_charts(browser: Browser, server: Server) -> None:
    """Every chart tells its values at the time that is pointed at; the time itself is told once; leaving ends it."""
    with Visit(browser, server, at=f"&from={int(time.time()) - 40}&to={int(time.time()) - 2}") as visit:
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        newest = visit.page.locator("#chart-work td").first.text_content()
        box = area(visit).bounding_box()
        assert box
        visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
        heat, work = visit.page.locator("#chart-heat"), visit.page.locator("#chart-work")
        expect(heat).not_to_have_attribute("data-at", "now")
        assert work.get_attribute("data-at") == heat.get_attribute("data-at")
        expect(visit.page.locator(".moment:visible")).to_have_count(1)
        expect(heat.locator(".moment")).to_have_text(re.compile(r"^(?:\w+ \w+ )?\d\d:\d\d:\d\d$"))
        lines = [
            visit.page.locator(f"#chart-{name} .u-cursor-x").evaluate("e => e.style.transform")
            for name in ("heat", "work")
        ]
        assert lines[0] == lines[1] != ""
        assert newest
        visit.page.mouse.move(5, 5)
        expect(work).to_have_attribute("data-at", "now")
        expect(visit.page.locator(".moment:visible")).to_have_count(0)
        visit.clean()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("range=soon", "range=soon"),
        ("range=-5", "range=-5"),
        ("range=1e99", "range=1e99"),
        ("from=200&to=100", "ends before it begins"),
        ("from=100", "needs both"),
        ("from=x&to=5", "from=x"),
        ("from=99999999999&to=99999999999999", "at most"),
        ("from=99999999000&to=99999999999", "yet to come"),
        ("from=NaN&to=Infinity", "from=NaN"),
        ("range=" + "9" * 500, "range=99999"),
    ],
)
def test_an_absurd_address_is_told_in_words(browser: Browser, server: Server, address: str, said: str) -> None:
    """What cannot be shown is named, what is shown instead too, and the page is live with its default."""
    with Visit(browser, server, at=f"&{address}") as visit:
        visit.live()
        expect(visit.page.locator("#notice")).to_contain_text(said)
        expect(visit.page.locator("#notice")).to_contain_text("The last 15 min are shown.")
        visit.page.get_by_role("button", name="5 min", exact=True).click()
        expect(visit.page.locator("#notice")).to_be_hidden()
        visit.clean()


def test_a_custom_span_is_typed(browser: Browser, server: Server) -> None:
    """By keyboard alone; a span that cannot be is refused in words; Escape closes and gives the focus back."""
    with Visit(browser, server) as visit:
        visit.live()
        button = visit.page.get_by_role("button", name="Custom …")
        button.press("Enter")
        expect(visit.page.get_by_label("From", exact=True)).to_be_focused()
        visit.page.keyboard.press("Escape")
        expect(button).to_be_focused()
        button.press("Enter")
        visit.page.get_by_label("From", exact=True).fill("2026-03-02T10:00:00")
        visit.page.get_by_label("To", exact=True).fill("2026-03-01T10:00:00")
        visit.page.get_by_role("button", name="Show", exact=True).press("Enter")
        expect(visit.page.locator("#custom-sheet")).to_contain_text("ends before it begins")
        visit.page.get_by_label("To", exact=True).fill("2026-03-02T11:30:00")
        visit.page.get_by_label("To", exact=True).press("Enter")
        start, end = moved_to(visit)
        assert end - start == 5400
        expect(visit.page.locator("#custom-sheet")).to_be_hidden()
        expect(visit.page.locator("#chart-heat")).to_contain_text("Nothing was read at this time.")
        visit.clean()


def test_peaks_are_seen(browser: Browser, server: Server) -> None:
    """Values that stand for many readings have their least and most drawn behind them, and named in the table."""
    peak = False

    def answer(route: Route) -> None:
        response = route.fetch()
        board: dict[str, Any] = response.json()
        for panel in board["panels"]:
            for line in panel["series"]:
                some = [v is not None for v in line["values"]]
                line["low"] = (
                    [v - 5 if k else None for v, k in zip(line["values"], some, strict=True)] if peak else None
                )
                line["high"] = (
                    [v + 15 if k else None for v, k in zip(line["values"], some, strict=True)] if peak else None
                )
        route.fulfill(response=response, body=json.dumps(board))

    start = int(time.time()) - 40
    with Visit(browser, server, at=f"&from={start}&to={start + 35}") as visit:
        expect(visit.page.locator("#state")).to_contain_text("paused at ")
        expect(visit.page.locator("#chart-heat")).to_have_attribute("data-bands", "0")
        plain = drawn(visit)
        peak = True
        visit.page.route("**/api/board*", answer)
        visit.page.reload()
        expect(visit.page.locator("#chart-heat")).to_have_attribute("data-bands", "2")
        assert drawn(visit) > plain + 3000
        expect(visit.page.locator("#chart-heat td").first).to_have_attribute("title", "from 35 °C to 55 °C")
        expect(visit.page.locator("#chart-work")).to_have_attribute("data-bands", "1")
        expect(visit.page.locator("#chart-work tbody")).to_contain_text("peak of all, at least")
        visit.clean()


def test_many_lines_are_a_heat_map(browser: Browser, server: Server) -> None:
    """A row for each line; a sentence tells highest, average and lowest; it zooms as every chart does."""

    def answer(route: Route) -> None:
        response = route.fetch()
        board: dict[str, Any] = response.json()
        heat = next(panel for panel in board["panels"] if panel["name"] == "heat")
        values = heat["series"][0]["values"]
        heat.update(
            heat=True, unit="ratio", top=1.0,
            series=[
                {"key": f"c{i}", "legend": f"core {i}", "values": [i / 31] * len(values), "low": None, "high": None}
                for i in range(32)
            ],
        )  # fmt: skip
        route.fulfill(response=response, body=json.dumps(board))

    start = int(time.time()) - 40
    with Visit(browser, server, at="") as visit:
        visit.page.route("**/api/board*", answer)
        visit.page.goto(f"{server.address}/?from={start}&to={start + 35}")
        chart = visit.page.locator("#chart-heat")
        expect(chart.locator("canvas.heat")).to_have_count(1)
        expect(chart.locator("tbody")).to_contain_text("core 31: 100 %")
        expect(chart.locator(".canvas")).to_have_attribute(
            "aria-label", re.compile(r"highest core 31 100 %, average 50\.0 %, lowest core 0 0 %")
        )
        assert drawn(visit) > 30_000
        box = chart.locator(".heat-over").bounding_box()
        assert box
        visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
        expect(visit.page.locator("#chart-work")).not_to_have_attribute("data-at", "now")
        visit.page.mouse.down()
        visit.page.mouse.move(box["x"] + box["width"], box["y"] + 30, steps=4)
        visit.page.mouse.up()
        expect(visit.page).not_to_have_url(re.compile(f"from={start}&"))
        visit.clean()


def test_a_server_that_comes_back_finds_the_view_as_it_was(browser: Browser) -> None:
    """A paused page tells that the server went, and is the same paused page when it is there again."""
    with page(port=free_port()) as first:  # one that nobody else is given while it is away
        first.tick(3)
        clock = first.tick_on(0.2)
        start = int(time.time()) - 60
        with Visit(browser, first, at=f"&from={start}&to={start + 59}") as visit:
            state = visit.page.locator("#state")
            expect(state).to_contain_text("paused at ")
            first.hold()
            clock.join()
            port = first.server.port
            first.server.stop()
            expect(state).to_contain_text("stale since")
            with page(port=port) as second:
                second.tick(2)
                clock = second.tick_on(0.2)
                expect(state).to_contain_text("paused at ")
                assert asked(visit) == (start, start + 59)
                visit.page.get_by_role("button", name="Back to live").click()
                visit.live()
                second.hold()
                clock.join()


def test_what_nobody_has_seen_is_not_drawn(browser: Browser, server: Server) -> None:
    """A chart out of sight has its names and so its height, but no drawing; it has one as soon as it is seen."""
    with Visit(browser, server) as visit:
        visit.page.set_viewport_size({"width": 600, "height": 200})
        visit.page.reload()
        visit.live()
        chart = visit.page.locator("#chart-heat")
        expect(chart.locator("tbody tr")).to_have_count(2)
        expect(chart.locator("canvas")).to_have_count(0)
        height = chart.bounding_box()
        chart.scroll_into_view_if_needed()
        expect(chart.locator("canvas")).to_have_count(1)
        expect(chart.locator("td").first).to_have_text("40 °C")
        seen = chart.bounding_box()
        assert height
        assert seen
        assert abs(seen["height"] - height["height"]) < 2
        visit.clean()
