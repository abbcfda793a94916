"""The page of `bongsu up` beside glances' web server: the server's CPU with one who watches and with fifty, the page's cost in Chromium, its weight, its first paint, and the overview over 24 hours and 30 days.

The history is 30 simulated days: minutes for all of them, each second for the last 7.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import week
from bongsu.views.web import static
from measure import BONGSU, cpu_seconds, fetch, free_port, running, sleepers, spread, tree, verdict

PROCESSES, WINDOW, ROUNDS, CLIENTS = 250, 10.0, 3, 50
PATIENCE = 300.0  # seconds in which one who takes nothing is let go
SERVER_GOAL, PAGE_GOAL_PERCENT, BYTES_GOAL, PAINT_GOAL = 0.3, 3.0, 80_000, 0.5
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
SIZE = {"width": 1400, "height": 1000}


class Watcher:
    """Follows the stream of events as a page does, and counts the ticks."""

    def __init__(self, port: int) -> None:
        self.ticks = 0
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while data := self._socket.recv(1 << 20):
                rest += data
                self.ticks += rest.count(b"event: values\n")
                rest = rest[-13:] if b"event: values\n" not in rest[-13:] else b""

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextlib.contextmanager
def polling(port: int) -> Iterator[list[int]]:
    """Asks glances each second for what its page asks for, packed as browsers have it; counts the answers."""
    answers, end = [0], threading.Event()

    def ask() -> None:
        while not end.is_set():
            for path in ("all", "all/views"):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/api/4/{path}", headers={"accept-encoding": "gzip"}
                )
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answers[0] += len(answer.read()) > 0
            end.wait(1.0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        end.set()
        thread.join()


def servers(port: int, pid: int) -> None:
    """Both servers in the same windows, each with one who watches."""
    other = free_port()
    glances = [
        str(Path(sys.executable).with_name("glances")), "--webserver", "--bind", "127.0.0.1", "--port", str(other),
        "--time", "1", "--disable-check-update", "--disable-autodiscover",
    ]  # fmt: skip
    with sleepers(PROCESSES), running(glances, stderr=-3) as his:
        fetch(f"http://127.0.0.1:{other}/api/4/all", 60)
        watcher = Watcher(port)
        with polling(other) as answers:
            time.sleep(5)
            costs: dict[str, list[float]] = {"bongsu": [], "glances": []}
            for _ in range(ROUNDS):
                seen, answered = watcher.ticks, answers[0]
                before = {"bongsu": cpu_seconds(pid), "glances": cpu_seconds(his.pid)}
                time.sleep(WINDOW)
                for name, one in (("bongsu", pid), ("glances", his.pid)):
                    costs[name].append((cpu_seconds(one) - before[name]) / WINDOW * 1000)
                assert watcher.ticks - seen >= WINDOW - 1  # or one of them would have done less
                assert answers[0] - answered >= WINDOW
        watcher.close()
    for name, cost in costs.items():
        print(f"{name} up with one client: {spread(cost)} ms CPU a second")
    ratio = statistics.median(costs["bongsu"]) / statistics.median(costs["glances"])
    print(f"server's CPU: {verdict(ratio, SERVER_GOAL)}")


def crowd(port: int, pid: int) -> None:
    """Fifty who watch, and one who takes nothing."""
    idle = cpu_seconds(pid)
    time.sleep(WINDOW)
    idle = (cpu_seconds(pid) - idle) / WINDOW * 1000
    watchers = [Watcher(port) for _ in range(CLIENTS)]
    with socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        mute.connect(("127.0.0.1", port))
        mute.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(2)
        seen, before = [one.ticks for one in watchers], cpu_seconds(pid)
        time.sleep(2 * WINDOW)
        cost = (cpu_seconds(pid) - before) / (2 * WINDOW) * 1000
        got = [one.ticks - there for one, there in zip(watchers, seen, strict=True)]
        memory = week.rss_mb(pid)
        began, clients = time.monotonic(), CLIENTS + 1
        while clients > CLIENTS and time.monotonic() - began < PATIENCE:
            time.sleep(1.0)
            clients = json.loads(fetch(f"http://127.0.0.1:{port}/api/status"))["clients"]
        waited = 2 + 2 * WINDOW + time.monotonic() - began
    for one in watchers:
        one.close()
    lost = max(0, round(2 * WINDOW) - 1 - min(got))
    print(
        f"{CLIENTS} clients: {cost:.3g} ms CPU a second (nobody: {idle:.3g}), {memory:.0f} MB (RSS), "
        f"{min(got)} to {max(got)} ticks each in {2 * WINDOW:g} s: {'met' if not lost else 'NOT MET'}"
    )
    gone = f"let go after {waited:.0f} s: met" if clients == CLIENTS else f"still there after {waited:.0f} s: NOT MET"
    print(f"one more, who takes nothing: {gone}")


def opened(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds to the first paint, and to the charts, in a browser that has nothing of the page yet."""
    context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]  # a dict of two ints
    page = context.new_page()
    page.goto(address)
    done = page.wait_for_function("() => document.querySelector('#chart-cpu[data-at]') && performance.now()")
    drawn = float(done.json_value()) / 1000
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
    context.close()
    return float(paint), drawn


def browsing(address: str) -> None:
    """What the page costs a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        pid = next(one for one in tree(os.getpid()) if "chromium" in os.readlink(f"/proc/{one}/exe"))
        paints = [opened(browser, address)[0] for _ in range(5)]
        print(f"first paint: {spread(paints)} s, {verdict(statistics.median(paints) / PAINT_GOAL, 1.0)}")
        for name, seconds, goal in (("24 hours", 86400, 1.0), ("30 days", 30 * 86400, 2.0)):
            took = [opened(browser, f"{address}/?range={seconds}")[1] for _ in range(3)]
            print(f"overview over {name}: {spread(took)} s, {verdict(statistics.median(took) / goal, 1.0)}")
        context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]  # a dict of two ints
        page = context.new_page()
        costs: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name in ("about:blank", address, f"{address}/?range=300"):
                page.goto(name)
                time.sleep(4)
                before = cpu_seconds(pid)
                time.sleep(WINDOW)
                costs.setdefault(name, []).append((cpu_seconds(pid) - before) / WINDOW * 100)
        browser.close()
    blank, usual, short = (statistics.median(costs[name]) for name in costs)
    print(f"Chromium: blank tab {blank:.2g} %, the overview {spread(costs[address])} %, over 5 minutes {short:.2g} %")
    print(f"above a blank tab: {usual - blank:.2g} %, {verdict((usual - blank) / PAGE_GOAL_PERCENT, 1.0)}")


def main() -> None:
    """Print each beside its goal."""
    first, whole = static.weights(static.load())
    print(
        f"scripts and styles: {first} bytes packed at first, {verdict(first / BYTES_GOAL, 1.0)}; {whole} with what comes on demand"
    )
    with tempfile.TemporaryDirectory() as folder:
        series, size = week.fill(f"{folder}/history.db", days=30)
        print(f"{series} series for 30 days, the last 7 each second: {size / 2**20:.0f} MiB")
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        ours = [*BONGSU, "up", "--interval", "1", "--no-token", "--quiet", "--port", str(port), "--data-dir", folder]
        with running(ours) as process:
            fetch(f"{address}/api/status")
            time.sleep(15)
            browsing(address)
            servers(port, process.pid)
            crowd(port, process.pid)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
