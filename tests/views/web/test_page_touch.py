"""The page under a finger: a tap points, a drag to the side zooms, a drag up or down still scrolls the page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from live_page import TOKEN
from live_page import Page as Server
from visiting import CHROMIUM, PATIENCE

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


@pytest.fixture
def phone(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, live on a small screen without a mouse."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE)
    shown = context.new_page()
    shown.goto(f"{server.address}/?token={TOKEN}")
    expect(shown.locator("#state")).to_have_text("live")
    chart(shown).scroll_into_view_if_needed()
    yield shown
    context.close()


@pytest.fixture
def wire(phone: Page) -> CDPSession:
    """What moves a finger over the page."""
    return phone.context.new_cdp_session(phone)


def chart(phone: Page) -> Locator:
    """A chart of lines."""
    return phone.locator("#chart-heat")


def area(phone: Page) -> tuple[float, float, float]:
    """Where its times begin, a height within it, and its width."""
    box = chart(phone).locator(".u-over").bounding_box()
    assert box
    return box["x"], box["y"] + box["height"] / 2, box["width"]


def swipe(wire: CDPSession, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A finger that is put down, moved and lifted."""
    steps = 10

    def touch(kind: str, *points: tuple[float, float]) -> None:
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", start)
    for i in range(1, steps + 1):
        touch("touchMove", (start[0] + (end[0] - start[0]) * i / steps, start[1] + (end[1] - start[1]) * i / steps))
    touch("touchEnd")


def test_a_tap_points_until_one_taps_elsewhere(phone: Page) -> None:
    """Every chart tells its values at the time that was tapped, and goes on telling them when the finger is lifted."""
    x, y, width = area(phone)
    phone.touchscreen.tap(x + width / 2, y)
    expect(chart(phone)).not_to_have_attribute("data-at", "now")
    expect(chart(phone).locator(".moment")).to_have_text(re.compile(r"^(?:\w+ \w+ )?\d\d:\d\d:\d\d$"))
    first = chart(phone).get_attribute("data-at")
    expect(phone.locator("#chart-work")).to_have_attribute("data-at", first or "")
    phone.touchscreen.tap(x + width * 0.9, y)
    expect(chart(phone)).not_to_have_attribute("data-at", first or "")
    assert "from=" not in phone.url
    phone.touchscreen.tap(4, y)
    expect(chart(phone)).to_have_attribute("data-at", "now")


def test_a_drag_to_the_side_zooms(phone: Page, wire: CDPSession) -> None:
    """What the finger went over is shown; nothing stays marked or pointed at; the browser goes back."""
    x, y, width = area(phone)
    swipe(wire, (x + 0.2 * width, y), (x + 0.8 * width, y + 4))
    expect(phone).to_have_url(re.compile("from=.*to="))
    expect(chart(phone).locator(".select")).to_be_hidden()
    expect(chart(phone)).to_have_attribute("data-at", "now")
    phone.go_back()
    expect(phone.locator("#state")).to_have_text("live")


def test_a_drag_upwards_scrolls_the_page(phone: Page, wire: CDPSession) -> None:
    """A chart is no trap: the page goes on beneath the finger, and the span stays."""
    x, y, width = area(phone)
    before = phone.evaluate("scrollY")
    swipe(wire, (x + 0.3 * width, y), (x + 0.32 * width, y - 250))
    phone.wait_for_function("before => scrollY > before + 50", arg=before)
    expect(chart(phone)).to_have_attribute("data-at", "now")
    assert "from=" not in phone.url
