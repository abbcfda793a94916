"""The headless server: what it sends, what it refuses, and that nobody can hold it up."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.model.batch import Sample
from bongsu.model.errors import BadInput
from bongsu.model.metric import Kind, MetricSpec
from bongsu.sinks import http_server
from bongsu.sinks.exposition import Exposition
from bongsu.sinks.http import answer
from bongsu.sinks.http_message import Request, Response, plain
from bongsu.sinks.http_server import MetricsServer
from bongsu.sinks.http_wire import Malformed, parse
from exposed import batch

THING = MetricSpec("bongsu_thing", Kind.GAUGE, "A thing.", ("number",))


def echo(request: Request) -> Response:
    """An answer that says what was asked."""
    if request.path == "/big":
        return plain(200, "x" * 300_000)
    if request.path == "/slow":
        time.sleep(0.3)
    if request.path == "/broken":
        raise RuntimeError("secret")
    return plain(200, f"{request.method} {request.path} {request.query}{request.body.decode('latin-1')}")


@contextlib.contextmanager
def serving(host: str = "127.0.0.1", *, idle: float = 60.0, head: float = 5.0,
            handler: Callable[[Request], Response] = echo) -> Iterator[MetricsServer]:  # fmt: skip
    """A server on a free port."""
    server = MetricsServer(host, 0, handler, idle_seconds=idle, head_seconds=head)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def talk(server: MetricsServer, sent: bytes, host: str = "127.0.0.1") -> bytes:
    """All that comes back for these bytes, until the server closes."""
    with socket.create_connection((host, server.port), timeout=100) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while more := client.recv(65536):
            got += more
        return got


def test_a_kept_connection_answers_again_and_again() -> None:
    """HTTP/1.1 keeps the connection; each response is complete by its Content-Length."""
    with serving() as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=100)
        sockets = set()
        for i in range(5):
            client.request("GET", f"/a?n={i}")
            response = client.getresponse()
            assert response.read() == f"GET /a n={i}\n".encode()
            assert response.getheader("Date", "").endswith(" GMT")
            assert response.getheader("Connection") is None
            sockets.add(client.sock.getsockname())
        assert len(sockets) == 1
        client.request("HEAD", "/a")
        response = client.getresponse()
        assert (response.read(), response.getheader("Content-Length")) == (b"", "9")
        client.request("GET", "/a")
        assert client.getresponse().read() == b"GET /a \n"
        client.close()


def test_a_response_is_one_write() -> None:
    """Head and body leave in one segment: a client that reads once has both, and Nagle is off."""
    with serving() as server, socket.create_connection(("127.0.0.1", server.port), timeout=100) as client:
        for _ in range(20):
            client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(65536).endswith(b"GET /x \n")
        with server._changed:
            (connection,) = server._connections
        assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that arrive together are answered one after the other."""
    one = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving() as server:
        got = talk(server, b"".join(one % i for i in range(3)))
    assert [line for line in got.split(b"\r\n\r\n") if line.startswith(b"GET")] != []
    assert got.index(b"GET /0") < got.index(b"GET /1") < got.index(b"GET /2")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 200), (b"GET http://h:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        (b"\r\n\r\nGET / HTTP/1.1\nHost: a\n\n", 200), (b"GET /%2e%2e/%00 HTTP/1.1\r\nHost:a\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET /\r\n\r\n", 400), (b"hello\r\n\r\n", 400), (b"\0\1\2\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400), (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 431),
        (b"A" * 100_000, 431), (b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n", 500),
    ],
)  # fmt: skip
def test_what_is_not_a_request_gets_the_right_error(sent: bytes, status: int) -> None:
    """Bytes that are no HTTP/1.x request get one clear answer, and the next client is served."""
    with serving() as server:
        got = talk(server, sent)
        assert got.startswith(b"HTTP/1.1 %d " % status)
        assert b"secret" not in got
        assert b"Traceback" not in got
        assert talk(server, b"GET /ok HTTP/1.0\r\n\r\n").endswith(b"GET /ok \n")


