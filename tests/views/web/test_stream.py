"""The event stream over real connections: fan-out, slow clients, what was missed, the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bongsu.views.web import server, stream
from bongsu.views.web.access import Access
from bongsu.views.web.stream import Hub
from live_page import BOARD, TOKEN, Page, page

BEARER = {"authorization": f"Bearer {TOKEN}"}
LONG = 60.0  # seconds within which a machine that does much else has done a little thing


class Listener:
    """One client of the stream; events are read one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self, wanted: str = "") -> tuple[str, Any, str]:
        """The next event (of that name): name, data, number."""
        name = data = number = ""
        for line in self._lines:
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = value
            elif key == "id":
                number = value
            elif not line and name:
                if wanted in {"", name}:
                    return name, json.loads(data), number
                name = data = number = ""
        raise EOFError

    def rest(self) -> list[str]:
        """The names of all events up to the end of the stream."""
        names = []
        with contextlib.suppress(EOFError):
            while True:
                names.append(self.next()[0])
        return names


@contextlib.contextmanager
def listen(running: Page, last_seen: str = "") -> Iterator[Listener]:
    """Connect to the stream."""
    headers = {**BEARER, "last-event-id": last_seen} if last_seen else BEARER
    with (
        httpx.Client(timeout=LONG, trust_env=False) as client,
        client.stream("GET", f"{running.address}/api/stream", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        listener = Listener(response)
        deadline = time.monotonic() + LONG
        while not len(running.live.hub) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield listener


def test_a_client_is_told_processes_owners_health_and_then_each_tick() -> None:
    """The tables come at once, values as they are read."""
    with page() as running:
        running.tick(2)
        with listen(running) as listener:
            assert [listener.next()[0] for _ in range(3)] == ["processes", "owners", "health"]
            before = time.time()
            running.tick()
            after = time.time()
            name, data, _ = listener.next()
            assert name == "values"
            assert data["board"] == BOARD.name
            assert set(data["panels"]["work"]) == {"0\x1fx", "0\x1fy"}
            assert data["panels"]["none"] == {}
            assert data["tiles"]["heat"]["value"] == 41
            assert before - 0.001 <= data["time"] <= after + 0.001


def test_twenty_clients_get_the_same_events() -> None:
    """Each event is encoded once and put in every queue: the same bytes, in the same order."""
    with page() as running, contextlib.ExitStack() as stack:
        running.tick()
        listeners = [stack.enter_context(listen(running)) for _ in range(20)]
        deadline = time.monotonic() + LONG
        while len(running.live.hub) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        running.tick(3)
        seen = [[listener.next("values") for _ in range(3)] for listener in listeners]
        assert all(each == seen[0] for each in seen)
        numbers = [int(number.split("-")[1]) for _, _, number in seen[0]]
        assert numbers == sorted(set(numbers))


def test_who_was_away_shortly_gets_what_was_missed() -> None:
    """The number of the last event is where the stream goes on."""
    with page() as running:
        running.tick()
        with listen(running) as first, listen(running) as second:
            running.tick()
            _, seen, number = first.next("values")
            running.tick(2)
            wanted = [second.next("values")[1]["time"] for _ in range(3)]
        assert wanted[0] == seen["time"]
        with listen(running, number) as again:
            assert [again.next("values")[1]["time"] for _ in range(2)] == wanted[1:]


@pytest.mark.parametrize("number", ["deadbeef-1", "x", "-", "deadbeef-\u0661", "deadbeef-99999999999999999999"])
def test_a_number_of_another_server_means_ask_for_all(number: str) -> None:
    """After a restart the numbers begin anew: the page must not believe that it missed nothing."""
    hub = Hub()
    hub.publish("values", {})
    assert hub.missed(number) is None
    epoch = hub._epoch
    assert hub.missed(f"{epoch}-1") == []
    assert hub.missed(f"{epoch}-2") is None
    for _ in range(100):
        hub.publish("values", {})
    assert hub.missed(f"{epoch}-1") is None
    assert len(hub.missed(f"{epoch}-99") or []) == 2


def test_the_page_is_told_to_ask_again() -> None:
    """With a number that is not known, the first word is `again`."""
    with page() as running:
        running.tick()
        with listen(running, "deadbeef-7") as listener:
            assert listener.next()[0] == "again"


def test_a_client_that_falls_behind_is_told_and_let_go() -> None:
    """Its queue is bounded; what it missed is forgotten, the last word says why."""

    async def scene() -> list[bytes]:
        hub = Hub()
        events = hub.events("", [])
        got = [await anext(events)]
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        for number in range(stream._QUEUE + 5):
            hub.publish("values", {"n": number})
        assert len(hub) == 0
        assert hub.dropped == 1
        got.append(await waiting)
        got += [data async for data in events]
        return got

    got = asyncio.run(scene())
    assert b"event: dropped" in got[-1]
    assert len(got) <= 3


def test_a_client_that_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped browser neither holds memory nor delays the others; its connection is given up."""
    monkeypatch.setattr(server, "SEND_SECONDS", 0.5)
    with page() as running, socket.socket() as mute:
        running.tick()
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        mute.connect(("127.0.0.1", running.server.port))
        mute.sendall(f"GET /api/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        with listen(running) as reader:

            def go_on() -> None:  # one after the other, so that this reader is never behind
                running.tick()
                reader.next("values")

            deadline = time.monotonic() + 2 * LONG
            while not running.live.hub.dropped and time.monotonic() < deadline:
                go_on()
            assert running.live.hub.dropped == 1
            connections = running.server._server.server_state.connections
            while len(connections) > 1 and time.monotonic() < deadline:
                go_on()
            assert len(connections) == 1
            go_on()


def test_a_client_that_left_is_forgotten() -> None:
    """Nothing is kept for a page that was closed."""
    with page() as running:
        running.tick()
        with listen(running):
            assert len(running.live.hub) == 1
        deadline = time.monotonic() + LONG
        while len(running.live.hub) and time.monotonic() < deadline:
            running.tick()
            time.sleep(0.02)
        assert len(running.live.hub) == 0


@pytest.fixture
def long_stop(monkeypatch: pytest.MonkeyPatch) -> float:
    """A stop that waits for its thread far longer than it needs to; seconds within which it ends for its own sake."""
    monkeypatch.setattr(server, "STOP_SECONDS", 2 * LONG)
    monkeypatch.setattr(server, "SEND_SECONDS", 10 * LONG)
    return LONG


def test_the_server_ends_in_time_with_streams_open(long_stop: float) -> None:
    """Twenty open streams get a goodbye and the server is gone, its thread too; none of them is waited for."""
    with page() as running, contextlib.ExitStack() as stack:
        running.tick()
        listeners = [stack.enter_context(listen(running)) for _ in range(20)]
        started = time.monotonic()
        running.server.stop()
        assert time.monotonic() - started < long_stop
        assert not running.server._thread.is_alive()
        assert listeners[0].rest()[-1] == "goodbye"
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.address, trust_env=False, timeout=LONG)


def test_the_server_ends_in_time_with_a_client_that_reads_nothing(long_stop: float) -> None:
    """One who does not take his goodbye is not waited for, and no connection is left open to him."""
    with page() as running, socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        mute.connect(("127.0.0.1", running.server.port))
        mute.sendall(f"GET /api/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        deadline = time.monotonic() + LONG
        while not running.live.hub.dropped and time.monotonic() < deadline:  # so that its buffers are full
            running.tick()
            time.sleep(0.002)
        assert running.live.hub.dropped
        started = time.monotonic()
        running.server.stop()
        assert time.monotonic() - started < long_stop
        assert not running.server._thread.is_alive()
        gc.collect()  # a socket that nobody closed is told of here, and not in some later test


def test_too_many_clients_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 in words, and those who are there stay."""
    monkeypatch.setattr(stream, "MOST_CLIENTS", 1)
    with page() as running:
        running.tick()
        with listen(running):
            answer = httpx.get(f"{running.address}/api/stream", headers=BEARER, trust_env=False, timeout=LONG)
            assert answer.status_code == 503
            assert "Too many pages" in answer.json()["error"]


def test_a_quiet_stream_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping goes out while nothing is read, so that a dead connection is noticed."""
    monkeypatch.setattr(stream, "PING_SECONDS", 0.1)
    with (
        page(access=Access(None)) as running,
        httpx.stream("GET", f"{running.address}/api/stream", trust_env=False, timeout=LONG) as response,
    ):
        for line in response.iter_lines():
            if line.startswith(":"):
                break


def test_large_headers_are_refused() -> None:
    """A header without end does not fill memory."""
    with page() as running, socket.create_connection(("127.0.0.1", running.server.port), timeout=LONG) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 20_000)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
