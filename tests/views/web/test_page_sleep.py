"""The page while clocks leap, machines sleep, the server stands still, dies and comes back: never a frozen lie."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from live_page import Page as Server
from node_exporter import free_port
from visiting import CHROMIUM, PATIENCE, Visit

pytestmark = [
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here"),
    pytest.mark.timeout(600),  # each waits more than once for what a busy machine does in its own time
]

HOUR = 3600.0
TITLE = "CPU"  # of the chart of the board that stands for all
# Runs `bongsu` with a wall clock that is off by the seconds in a file; the monotonic clock stays as it is, as it does
# when a machine sleeps or its clock is set.
OTHER_CLOCK = """
import sys, time
wall, name = time.time, sys.argv.pop(1)
def shifted():
    with open(name) as file:
        return wall() + float(file.read())
time.time = shifted
from bongsu.__main__ import main
sys.exit(main())
"""


@contextmanager
def up(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`bongsu up` with its own data and its own idea of the time, and the address that it prints."""
    shift = folder / "shift"
    if not shift.exists():
        shift.write_text("0")
    few = ["--collector.disable-defaults", "--collector.cpu", "--collector.loadavg", "--collector.meminfo"]
    command = [
        sys.executable, "-c", OTHER_CLOCK, str(shift), "up", "--quiet", "--port", str(port), "--interval", "0.5",
        "--data-dir", str(folder / "data"), *few,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            match = re.search(r"http://\S+token=\S+", process.stdout.readline())
            assert match
            yield process, match[0]
        finally:
            process.kill()


def clock_of(folder: Path) -> Callable[[float], None]:
    """Sets the clock of `up` so many seconds ahead of ours; it never reads half of what is written."""

    def set_to(seconds: float) -> None:
        (folder / "new").write_text(str(seconds))
        (folder / "new").replace(folder / "shift")

    return set_to


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page, live."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    shown = context.new_page()
    shown.goto(address)
    expect(shown.locator("#state")).to_have_text("live", timeout=PATIENCE)
    yield shown
    context.close()


def table(shown: Page, title: str) -> list[tuple[float, list[float | None]]]:
    """The rows of a chart as the page has them now: Unix times and values, None where there is none."""
    shown.get_by_role("button", name=f"View {title} as a table").click()
    with shown.expect_download() as caught:
        shown.get_by_role("button", name="Download CSV").click()
    shown.keyboard.press("Escape")
    rows = list(csv.reader(io.StringIO(Path(caught.value.path()).read_text())))[1:]
    return [(datetime.fromisoformat(row[0]).timestamp(), [float(v) if v else None for v in row[1:]]) for row in rows]


def newest(shown: Page, title: str) -> float:
    """The time of the newest row."""
    return max((at for at, _ in table(shown, title)), default=0.0)


def wait_until(true: Callable[[], Any], what: str) -> None:
    """Fail in words where it does not become so."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


@pytest.mark.parametrize("hours", [4.0, -2.0])
def test_a_clock_that_leaps_is_followed(browser: Browser, tmp_path: Path, hours: float) -> None:
    """Four hours of sleep or a clock set back: live again by itself, new readings at the new time, no rate beyond all."""
    with up(tmp_path, free_port()) as (_, address), opened(browser, address) as shown:
        wait_until(lambda: len(table(shown, TITLE)) > 3, "no readings")
        clock_of(tmp_path)(hours * HOUR)
        wait_until(lambda: abs(newest(shown, TITLE) - time.time() - hours * HOUR) < 10, "nothing at the new time")
        expect(shown.locator("#state")).to_have_text("live")
        for _, values in table(shown, TITLE):
            assert max(value or 0.0 for value in values) < 1.05  # one and a little for rounding
        times = [at for at, _ in table(shown, TITLE)]
        assert times == sorted(times)
        expect(shown.locator('[data-tile="cpu"] .value')).not_to_contain_text("no reading")


def test_a_sleep_is_a_gap(browser: Browser, tmp_path: Path) -> None:
    """What was read before and after it stands in the chart of six hours, and nothing between: no line, no zero."""
    with up(tmp_path, free_port()) as (_, address), opened(browser, address) as shown:
        wait_until(lambda: len(table(shown, TITLE)) > 5, "no readings")
        clock_of(tmp_path)(4 * HOUR)
        wait_until(lambda: newest(shown, TITLE) > time.time() + 3 * HOUR, "nothing after the sleep")
        with shown.expect_response("**/api/board?seconds=21600*") as caught:
            shown.get_by_role("button", name="6 h", exact=True).click()
        board = caught.value.json()
        lines = next(panel["series"] for panel in board["panels"] if panel["name"] == "cpu")
        asleep = [
            line["values"][i]
            for i, at in enumerate(board["times"])
            for line in lines
            if time.time() + 120 < at < time.time() + 4 * HOUR - 120
        ]
        assert asleep
        assert set(asleep) == {None}
        before = [at for at in board["times"] if at < time.time() + 120]
        assert before
        expect(shown.locator("#state")).to_have_text("live")


def test_a_server_that_stands_still_or_dies_is_told_and_found_again(browser: Browser, tmp_path: Path) -> None:
    """Stale since when and why, each time; the same token needs no hand, another one is asked for in words."""
    port = free_port()
    with up(tmp_path, port) as (process, address), opened(browser, address) as shown:
        state, notice = shown.locator("#state"), shown.locator("#notice")
        drawn = shown.locator("#chart-cpu canvas")
        expect(drawn).to_have_count(1, timeout=PATIENCE)  # before the server goes: nobody can draw it later
        process.send_signal(signal.SIGSTOP)
        expect(state).to_have_text(re.compile(r"^stale since \d\d:\d\d:\d\d: no new readings arrive"), timeout=PATIENCE)
        process.send_signal(signal.SIGCONT)
        expect(state).to_have_text("live", timeout=PATIENCE)
        process.kill()
        process.wait()
        expect(state).to_have_text(
            re.compile(r"^stale since \d\d:\d\d:\d\d: the server does not answer"), timeout=PATIENCE
        )
        expect(drawn).to_have_count(1, timeout=PATIENCE)
        with up(tmp_path, port) as (second, again):
            assert again == address
            expect(state).to_have_text("live", timeout=PATIENCE)
            expect(notice).to_be_hidden()
            second.kill()
            second.wait()
        (tmp_path / "data" / "token").unlink()
        with up(tmp_path, port) as (_, other):
            assert other != address
            expect(state).to_contain_text("the server asks for its token", timeout=PATIENCE)
            expect(notice).to_contain_text("Open the address that it printed")
            shown.goto(other)
            expect(state).to_have_text("live", timeout=PATIENCE)
            expect(notice).to_be_hidden()


def renderers() -> set[int]:
    """The processes that draw pages, of those that this one has started."""
    parents, drawing = {}, set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat, line = Path(f"/proc/{name}/stat").read_text(), Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
        if b"--type=renderer" in line:
            drawing.add(int(name))

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return {pid for pid in drawing if ours(pid)}


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_page_that_slept_catches_up(browser: Browser, server: Server, how: str) -> None:
    """A suspended laptop or a frozen tab: whatever came meanwhile is there when it wakes, and it is live."""
    with Visit(browser, server) as visit:
        visit.live()
        if how == "stopped":
            mine = renderers()  # the one of this page, and one in waiting
            assert mine
            for pid in mine:
                os.kill(pid, signal.SIGSTOP)
        else:
            wire = visit.context.new_cdp_session(visit.page)
            wire.send("Page.setWebLifecycleState", {"state": "frozen"})
        fell, ticks = time.time(), server.ticks
        wait_until(lambda: server.ticks > ticks + 30 and time.time() > fell + 6, "the clock stands")
        if how == "stopped":
            for pid in mine:
                os.kill(pid, signal.SIGCONT)
        else:
            wire.send("Page.setWebLifecycleState", {"state": "active"})
        woke = time.time()
        wait_until(lambda: newest(visit.page, "Heat") > woke, "the page did not catch up")
        visit.live()
        slept = [at for at, _ in table(visit.page, "Heat") if fell + 1 < at < woke - 1]
        assert len(slept) >= 2  # read while it slept; the page keeps one a second
