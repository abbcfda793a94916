"""Names that a workload chooses, end to end in a browser: markup, quotes, marks that turn text round, ten thousand letters."""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from bongsu.model.batch import Absence, Batch, Table, Why
from bongsu.model.message import Message
from bongsu.sinks import http_message
from live_page import page, process
from readings import HEAT, WORK, part
from visiting import CHROMIUM, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")

FORBIDDEN = (
    "document.querySelectorAll('iframe, img, a[href^=\"javascript:\"], [onload], [onerror], body script').length"
)
# What is given, and how it is shown.
NAMES = {
    "script": ("</script><script>violations.push(1)</script>", "</script><script>violations.push(1)</script>"),
    "handler": ("<svg/onload=alert(1)><iframe src=javascript:alert(1)>", "<svg/onload=alert(1)><iframe src=javascript:alert(1)>"),
    "quotes": ("\"'`><a href=javascript:alert(1)>&amp;", "\"'`><a href=javascript:alert(1)>&amp;"),
    "placeholders": ("{room} %s ${alert(1)} {{x}}", "{room} %s ${alert(1)} {{x}}"),
    "turned": ("\u202egnp.exe\u202c\u2066x\u200f", "\\u202egnp.exe\\u202c\\u2066x\\u200f"),
    "lines": ("a\nb\r\nc\td\x00\x1b[2J", "a\\nb\\r\\nc\\td\\x00\\x1b[2J"),
    "not UTF-8": ("caf\udce9", None),
    "long": ("long" * 2500, "long" * 2500),
    "words": ("word " * 2000, ("word " * 2000).strip()),
    "proto": ("__proto__", "__proto__"),
    "constructor": ("constructor", "constructor"),
    "separator": ("a\x1fb", "a\\x1fb"),
    "many marks": ("e" + "\u0301" * 500, "e" + "\u0301" * 500),
}  # fmt: skip


def batch(tick: int, name: str) -> Batch:
    """A machine on which everything that can be named has that name."""
    now, at = time.time(), time.monotonic()
    rows = (
        process(7, name, user=name, arguments=name, cpu_seconds=tick * 0.1),
        *(process(100 + i, f"worker-{i}") for i in range(30)),
    )
    values = {(HEAT, (name,)): 50.0, (HEAT, ("attic",)): 40.0, (WORK, (name, name)): tick * 0.1}
    lost = Absence(HEAT, (name,), Why.LOST, Message("{room} is gone", room=name), Message("look for {room}", room=name))
    parts = (
        part(values, 0, collector="rooms", tables=(Table("processes", rows),), absences=(lost,)),
        part({}, 0, collector="broken", error=Message("{name} broke", name=name)),
    )
    return Batch(now, at, tuple(msgspec.structs.replace(one, time=now, monotonic=at) for one in parts))


def nothing_kept(_: http_message.Request) -> http_message.Response:
    """Stands for the query API of a machine without history."""
    body = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
    return http_message.Response(200, (("Content-Type", "application/json"),), body)


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_text_wherever_it_stands(browser: Browser, kind: str, width: int) -> None:
    """Chart, tile, table, file, process, its history, search, groups, health: shown, not obeyed, and the page stays whole."""
    name, shown = NAMES[kind]
    with page(make=lambda tick: batch(tick, name), api=nothing_kept) as running:
        running.tick(4)
        clock = running.tick_on(0.3)
        with Visit(browser, running, width=width) as visit:
            visit.live()
            heat = visit.page.locator("#chart-heat")
            expect(heat.locator("tbody th")).to_have_count(2)
            said = [text.strip() for text in heat.locator("tbody th").all_text_contents()]
            assert "attic" in said
            if shown is not None:
                assert shown in said
                expect(visit.page.locator('[data-collector="broken"]')).to_contain_text(f"{shown[:40]}")
            visit.page.get_by_label("Group by").select_option("user")
            expect(visit.page.locator("#processes-table tbody tr.group")).to_have_count(2)
            visit.page.get_by_label("Group by").select_option("none")
            visit.page.locator("#processes-search").fill((shown or "caf")[:30])
            row = visit.page.locator("#processes-table tbody tr")
            expect(row).to_have_count(1)
            row.get_by_role("button").click()
            dialog = visit.page.get_by_role("dialog")
            expect(dialog).to_be_visible()
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            box = dialog.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            visit.page.keyboard.press("Escape")
            visit.page.get_by_role("button", name="View Heat as a table").click()
            with visit.page.expect_download() as caught:
                visit.page.get_by_role("button", name="Download CSV").click()
            rows = list(csv.reader(io.StringIO(Path(caught.value.path()).read_text())))
            assert {len(cells) for cells in rows} == {3}
            visit.page.keyboard.press("Escape")
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.evaluate("document.documentElement.scrollHeight") < 8000
            assert all(tile.evaluate("e => e.offsetHeight") < 300 for tile in visit.page.locator(".tile").all())
            assert visit.page.evaluate(FORBIDDEN) == 0
            assert visit.page.evaluate("Object.keys(Object.prototype)") == []
            visit.clean()
        running.hold()
        clock.join()


def test_what_takes_more_than_some_lines_is_scrolled_to_by_keys(browser: Browser) -> None:
    """What Health says of a collector is cut after some lines; Tab goes there, and End to its last word."""
    name, _ = NAMES["words"]
    with page(make=lambda tick: batch(tick, name), api=nothing_kept) as running:
        running.tick(4)
        clock = running.tick_on(0.3)
        with Visit(browser, running, width=1400) as visit:
            visit.live()
            said = visit.page.locator("#health-problems li").last
            said.scroll_into_view_if_needed()
            assert said.evaluate("e => e.scrollHeight > 1.2 * e.clientHeight")
            visit.page.locator("#health .scroll").focus()
            visit.page.keyboard.press("Shift+Tab")
            expect(said).to_be_focused()
            visit.page.keyboard.press("End")
            deadline = time.monotonic() + 60
            while not said.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 1"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            visit.clean()
        running.hold()
        clock.join()