def test_a_body_is_not_taken_for_a_request() -> None:
    """After a request with a body the connection is closed: what the body says is never answered."""
    inner = b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving() as server:
        for head in (
            b"Content-Length: %d\r\n" % len(inner),
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Length: x\r\n",
        ):
            got = talk(server, b"GET /outer HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + inner)
            assert got.count(b"HTTP/1.1 200") == 1
            assert b"Connection: close" in got
            assert b"inner" not in got


def test_the_body_of_a_post_is_read_and_the_connection_kept() -> None:
    """A POST's body goes to the handler, whole, and the next request on the connection is answered."""
    with serving() as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=100)
        for body in (b"query=up", b"x" * 200_000, b""):
            client.request("POST", "/api", body)
            assert client.getresponse().read() == b"POST /api " + body + b"\n"
        client.close()


def test_a_body_in_pieces_is_waited_for_and_its_rest_is_the_next_request() -> None:
    """Where one body ends is what Content-Length says, however the bytes arrive."""
    next_one = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    sent = b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef" + next_one
    with serving() as server, socket.create_connection(("127.0.0.1", server.port), timeout=100) as client:
        for start in range(0, len(sent), 13):
            client.sendall(sent[start : start + 13])
            time.sleep(0.002)
        got = b""
        while more := client.recv(65536):
            got += more
    assert got.index(b"POST /api abcdef\n") < got.index(b"GET /next \n")


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    """`Expect: 100-continue`, which curl sends with long bodies, is answered before the body comes."""
    with serving() as server, socket.create_connection(("127.0.0.1", server.port), timeout=100) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert client.recv(1000).endswith(b"POST / abc\n")


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Content-Length: 262145", b"", 413), (b"Content-Length: " + b"9" * 400, b"", 413),
        (b"Content-Length: x", b"", 400), (b"Content-Length: -1", b"", 400), (b"Content-Length: +1", b"a", 400),
        (b"Content-Length: 9", b"short", 400), (b"Transfer-Encoding: chunked", b"1\r\na\r\n0\r\n\r\n", 411),
        (b"Content-Length: 1\r\nContent-Length: 1", b"a", 400),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(head: bytes, body: bytes, status: int) -> None:
    """Too long, of unknown length, or cut off: one clear answer, and nothing of it is taken for a request."""
    with serving() as server:
        got = talk(server, b"POST /p HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n" + body)
        assert got.startswith(b"HTTP/1.1 %d " % status)
        assert got.count(b"HTTP/1.1 ") == 1


