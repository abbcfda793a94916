"""The page without a mouse, and for those whom motion makes ill."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, expect

from live_page import Page as Server
from visiting import CHROMIUM, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")

# What a mouse could use and is seen; of the rows of a table one takes the focus, arrows lead to the others.
USABLE = """[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
    .filter(e => e.checkVisibility() && !e.closest('tbody') && !e.disabled)"""


@pytest.mark.parametrize("width", [360, 1400])
def test_tab_comes_to_all_that_can_be_used(browser: Browser, server: Server, width: int) -> None:
    """Each link, button, chart and field is reached, forwards and in the order of the page, and shows that it has the focus."""
    with Visit(browser, server, width=width) as visit:
        visit.live()
        expect(visit.page.locator("#chart-heat canvas")).to_have_count(1)
        visit.page.evaluate(f"{USABLE}.forEach((e, i) => e.dataset.walk = i)")
        count = visit.page.evaluate(f"{USABLE}.length")
        assert count > 20
        reached: list[int] = []
        for _ in range(count + 10):
            visit.page.keyboard.press("Tab")
            at = visit.page.evaluate(
                "[document.activeElement.dataset.walk ?? null, getComputedStyle(document.activeElement).outlineStyle]"
            )
            if at[0] is None:
                continue
            assert at[1] != "none"
            reached.append(int(at[0]))
            if len(set(reached)) == count:
                break
        assert sorted(set(reached)) == list(range(count))
        assert reached == sorted(reached)
        visit.clean()


def test_a_day_without_a_mouse(browser: Browser, server: Server) -> None:
    """Range, chart, table of a chart, process and back: by Tab, arrows, Enter and Escape alone."""
    with Visit(browser, server) as visit:
        visit.live()
        press = visit.page.keyboard.press

        def tab_to(selector: str) -> None:
            for _ in range(80):
                press("Tab")
                if visit.page.evaluate("s => document.activeElement.matches(s)", selector):
                    return
            raise AssertionError(f"Tab does not come to {selector}")

        tab_to('[data-range="300"]')
        press("Enter")
        expect(visit.page).to_have_url(f"{server.address}/?range=300")
        tab_to('#chart-heat .tools button[title="View as table"]')
        press("Enter")
        expect(visit.page.get_by_role("dialog", name="Heat")).to_be_visible()
        press("Escape")
        expect(visit.page.get_by_role("dialog")).to_have_count(0)
        tab_to("#chart-heat .canvas")
        press("Shift+ArrowLeft")
        expect(visit.page.locator("#chart-heat")).not_to_have_attribute("data-at", "now")
        press("Escape")
        tab_to("#processes-table tbody button")
        press("ArrowDown")
        press("ArrowDown")
        held = visit.page.evaluate("document.activeElement.closest('tr').dataset.key")
        press("Enter")
        expect(visit.page.locator("#process-dialog")).to_be_visible()
        press("Escape")
        expect(visit.page.locator("#process-dialog")).to_be_hidden()
        assert visit.page.evaluate("document.activeElement.closest('tr').dataset.key") == held


def test_nothing_moves_for_those_who_ask_for_that(browser: Browser, server: Server) -> None:
    """With reduced motion the page jumps where it would glide, and no style has a transition or an animation."""
    moving = """[...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);
        return s.animationName !== 'none' || s.transitionDuration.split(',').some(d => parseFloat(d) > 0) })
        .map(e => e.localName)"""
    with Visit(browser, server) as visit:
        visit.live()
        smooth = "getComputedStyle(document.documentElement).scrollBehavior"
        visit.page.emulate_media(reduced_motion="reduce")
        assert visit.page.evaluate(smooth) == "auto"
        assert visit.page.evaluate(moving) == []
        visit.page.emulate_media(reduced_motion="no-preference")
        assert visit.page.evaluate(smooth) == "smooth"
        visit.clean()
