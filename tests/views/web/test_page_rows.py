"""Tiles and charts fill their rows at every width, and nothing of them is cut."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from live_page import Page as Server
from visiting import CHROMIUM, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")
FIRST = {
    "#tiles": {400: 2, 900: 4, 1400: 7, 1900: 7},
    "#charts": {400: 1, 900: 2, 1400: 3, 1900: 3},
}  # in the first row
# What is wider than the box that hides it, but for what one is meant to scroll.
CUT = """() => [...document.querySelectorAll('.tile *, .chart *, .top *')].filter((e) =>
  !e.closest('.hidden') && getComputedStyle(e).overflow !== 'visible' && getComputedStyle(e).display !== 'inline'
  && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)).map((e) => `${e.className}: ${e.textContent}`)"""


def many(route: Route) -> None:
    """A board with five panels under one heading, two under the next, one that is empty, and tiles of every kind."""
    answer = route.fetch()
    board: dict[str, Any] = answer.json()
    work, heat, none = board["panels"]
    board["panels"] = [
        *({**work, "name": f"work{i}", "section": "Five"} for i in range(5)),
        *({**heat, "name": f"heat{i}", "section": "Two"} for i in range(2)),
        {**none, "section": "Two"},
    ]
    tile = board["tiles"][0]
    names = "CPU", "Memory", "Disk", "Fullest file system", "Network", "Waiting for CPU", "Stalled for memory"
    words = {"severity": "none", "text": "no GPU driver: libnvidia-ml.so.1 is not installed"}
    board["tiles"] = [
        *({**tile, "name": name, "title": name, "legend": "received and sent"} for name in names),
        {**tile, "name": "gpu", "title": "GPU", "value": None, "state": words},
    ]
    board["tiles"][1]["state"] = {"severity": "critical", "text": "full: programs may be killed"}
    route.fulfill(response=answer, json=board)


@pytest.fixture(params=[400, 900, 1400, 1900])
def visit(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Visit]:
    """The page with many panels, at one of the widths."""
    server.hold()
    with Visit(browser, server, width=request.param) as opened:
        opened.page.route("**/api/board*", many)
        opened.page.reload()
        expect(opened.page.locator(".chart")).to_have_count(8)
        expect(opened.page.locator(".chart.empty")).to_have_count(1)
        yield opened


def rows(found: Locator) -> list[list[dict[str, float]]]:
    """The boxes of elements that are seen, row by row; all of one moment, since what stands above may change."""
    seen: list[dict[str, float]] = found.evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().toJSON()).filter(box => box.width * box.height > 0)"
    )
    boxes = sorted(seen, key=lambda box: (box["y"], box["x"]))
    return [list(row) for _, row in itertools.groupby(boxes, key=lambda box: box["y"])]


def test_every_row_is_full(visit: Visit) -> None:
    """The last of a row ends where the grid ends, whatever the width and number; neighbours are equally wide."""
    for grid, each in (("#tiles", ".tile"), ("#charts", ".chart")):
        box = visit.page.locator(grid).bounding_box()
        assert box
        lines = rows(visit.page.locator(f"{grid} {each}"))
        assert len(lines[0]) == FIRST[grid][visit.page.viewport_size["width"]]  # type: ignore[index]  # it has one
        assert sum(map(len, lines)) == 8
        for row in lines:
            assert row[0]["x"] - box["x"] == pytest.approx(4, abs=1)
            assert box["x"] + box["width"] - row[-1]["x"] - row[-1]["width"] == pytest.approx(4, abs=1)
            assert max(b["width"] for b in row) - min(b["width"] for b in row) < 1.5


def test_nothing_is_cut(visit: Visit) -> None:
    """No title, value or sentence is hidden by its box, and the page does not scroll sideways."""
    assert visit.page.evaluate(CUT) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_tile_has_its_line_within_it(visit: Visit) -> None:
    """Also on a small screen, where it stands beside the number."""
    tile, line = visit.page.locator(".tile").first.evaluate(
        "tile => [tile, tile.querySelector('svg')].map(e => e.getBoundingClientRect().toJSON())"
    )
    assert tile["top"] < line["top"] < line["bottom"] <= tile["bottom"]


def test_values_of_tiles_stand_in_line(visit: Visit) -> None:
    """A title of two lines pushes down the numbers beside it too."""
    visit.page.locator(".tile h2 a").first.evaluate("e => { e.textContent = 'many words '.repeat(6) }")
    first = rows(visit.page.locator("#tiles .tile:not(.unread)"))[0]
    values = rows(visit.page.locator("#tiles .tile:not(.unread) .value"))[0]
    assert len(values) == len(first)


def test_a_chart_that_becomes_empty_leaves_a_full_row(visit: Visit) -> None:
    """Rows are filled anew when one goes to the end."""
    visit.page.locator("#chart-heat0").evaluate("e => e.classList.add('empty')")
    visit.page.wait_for_function(
        "document.querySelector('#chart-heat1').getBoundingClientRect().width > 0.98 * charts.clientWidth - 20"
    )