def test_a_slow_body_holds_nothing() -> None:
    """A body that does not come in time is given up."""
    with serving(head=0.2) as server, socket.create_connection(("127.0.0.1", server.port), timeout=100) as client:
        client.sendall(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_http_1_0_is_closed_unless_it_asks_otherwise() -> None:
    """An HTTP/1.0 client gets its connection closed, or kept with the header that says so."""
    with serving() as server:
        assert b"Connection: close" in talk(server, b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n")
        got = talk(server, b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" * 2)
        assert got.count(b"Connection: keep-alive") == 2


def _within(seconds: float, attempt: Callable[[], float]) -> bool:
    """Whether it takes no longer at one of five attempts: what else a machine does makes it longer, never shorter."""
    return any(attempt() < seconds for _ in range(5))


def test_a_slow_client_holds_nothing() -> None:
    """A head that trickles in is given up at its deadline; an idle connection likewise, without a word."""

    def trickle() -> float:
        with (
            serving(idle=30, head=0.3) as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=100) as client,
        ):
            started = time.monotonic()
            got = b""
            client.settimeout(0.05)
            client.sendall(b"GET / HTTP/1.1\r\nHost: ")
            while not got and time.monotonic() < started + 100:
                with contextlib.suppress(TimeoutError):
                    client.sendall(b"a")
                    got = client.recv(4096)
            assert got.startswith(b"HTTP/1.1 408 ")
            return time.monotonic() - started

    assert _within(2.0, trickle)
    with serving(idle=0.3, head=30) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=100) as client:
            assert client.recv(10) == b""
        deadline = time.monotonic() + 100
        while server._connections and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not server._connections


def test_idle_connections_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all connections are taken, the one that has waited longest for its client is closed for a new one."""
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 4)
    with serving() as server, contextlib.ExitStack() as clients:
        idle = [
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=100)) for _ in "abcd"
        ]
        for _ in range(3):
            assert talk(server, b"GET /ok HTTP/1.0\r\n\r\n").endswith(b"GET /ok \n")
        assert idle[0].recv(10) == b""


def test_when_all_are_at_work_the_next_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection beyond the limit gets 503 at once when none is idle."""
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 2)
    release = threading.Event()

    def wait(request: Request) -> Response:
        release.wait(100)
        return plain(200, "done")

    with serving(handler=wait) as server, contextlib.ExitStack() as clients:
        busy = [clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=100)) for _ in "ab"]
        for client in busy:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        deadline = time.monotonic() + 100
        while sum(c.answering for c in server._connections) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        with socket.create_connection(("127.0.0.1", server.port), timeout=100) as refused:
            assert refused.recv(4096).startswith(b"HTTP/1.1 503 ")
        release.set()
        assert all(client.recv(4096).endswith(b"done\n") for client in busy)


def test_stop_is_quick_and_lets_an_answer_end() -> None:
    """Stop takes under a second with idle and busy clients; the busy one gets its whole answer; the port is free."""

    def stopped() -> float:
        begun = threading.Event()

        def slow(request: Request) -> Response:
            begun.set()
            return echo(request)

        server = MetricsServer("127.0.0.1", 0, slow)
        server.start()
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=100) as idle,
            socket.create_connection(("127.0.0.1", server.port), timeout=100) as busy,
        ):
            busy.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            assert begun.wait(100)
            started = time.monotonic()
            server.stop()
            took = time.monotonic() - started
            assert busy.recv(65536).endswith(b"GET /slow \n")
            assert idle.recv(10) == b""
        again = MetricsServer("127.0.0.1", server.port, echo)
        again.start()
        assert talk(again, b"GET /ok HTTP/1.0\r\n\r\n").endswith(b"GET /ok \n")
        again.stop()
        again.stop()
        return took

    assert _within(1.0, stopped)
    assert not [t for t in threading.enumerate() if t.name == "bongsu-http"]


