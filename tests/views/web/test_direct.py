"""Queries on the short way: the same answers and refusals as on the long one, whatever clients send."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from bongsu.sinks import http_message
from bongsu.views.web import app as app_module
from bongsu.views.web import direct
from bongsu.views.web.access import Access
from bongsu.views.web.workers import Workers
from live_page import TOKEN, page

LONG = 60.0  # seconds within which a machine that does much else has done a little thing
FORM = {"content-type": "application/x-www-form-urlencoded"}
BEARER = {"authorization": f"Bearer {TOKEN}"}
COOKIE = {"cookie": f"a=b; bongsu_PORT={Access(TOKEN).pass_value}"}


def echo(request: http_message.Request) -> http_message.Response:
    """Says what was asked; a path with a number gives as many bytes."""
    name = request.path.rpartition("/")[2]
    said = f"{request.method} {request.path} {request.query} {request.body.decode()}".encode()
    body = b"x" * int(name) if name.isdigit() else said
    headers = (("Content-Type", "text/plain"), ("X-Frame", "no"), ("Content-Length", str(len(body))))
    return http_message.Response(200, headers, b"" if request.method == "HEAD" else body)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each query that came took the short way."""
    seen: list[bool] = []
    understood = direct.Direct.understood

    def watched(self: direct.Direct, received: bytes, client: str, port: int, most: int) -> direct.Asked | None:
        found = understood(self, received, client, port, most)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(direct.Direct, "understood", watched)
    return seen


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A bare connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as opened:
        yield opened


