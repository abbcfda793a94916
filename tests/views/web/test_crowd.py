"""Many pages at once, and one that cannot keep up: the others lose nothing, and it is told."""

from __future__ import annotations

import os
import re
import selectors
import socket
import time
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Route, expect

from bongsu.views.web import server, stream
from bongsu.views.web.access import Access
from live_page import Page as Server
from live_page import page
from visiting import CHROMIUM, Visit

CLIENTS = 50
PATIENCE = 60.0  # seconds for what takes one on a quiet machine
VALUES = re.compile(rb"id: \w+-(\d+)\nevent: values\n")


class Crowd:
    """Clients that follow the stream, read by one thread."""

    def __init__(self, port: int, stack: ExitStack) -> None:
        self.numbers: list[list[int]] = [[] for _ in range(CLIENTS)]  # of the ticks that each one got
        self._rest = [b""] * CLIENTS
        self._ready = stack.enter_context(selectors.DefaultSelector())
        for which in range(CLIENTS):
            self._ready.register(stack.enter_context(follow(port)), selectors.EVENT_READ, which)

    def read(self, ticks: int) -> None:
        """Until each has so many."""
        deadline = time.monotonic() + PATIENCE
        while min(map(len, self.numbers)) < ticks:
            assert time.monotonic() < deadline, [len(numbers) for numbers in self.numbers]
            for key, _ in self._ready.select(1.0):
                assert isinstance(key.fileobj, socket.socket)
                got = key.fileobj.recv(1 << 16)
                assert got, "a client that reads was let go"
                self._rest[key.data] += got
                read = 0
                for found in VALUES.finditer(self._rest[key.data]):
                    self.numbers[key.data].append(int(found[1]))
                    read = found.end()
                self._rest[key.data] = self._rest[key.data][read:]


def follow(port: int, *, buffer: int = 0) -> socket.socket:
    """A connection that asks for the stream, with a receive buffer of so many bytes where that is said."""
    made = socket.socket()
    if buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.connect(("127.0.0.1", port))
    made.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return made


def listening(running: Server, count: int) -> None:
    """Wait until so many are there."""
    deadline = time.monotonic() + PATIENCE
    while len(running.live.hub) != count:
        assert time.monotonic() < deadline, len(running.live.hub)
        time.sleep(0.01)


def test_fifty_pages_get_every_tick_while_one_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads nothing is let go after a bounded backlog; for all others no number is missing, before or after."""
    monkeypatch.setattr(server, "SEND_SECONDS", 10 * PATIENCE)  # so that it is the backlog that ends it
    with page(access=Access(None)) as running, ExitStack() as stack:
        running.tick()
        port = running.server.port
        stack.enter_context(follow(port, buffer=2048))
        listening(running, 1)
        crowd = Crowd(port, stack)
        listening(running, 1 + CLIENTS)
        hub, ticks, deadline = running.live.hub, 0, time.monotonic() + 2 * PATIENCE
        while not hub.dropped:
            assert time.monotonic() < deadline
            running.tick()
            ticks += 1
            crowd.read(ticks)
        assert len(hub) == CLIENTS
        running.tick(3)
        crowd.read(ticks + 3)
        assert hub.dropped == 1
        first = crowd.numbers[0]
        assert len(first) == ticks + 3
        assert all(numbers == first for numbers in crowd.numbers)
        assert first == sorted(set(first))


@pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")
def test_a_page_that_was_let_go_says_so_and_comes_back(browser: Browser) -> None:
    """It tells since when it shows nothing new and why, asks for everything, and is live again."""
    waiting: list[Route] = []
    held = True

    def hold(route: Route) -> None:
        if held:
            waiting.append(route)
        else:
            route.continue_()

    with page() as running:
        running.tick(3)
        with Visit(browser, running) as visit:
            clock = running.tick_on(0.2)
            visit.live()
            running.hold()
            clock.join()
            state, hub = visit.page.locator("#state"), running.live.hub
            visit.page.route("**/api/status", hold)
            more = [("health", running.live.health())] * (stream._QUEUE + 1)
            loop = running.live._loop
            assert loop is not None
            loop.call_soon_threadsafe(running.live._publish, more)  # at once, faster than anyone could read
            expect(state).to_contain_text("could not keep up", timeout=1000 * PATIENCE)
            expect(state).to_contain_text("stale since")
            assert hub.dropped == 1
            deadline = time.monotonic() + PATIENCE
            while not waiting and time.monotonic() < deadline:
                visit.page.wait_for_timeout(50)
            held = False
            waiting[0].continue_()
            listening(running, 1)
            running.tick()
            visit.live()
            visit.clean()