def test_a_client_that_goes_away_harms_nobody() -> None:
    """A reset in the middle of a large answer ends that connection only."""
    with serving() as server:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", server.port), timeout=100) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        assert len(talk(server, b"GET /big HTTP/1.0\r\n\r\n")) > 300_000


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "::", ""])
def test_it_listens_where_it_is_told(host: str) -> None:
    """IPv4, IPv6, names and «all addresses», which is IPv4 and IPv6 at once."""
    if ":" in host and not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    with serving(host) as server:
        if host in {"::", ""}:
            assert talk(server, b"GET /ok HTTP/1.0\r\n\r\n").endswith(b"GET /ok \n")
        reach = "::1" if ":" in host else "127.0.0.1"
        assert talk(server, b"GET /ok HTTP/1.0\r\n\r\n", reach).endswith(b"GET /ok \n")
        assert str(server.port) in server.url


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("127.0.0.1", 70000, "--port 70000: a port is a number from 1 to 65535"),
        ("127.0.0.1", -1, "--port -1: a port is a number from 1 to 65535"),
        ("192.0.2.1", 0, "--host 192.0.2.1: this machine has no such address"),
        ("2001:db8::1", 0, "--host 2001:db8::1: this machine has no such address"),
        ("no such host", 0, "--host 'no such host': this is no address"), ("a\0b", 0, "--host 'a\\x00b'"),
        ("999.1.1.1", 0, "--host '999.1.1.1': this is no address"), ("x" * 300, 0, "this is no address"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_had_is_explained(host: str, port: int, said: str) -> None:
    """A wrong port or address is one line that names option, value and cure."""
    with pytest.raises(BadInput) as caught:
        MetricsServer(host, port, echo).start()
    assert str(caught.value).startswith(said) or said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_taken_port_is_explained() -> None:
    """A port that another program has is named, with the way to find that program."""
    with serving() as server:
        with pytest.raises(
            BadInput, match=f"--port {server.port}: another program listens there .*choose another port"
        ):
            MetricsServer("127.0.0.1", server.port, echo).start()
        with pytest.raises(BadInput, match=r"^sinks\.http\.port "):
            MetricsServer("127.0.0.1", server.port, echo, options=("sinks.http.host", "sinks.http.port")).start()


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"GET", b"HEAD", b" ", b"/", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"Host: a", b":",
                                b"Connection: close", b"Content-Length: 1", b"\0", b"\xff", b"%zz", b"?", b"#", b"http://",
                                b"https://h", b"X", b"\t", b"\r", b","]), max_size=14).map(b"".join)
)  # fmt: skip
@settings(deadline=None, max_examples=500)
def test_any_bytes_are_a_request_or_an_error_of_the_client(head: bytes) -> None:
    """Whatever is sent, it is parsed or refused with a status of HTTP, and a kept request leaves no body behind."""
    try:
        request, keep = parse(head)
    except Malformed as problem:
        refused = problem.status
    else:
        refused = 400
        assert request.path.startswith("/")
        assert " " not in request.method
        assert not (keep and request.headers.get("content-length", "0") != "0")
    assert refused in {400, 414, 431, 505}


def test_a_path_is_decoded() -> None:
    """Escapes in the path are the characters that they stand for; those in the query stay for who reads it."""
    with serving() as server:
        assert talk(server, b"GET /%6detrics?a=%6d#x HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nGET /metrics a=%6d\n")


def test_what_the_answer_holds_cannot_add_a_header() -> None:
    """Characters that end a line never get from a request into the head of a response."""
    with serving() as server:
        got = talk(server, b"GET /%0d%0aX-Evil:%201 HTTP/1.0\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"X-Evil" not in head
    assert b"X-Evil" in body


def test_httpx_gets_the_metrics() -> None:
    """An ordinary client gets both formats, compressed, over one connection."""
    many = batch([Sample(THING, (str(i),), i) for i in range(300)])
    exposition = Exposition()

    def handler(request: Request) -> Response:
        return answer(request, gather=lambda **_: many, names=("a",), exposition=exposition)

    with serving(handler=handler) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        plain_text = client.get("/metrics")
        assert plain_text.headers["content-encoding"] == "gzip"
        assert plain_text.content == exposition.text(many)
        openmetrics = client.get("/metrics", headers={"accept": "application/openmetrics-text"})
        assert openmetrics.content == exposition.text(many, openmetrics=True)
        identity = client.get("/metrics", headers={"accept-encoding": "identity"})
        head = client.head("/metrics", headers={"accept-encoding": "identity"})
        assert head.headers["content-length"] == identity.headers["content-length"] == str(len(identity.content))
        assert client.post("/metrics").status_code == 405
        assert client.get("/-/ready").text == "ready\n"
        assert len(server._connections) == 1


def test_curl_is_content() -> None:
    """Curl reads a large answer, compressed or not, twice over one connection."""
    with serving() as server:
        url = f"http://127.0.0.1:{server.port}/big"
        got = subprocess.run(
            ["curl", "-sS", "--compressed", "-w", "%{http_code} %{num_connects};", "-o", "/dev/null", url,
             "-o", "/dev/null", url], capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert got.stdout == "200 1;200 0;"
        assert got.stderr == ""