def answers(opened: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """The next answers on a connection: status and body."""
    found = []
    received = b""
    for _ in range(count):
        while b"\r\n\r\n" not in received:
            received += opened.recv(65536) or pytest.fail("the connection ended")
        head, _, received = received.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(received) < length:
            received += opened.recv(1 << 20) or pytest.fail("the connection ended")
        found.append((int(head[9:12]), received[:length]))
        received = received[length:]
    assert received == b""
    return found


ASKED = [
    (True, "GET", "/api/v1/query?query=1", BEARER, b""),
    (True, "GET", "/api/v1/query?query=1", COOKIE, b""),
    (False, "HEAD", "/api/v1/labels", BEARER, b""),
    (True, "POST", "/api/v1/query", BEARER | FORM, b"query=1"),
    (True, "POST", "/api/v1/query", BEARER | FORM | {"sec-fetch-site": "same-origin"}, b"query=1"),
    (True, "GET", "/api/v1/label/a%20b%C3%A9/values", BEARER, b""),
    (True, "GET", "/api/v1/query?query=1", BEARER | {"host": "evil.example"}, b""),
    (False, "GET", "/api/v1/query?query=1", {}, b""),
    (False, "GET", "/api/v1/query?query=1", {"authorization": "Bearer wrong"}, b""),
    (False, "GET", "/api/v1/query?query=1", {"authorization": "Basic YTpi"}, b""),
    (False, "GET", f"/api/v1/query?query=1&token={TOKEN}", {}, b""),
    (False, "GET", "/api/v1/query?query=1", COOKIE | {"host": "evil.example"}, b""),
    (False, "GET", "/api/v1/query?query=1", {"cookie": "bongsu_PORT=wrong"}, b""),
    (False, "POST", "/api/v1/query", BEARER | FORM | {"sec-fetch-site": "cross-site"}, b"query=1"),
    (False, "POST", "/api/v1/label/a/values", BEARER | FORM, b"query=1"),
    (False, "POST", "/api/v1/query", BEARER | FORM, b"x" * (http_message.MOST_BODY + 1)),
    (False, "PUT", "/api/v1/query", BEARER, b"x"),
    (False, "GET", "/api/v1/query", BEARER | {"x-long": "x" * 20_000}, b""),
]


@pytest.mark.parametrize(("taken", "method", "path", "headers", "body"), ASKED)
def test_both_ways_answer_alike(
    taken: bool, method: str, path: str, headers: dict[str, str], body: bytes, short: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Status, headers and body are those of the long way; what that one refuses does not take the short one."""
    said = []
    for way in ("short", "long"):
        with page(api=echo) as running, httpx.Client(trust_env=False, timeout=LONG) as visitor:
            if way == "long":
                monkeypatch.setattr(direct.Direct, "understood", lambda *_: None)
            told = {name: value.replace("PORT", str(running.server.port)) for name, value in headers.items()}
            answer = visitor.request(method, running.address + path, headers=told, content=body)
            answer.headers.pop("date")
            said.append((answer.status_code, dict(answer.headers), answer.text))
    assert said[0] == said[1]
    assert any(short) is taken
    assert said[0][0] == 200 or not taken


def test_a_limit_of_requests_counts_each_once() -> None:
    """The web config's rate limit holds on the short way too."""
    left = [True] * 3
    access = Access(TOKEN, admits_one_more=lambda: bool(left and left.pop()))
    with (
        page(api=echo, access=access) as running,
        httpx.Client(trust_env=False, timeout=LONG, headers=BEARER) as visitor,
    ):
        found = [visitor.get(f"{running.address}/api/v1/labels").status_code for _ in range(5)]
    assert found == [200, 200, 200, 429, 429]


def head(method: str, path: str, length: int = 0, more: str = "") -> bytes:
    """The head of a request with the token."""
    form = f"Content-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\n" if length else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{form}{more}\r\n".encode()


def test_pieces_and_several_at_once_are_told_apart(short: list[bool]) -> None:
    """A form may come byte by byte, a request before the last is answered, on the other way too: in their order."""
    with page(api=echo) as running, connected(running.server.port) as opened:
        opened.sendall(head("POST", "/api/v1/query", 7))
        for byte in b"query=1":
            opened.sendall(bytes([byte]))
        assert answers(opened, 1) == [(200, b"POST /api/v1/query  query=1")]
        two = head("POST", "/api/v1/query", 7) + b"query=2" + head("GET", "/api/v1/labels")
        opened.sendall(two + head("GET", "/api/status") + head("GET", "/api/v1/series?x"))
        first, second, third, last = answers(opened, 4)
        assert (first[1], second[1]) == (b"POST /api/v1/query  query=2", b"GET /api/v1/labels  ")
        assert third[1].startswith(b"{")
        assert last[1] == b"GET /api/v1/series x "
        whole = head("GET", "/api/v1/labels?late")
        for byte in whole:  # the beginning of it is no query yet, so all of it goes the long way
            opened.sendall(bytes([byte]))
        assert answers(opened, 1) == [(200, b"GET /api/v1/labels late ")]
    assert short[0]


def test_a_form_that_does_not_come_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long way waits for the rest, and says that it did not come."""
    monkeypatch.setattr(direct, "_BODY_SECONDS", 0.05)
    monkeypatch.setattr(app_module, "_BODY_SECONDS", 0.05)
    with page(api=echo) as running, connected(running.server.port) as opened:
        opened.sendall(head("POST", "/api/v1/query", 7) + b"que")
        assert answers(opened, 1)[0][0] == 408


def test_a_large_answer_waits_for_who_reads_slowly() -> None:
    """Neither it nor the one after it loses a byte."""
    size = 6_000_000
    with page(api=echo) as running, connected(running.server.port) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        opened.sendall(head("GET", f"/api/v1/{size}") + head("GET", "/api/v1/labels"))
        first, second = answers(opened, 2)
    assert first == (200, b"x" * size)
    assert second == (200, b"GET /api/v1/labels  ")


def test_who_takes_nothing_is_answered_nothing_more() -> None:
    """However many questions he sent ahead, one answer waits for him, and not all of them in our memory."""
    begun: list[str] = []
    first = threading.Event()

    def counted(request: http_message.Request) -> http_message.Response:
        begun.append(request.path)
        first.set()
        return echo(request)

    with page(api=counted) as running, connected(running.server.port) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        opened.sendall(head("GET", "/api/v1/12000000") * 3)
        assert first.wait(LONG)
        time.sleep(0.5)  # in which the others would have begun
        assert len(begun) == 1
        assert [len(body) for _, body in answers(opened, 3)] == [12_000_000] * 3


def test_what_fails_inside_is_not_shown_outside(caplog: pytest.LogCaptureFixture) -> None:
    """A broken evaluator gives 500; the traceback goes to the log, and the connection lives on."""

    def broken(request: http_message.Request) -> http_message.Response:
        if "fail" in request.path:
            raise RuntimeError("secret detail")
        return echo(request)

    with page(api=broken) as running, connected(running.server.port) as opened:
        opened.sendall(head("GET", "/api/v1/fail"))
        status, body = answers(opened, 1)[0]
        assert status == 500
        assert b"secret" not in body
        assert "secret detail" in caplog.text
        opened.sendall(head("GET", "/api/v1/labels"))
        assert answers(opened, 1)[0][0] == 200


def test_who_leaves_or_is_left_harms_nobody() -> None:
    """A client that goes away during its query, and a server that stops meanwhile, leave no failure behind."""
    go, running_queries = threading.Event(), threading.Semaphore(0)

    def slow(request: http_message.Request) -> http_message.Response:
        if request.path.endswith("slow"):
            running_queries.release()
            go.wait(LONG)
        return echo(request)

    with page(api=slow) as running:
        with connected(running.server.port) as gone:
            gone.sendall(head("GET", "/api/v1/slow"))
            assert running_queries.acquire(timeout=LONG)
        with connected(running.server.port) as opened:
            opened.sendall(head("GET", "/api/v1/labels"))
            assert answers(opened, 1)[0][0] == 200
            opened.sendall(head("GET", "/api/v1/slow"))
            assert running_queries.acquire(timeout=LONG)
            stopping = threading.Thread(target=running.server.stop)
            stopping.start()
            go.set()
            assert answers(opened, 1)[0][0] == 200
            stopping.join()


def test_so_many_are_answered_at_a_time_and_so_many_wait() -> None:
    """Two at a time, three wait, more are turned away; afterwards there is room again."""
    go = threading.Event()
    busy: list[int] = []
    done = threading.Semaphore(0)

    def slow(request: http_message.Request) -> http_message.Response:
        busy.append(1)
        go.wait(LONG)
        return echo(request)

    workers = Workers(slow, at_once=2, waiting=3)
    asked = http_message.Request("GET", "/api/v1/labels")
    finish: Callable[[object], None] = lambda _said: done.release()  # noqa: E731  a thing to pass on
    assert [workers.begin(asked, finish) for _ in range(7)] == [True] * 5 + [False] * 2
    go.set()
    assert all(done.acquire(timeout=LONG) for _ in range(5))
    assert len(busy) == 5
    assert workers.begin(asked, finish)
    assert done.acquire(timeout=LONG)


def test_threads_that_have_nothing_to_do_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that nobody asks keeps none of them."""
    monkeypatch.setattr("bongsu.views.web.workers._IDLE_SECONDS", 0.05)
    done = threading.Semaphore(0)
    workers = Workers(echo)
    before = set(threading.enumerate())
    assert workers.begin(http_message.Request("GET", "/api/v1/labels"), lambda _said: done.release())
    assert done.acquire(timeout=LONG)
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
    assert not [one for one in set(threading.enumerate()) - before if one.name == "bongsu-query"]
    assert workers.begin(http_message.Request("GET", "/api/v1/labels"), lambda _said: done.release())
    assert done.acquire(timeout=LONG)
