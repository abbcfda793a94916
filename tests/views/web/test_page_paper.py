"""What one takes away from the page: a chart as a picture, the page on paper, and the sheet of its keys."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, expect

from live_page import Page as Server
from visiting import CHROMIUM, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")


def test_a_chart_is_a_picture(browser: Browser, server: Server) -> None:
    """A PNG file with the drawing, and around it more: title, time and unit, the legend with its values."""
    with Visit(browser, server) as visit:
        visit.live()
        visit.page.evaluate(
            """() => {
              window.said = [];
              const { fillText } = CanvasRenderingContext2D.prototype;
              CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
                said.push(text);
                return fillText.call(this, text, ...rest);
              };
            }"""
        )
        with visit.page.expect_download() as caught:
            visit.page.get_by_role("button", name="Save Heat as a picture").click()
        assert re.fullmatch(r"bongsu-heat-\d{8}T\d{4}Z\.png", caught.value.suggested_filename)
        head = Path(caught.value.path()).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", head[16:24])
        drawn = visit.page.locator("#chart-heat canvas").bounding_box()
        assert drawn
        assert width >= drawn["width"]
        assert height >= drawn["height"] + 44 + 18
        said = visit.page.evaluate("said")
        assert {"Heat (°C)", "attic", "40 °C"} <= set(said)
        assert any(re.search(r"\d\d:\d\d.* to .*\d\d:\d\d", text) for text in said)
        visit.clean()


def test_paper_is_light_whole_and_without_controls(browser: Browser, server: Server) -> None:
    """Also from a dark screen; a chart that was never seen is drawn, none is wider than the sheet; after it all is as before."""
    with Visit(browser, server, width=400, scheme="dark") as visit:
        visit.live()
        visit.page.emulate_media(media="print", color_scheme="dark")
        root = visit.page.locator("html")
        expect(root).to_have_attribute("data-print", "")
        expect(root).to_have_attribute("data-theme", "light")
        for name in ("nav", "#ranges", "#theme", "#keys", ".tools >> nth=0", "#processes-search"):
            expect(visit.page.locator(name)).to_be_hidden()
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        expect(visit.page.locator("#chart-heat canvas")).to_have_count(1)
        wide = visit.page.locator("#chart-heat").bounding_box()
        assert wide
        assert 300 < wide["width"] < 360
        for name in ("work", "heat"):
            assert visit.page.locator(f"#chart-{name} canvas").evaluate(
                "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)"
            )
        visit.page.emulate_media(media="screen", color_scheme="dark")
        expect(root).not_to_have_attribute("data-print", "")
        expect(root).to_have_attribute("data-theme", "dark")
        visit.clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_question_mark_opens_the_sheet_of_keys(browser: Browser, server: Server, scheme: str) -> None:
    """By key or button; Esc closes it; in the search it is a letter; axe-core finds nothing."""
    with Visit(browser, server, scheme=scheme) as visit:
        visit.live()
        sheet = visit.page.get_by_role("dialog", name="Keys and gestures")
        visit.page.keyboard.press("?")
        expect(sheet).to_contain_text("back to live")
        found = [
            v["id"] for v in Axe().run(visit.page).response["violations"] if v["impact"] in {"serious", "critical"}
        ]
        assert found == []
        visit.page.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        visit.page.locator("#processes-search").press("?")
        expect(visit.page.locator("#processes-search")).to_have_value("?")
        expect(sheet).to_be_hidden()
        visit.page.get_by_role("button", name="Keys and gestures (?)").click()
        expect(sheet).to_be_visible()
        visit.clean()
