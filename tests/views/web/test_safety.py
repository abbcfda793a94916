"""What a stranger on the wire can do to the page's server: every address behind the same fence, no endless requests."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from bongsu.sinks import http_message
from bongsu.store.recent import Recent
from bongsu.views.web import server as web_server
from bongsu.views.web.access import FENCE, Access, Guard
from bongsu.views.web.app import create_app
from bongsu.views.web.live import Live
from live_page import BOARD, TOKEN, Page, metrics, page

LONG = 60.0  # seconds within which a machine that does much else has done a little thing


def answer(_: http_message.Request) -> http_message.Response:
    """Stands for the query API."""
    return http_message.plain(200, "asked")


def app(access: Access) -> Guard:
    """The whole page, with everything that can be behind it."""
    recent = Recent(BOARD.queries)
    made = create_app(Live(recent, [BOARD]), access, metrics=metrics, api=answer)
    assert isinstance(made, Guard)
    return made


def addresses() -> list[str]:
    """One address of each route that there is, so that a new one is tried too."""
    routes = app(Access(TOKEN))._app.routes  # type: ignore[attr-defined]  # a Starlette; what it serves is the question
    assert all(isinstance(route, Route) for route in routes)
    return [route.path.replace("{path:path}", "page.js") for route in routes]


@pytest.fixture
def running() -> Iterator[Page]:
    """A server that has read something."""
    with page() as one:
        one.tick(2)
        yield one


def said(running: Page, sent: bytes) -> bytes:
    """All that the server answers until it ends the connection; what it ends with a reset was ended too."""
    got = b""
    with socket.create_connection(("127.0.0.1", running.server.port), timeout=LONG) as wire:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            wire.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while piece := wire.recv(65536):
                got += piece
    return got


@pytest.mark.parametrize("path", addresses())
def test_no_address_answers_to_a_foreign_name(path: str) -> None:
    """A page elsewhere that points its own name at us (DNS rebinding) gets nothing of any address, with the cookie too."""
    access = Access(TOKEN)
    visitor = TestClient(app(access), base_url="http://evil.example:9420", follow_redirects=False)
    visitor.cookies.set("bongsu_9420", access.pass_value)
    for asked in (path, f"{path}?token={TOKEN}"):
        found = visitor.get(asked)
        assert found.status_code == 403
        assert "does not answer to the name" in found.text
        assert "set-cookie" not in found.headers
    open_to_all = TestClient(app(Access(None)), base_url="http://evil.example:9420")
    assert open_to_all.get(path).status_code == 403


@pytest.mark.parametrize("path", addresses())
def test_no_address_tells_a_stranger_anything(path: str) -> None:
    """Beyond loopback each address asks for the token, and each refusal is fenced in."""
    found = TestClient(app(Access(TOKEN, loopback=False)), base_url="http://10.0.0.7:9420").get(path)
    assert found.status_code == 403
    assert {name: found.headers[name] for name in FENCE} == FENCE


@pytest.mark.parametrize("path", addresses())
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_no_address_takes_a_change(path: str, method: str) -> None:
    """Only questions are answered: where a POST is allowed it is a long question, nothing else ever is."""
    visitor = TestClient(app(Access(TOKEN)), base_url="http://127.0.0.1:9420")
    found = visitor.request(method, path, headers={"authorization": f"Bearer {TOKEN}"})
    assert found.status_code == 405
    assert {name: found.headers[name] for name in FENCE} == FENCE


def test_the_cookie_is_the_only_one_and_no_other_site_can_use_it() -> None:
    """Every Set-Cookie there is comes with the token: HttpOnly, SameSite=Strict, for this session of the browser."""
    visitor = TestClient(app(Access(TOKEN)), base_url="http://127.0.0.1:9420", follow_redirects=False)
    given = visitor.get(f"/?token={TOKEN}").headers.get_list("set-cookie")
    assert len(given) == 1
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in given[0].split(";")}
    assert "max-age" not in given[0].lower()
    for path in addresses():
        if path != "/api/stream":
            assert "set-cookie" not in visitor.get(path).headers


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(100_000)) + b"\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c: \x00\r\n\r\n",
    ],
    ids=["a header of 1 MB", "many headers", "an address of 1 MB", "TLS", "no Host", "two Hosts", "a NUL"],
)
def test_what_is_no_request_is_refused_and_fenced_in(running: Page, sent: bytes) -> None:
    """400 in our words with every header of the fence, the connection is ended, and the next one is answered."""
    got = said(running, sent)
    if got:  # a client that is still sending may see the end before the answer
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        for name, value in FENCE.items():
            assert f"{name}: {value}".encode() in head
        assert body == b"This is no HTTP request, or its headers are too long."
    assert b"up 1" in said(running, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


def test_the_name_in_an_absolute_address_counts_for_nothing(running: Page) -> None:
    """The Host header is looked at, and an address of another place is no address of ours."""
    got = said(running, b"GET http://localhost/metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("method", ["GET /metrics", "POST /api/status", "GET /nowhere"])
def test_a_body_that_nobody_asked_for_is_not_read_to_its_end(running: Page, method: str) -> None:
    """Of a gigabyte a few MB are taken, then the connection is ended."""
    with socket.create_connection(("127.0.0.1", running.server.port), timeout=LONG) as wire:
        wire.sendall(f"{method} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n".encode())
        sent, block = 0, b"x" * 100_000
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 1_000_000_000:
                sent += wire.send(block)
    assert sent < 100_000_000


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: l", b""),
        (b"GET / HTTP/1.1\r\n", b"X-%d: a\r\n"),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", b"x"),
    ],
    ids=["nothing", "half a request", "a header now and then", "a body now and then"],
)
def test_a_connection_that_asks_nothing_is_ended(
    running: Page, sent: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens a connection has some seconds to ask, however many bytes come meanwhile."""
    monkeypatch.setattr(web_server, "ASK_SECONDS", 0.5)
    deadline = time.monotonic() + LONG
    with socket.create_connection(("127.0.0.1", running.server.port), timeout=0.05) as wire:
        wire.sendall(sent)
        ended = False
        while not ended and time.monotonic() < deadline:
            try:
                ended = wire.recv(65536) == b""
            except TimeoutError:
                try:
                    wire.sendall(more.replace(b"%d", b"1"))
                except (ConnectionResetError, BrokenPipeError):
                    ended = True
            except ConnectionResetError:
                ended = True
    assert ended


def test_who_asks_slowly_but_in_time_is_answered(running: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request in two pieces, and one more on the same connection, both get their answer; a stream stays open."""
    monkeypatch.setattr(web_server, "ASK_SECONDS", 6.0)
    ours = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", running.server.port), timeout=LONG) as stream,
        socket.create_connection(("127.0.0.1", running.server.port), timeout=LONG) as wire,
    ):
        stream.sendall(b"GET /api/stream HTTP/1.1\r\n" + ours + b"\r\n")
        assert stream.recv(12) == b"HTTP/1.1 200"
        for _ in range(2):
            wire.sendall(b"GET /metrics HTTP/1.1\r\n")
            time.sleep(0.1)
            wire.sendall(ours + b"\r\n")
            got = b""
            while not got.endswith(b"up 1\n"):
                got += wire.recv(65536) or pytest.fail("the connection was ended")
        time.sleep(6.5)  # longer than one may take to ask
        running.tick()
        told = b""
        while b"id: " not in told:  # what is published now has a number
            told += stream.recv(65536) or pytest.fail("the stream was ended")
