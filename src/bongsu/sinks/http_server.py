"""A small HTTP/1.1 server for headless use: one write per response, limits and deadlines on all that clients do.

The standard library's own writes head and body apart, which costs 40 ms per scrape on a kept connection (Nagle's
algorithm against delayed acknowledgements), waits for ever for slow clients, and loads the e-mail package.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sinks.http_message import Request, Response, plain
from bongsu.sinks.http_wire import Malformed, body_length, head_end, head_of, parse

if TYPE_CHECKING:
    import ssl

    from bongsu.sinks.web_config import WebConfig  # loads YAML, so only where a file is given

IDLE_SECONDS = 120.0  # a kept connection without a request; longer than usual scrape intervals
HEAD_SECONDS = 10.0  # from the first byte of a request to the end of its head; TLS handshake likewise
SEND_SECONDS = 30.0  # for the whole response
MAX_CONNECTIONS = 64
MAX_HEAD = 16 * 1024
_STOP_SECONDS = 0.8
_LINGER_SECONDS = 0.3
OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_log = logging.getLogger("bongsu.http")

Handler = Callable[[Request], Response]


class MetricsServer:
    """Answers requests with ``handler``, one thread per connection.

    A connection that has sent no whole request gives way to a new one when `MAX_CONNECTIONS` are open.
    ``web_config`` adds TLS, basic authentication (of every path), headers and a rate limit.

    Args:
        host: an address or name of this machine; ``""`` or ``"::"`` is all addresses.
        port: 0 takes any free one; see `port`.
        handler: gives the answer; called by several threads.
        web_config: as read by `web_config.load`; None serves plain HTTP to everybody who can connect.
        options: the words for host and port in complaints: flags, or keys of a settings file.
    """

    def __init__(
        self, host: str, port: int, handler: Handler, web_config: WebConfig | None = None, *,
        options: tuple[str, str] = ("--host", "--port"), idle_seconds: float = IDLE_SECONDS,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:  # fmt: skip
        self.host = host.removeprefix("[").removesuffix("]")
        self._port = port
        self._handler = handler
        self._web_config = web_config
        self._options = options
        self._idle_seconds = idle_seconds
        self._head_seconds = head_seconds
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._connections: set[_Connection] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port that is listened on; before `start` the one that was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """Where the server is, for people."""
        scheme = "http" if self._web_config is None or self._web_config.tls is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host or 'localhost'}:{self.port}/"

    def start(self) -> None:
        """Listen and answer from now on.

        Raises:
            BadInput: the port or address cannot be listened on; the message names option, value and cure.
        """
        self._listener = listen(self.host, self._port, self._options)
        self._port = self._listener.getsockname()[1]
        self._stopping.clear()
        self._accepting = threading.Thread(target=self._accept, name="bongsu-http", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Stop listening, let answers under way end if they do so within a second, and close all connections."""
        deadline = time.monotonic() + _STOP_SECONDS
        self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # on Linux this wakes accept()
            self._listener.close()
        with self._changed:
            for connection in self._connections:
                if not connection.answering:
                    connection.abort()
            self._changed.wait_for(lambda: not self._connections, max(0.0, deadline - time.monotonic()))
            for connection in self._connections:
                connection.abort()
        if self._accepting is not None:
            self._accepting.join(max(0.05, deadline - time.monotonic()))

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._stopping.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                if error.errno in OUT_OF_RESOURCES:
                    self._make_room()
                    time.sleep(0.05)
                continue
            connection = _Connection(peer)
            with self._changed:
                full = len(self._connections) >= MAX_CONNECTIONS and not self._make_room()
                if not full:
                    self._connections.add(connection)
            if full:
                connection.refuse()
                continue
            try:
                threading.Thread(target=self._serve, args=(connection,), name="bongsu-http", daemon=True).start()
            except RuntimeError:  # no more threads
                connection.refuse()
                self._forget(connection)

    def _make_room(self) -> bool:
        """End the connection that has been without a whole request for longest, if there is one."""
        with self._changed:
            waiting = [c for c in self._connections if not c.answering]
            if not waiting:
                return False
            oldest = min(waiting, key=lambda c: c.since)
            oldest.abort()
            self._connections.discard(oldest)
            return True

    def _forget(self, connection: _Connection) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def _serve(self, connection: _Connection) -> None:
        try:
            tls = None if self._web_config is None else self._web_config.tls
            if tls is not None and not connection.begin_tls(tls.context(), tls.accepts, self._head_seconds):
                return
            while self._serve_one(connection) and not self._stopping.is_set():
                pass
        except OSError:
            pass  # the client went away or was too slow; ssl.SSLError is one too
        except Exception:  # noqa: BLE001  a thread that dies loudly would print its traceback
            _log.exception("a connection ended by an error of this server")
        finally:
            connection.close()
            self._forget(connection)

    def _serve_one(self, connection: _Connection) -> bool:
        """Read a request and answer it; whether the connection is kept."""
        try:
            head = connection.read_head(self._idle_seconds, self._head_seconds)
            if head is None:
                return False
            connection.answering = True
            request, keep = parse(head)
            if length := body_length(request):
                request = replace(request, body=connection.read_body(length, request, self._head_seconds))
        except Malformed as problem:
            connection.answering = True
            connection.send(plain(problem.status, str(problem)), "close")
            connection.linger()
            return False
        keep = keep and not self._stopping.is_set()
        response = self._answer(request)
        connection.send(
            response, ("" if request.http11 else "keep-alive") if keep else "close", request.method != "HEAD"
        )
        connection.waiting()
        if not keep:
            connection.linger()
        return keep

    def _answer(self, request: Request) -> Response:
        config = self._web_config
        if config is None:
            return self._handled(request)
        if not config.admits():
            response = plain(429, "Too many requests; try again later.", ("Retry-After", "1"))
        elif not config.permits(request.headers.get("authorization")):
            challenge = ("WWW-Authenticate", 'Basic realm="Bongsu", charset="UTF-8"')
            response = plain(401, "A user name and password are needed.", challenge)
        else:
            response = self._handled(request)
        added = dict(config.headers)
        kept = tuple(header for header in response.headers if header[0] not in added)
        return Response(response.status, (*kept, *config.headers), response.body)

    def _handled(self, request: Request) -> Response:
        try:
            return self._handler(request)
        except Exception:  # noqa: BLE001  a handler may fail in any way; the client gets an answer
            _log.exception("no answer to %s", request.path)
            return plain(500, "This server failed; its log says why.")


class _Connection:
    """One client's socket, with a deadline on each thing that it is waited for."""

    def __init__(self, peer: socket.socket) -> None:
        self.since = time.monotonic()  # when it last had nothing to answer
        self.answering = False
        self._socket = peer
        self._rest = b""
        self._lock = threading.Lock()

    def begin_tls(self, context: ssl.SSLContext, accepts: Callable[[ssl.SSLSocket], bool], seconds: float) -> bool:
        """Shake hands; False where the client speaks plain HTTP (and is told) or has not the right certificate."""
        self._socket.settimeout(seconds)
        first = self._socket.recv(1, socket.MSG_PEEK)
        if first and first != b"\x16":  # not a handshake record (RFC 8446, 5.1)
            self.send(plain(400, "This port speaks HTTPS: write https:// instead of http://."), "close")
            self.linger()
            return False
        secured = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._socket = secured
        secured.do_handshake()
        return accepts(secured)

    def read_head(self, idle_seconds: float, head_seconds: float) -> bytes | None:
        """The next request's head; None where the client closed or sent nothing for too long."""
        got = bytearray(self._rest.lstrip(b"\r\n"))
        deadline = time.monotonic() + (head_seconds if got else idle_seconds)
        while (end := head_end(got)) is None and len(got) <= MAX_HEAD:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                if got:
                    raise Malformed(408, f"The request did not arrive within {head_seconds:g} s.")
                return None
            self._socket.settimeout(remaining)
            try:
                more = self._socket.recv(MAX_HEAD)
            except TimeoutError:
                continue
            if not more:
                return None
            if not got:
                more = more.lstrip(b"\r\n")
                deadline = time.monotonic() + head_seconds
            got += more
        if end is None or end > MAX_HEAD:
            raise Malformed(431, f"The request's head is longer than {MAX_HEAD} bytes.")
        self._rest = bytes(got[end:])
        return bytes(got[:end])

    def read_body(self, length: int, request: Request, seconds: float) -> bytes:
        """The ``length`` bytes that follow the head."""
        deadline = time.monotonic() + seconds
        if request.headers.get("expect", "").lower() == "100-continue" and len(self._rest) < length:
            self._socket.settimeout(SEND_SECONDS)
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")  # RFC 9110, 10.1.1: curl waits a second for it
        got = bytearray(self._rest)
        while len(got) < length:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise Malformed(408, f"The body did not arrive within {seconds:g} s.")
            self._socket.settimeout(remaining)
            try:
                more = self._socket.recv(65536)
            except TimeoutError:
                continue
            if not more:
                raise Malformed(400, "The body is shorter than Content-Length says.")
            got += more
        self._rest = bytes(got[length:])
        return bytes(got[:length])

    def send(self, response: Response, connection: str, with_body: bool = True) -> None:
        """The whole response in one write."""
        self._socket.settimeout(SEND_SECONDS)
        self._socket.sendall(head_of(response, connection) + (response.body if with_body else b""))

    def waiting(self) -> None:
        self.since = time.monotonic()
        self.answering = False

    def linger(self) -> None:
        """Let the client read the answer: closing on unread input would reset the connection under it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _LINGER_SECONDS
            while (remaining := deadline - time.monotonic()) > 0:
                self._socket.settimeout(remaining)
                if not self._socket.recv(65536):
                    return

    def refuse(self) -> None:
        """Turn the client away without waiting for it."""
        with contextlib.suppress(OSError):
            self._socket.setblocking(False)
            busy = plain(503, "Too many connections; try again later.", ("Retry-After", "1"))
            self._socket.send(head_of(busy, "close") + busy.body)
        self.close()

    def abort(self) -> None:
        """Make whatever waits on the socket return."""
        with self._lock, contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            self._socket.close()


def listen(host: str, port: int, options: tuple[str, str] = ("--host", "--port")) -> socket.socket:
    """A listening socket without Nagle's delay.

    Raises:
        BadInput: it cannot be had; the message names the option, its value and the cure.
    """
    host_option, port_option = options
    if not 0 <= port <= 65535:
        raise BadInput(
            Message("{option} {port}: a port is a number from 1 to 65535, or 0 for any free one",
                    option=port_option, port=port)
        )  # fmt: skip
    try:
        flags = socket.AI_PASSIVE | socket.AI_NUMERICSERV
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    except (socket.gaierror, UnicodeError, ValueError):
        raise BadInput(
            Message("{option} {host!r}: this is no address and no name of this machine; give one of its addresses, "
                    "127.0.0.1 for this machine only, or :: for all",
                    option=host_option, host=host)
        ) from None  # fmt: skip
    # A name such as localhost has both kinds of address, and everybody tries 127.0.0.1; "all" is both at once.
    wanted = socket.AF_INET if host else socket.AF_INET6
    family, _, _, _, address = min(found, key=lambda info: info[0] != wanted)
    listener = None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it on Linux
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        if listener is not None:
            listener.close()
        if not host and error.errno == errno.EAFNOSUPPORT:
            return listen("0.0.0.0", port, options)  # noqa: S104  the user asked for all addresses; there is no IPv6
        raise BadInput(_cannot_listen(error, host, port, options)) from None
    return listener


def _cannot_listen(error: OSError, host: str, port: int, options: tuple[str, str]) -> Message:
    host_option, port_option = options
    if error.errno == errno.EADDRINUSE:
        return Message(
            "{option} {port}: another program listens there (`ss -ltnp sport = :{port}` shows which); "
            "stop it, or choose another port",
            option=port_option, port=port,
        )  # fmt: skip
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return Message(
            "{option} {host}: this machine has no such address; give one of its own (`ip address` lists them), "
            "127.0.0.1 for this machine only, or :: for all",
            option=host_option, host=host,
        )  # fmt: skip
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Message(
            "{option} {port}: only root, or a service with CAP_NET_BIND_SERVICE, may listen there; choose 1024 or more",
            option=port_option, port=port,
        )  # fmt: skip
    return Message(
        "{host_option} {host} {option} {port}: cannot listen there: {reason}; choose another",
        host_option=host_option, host=host, option=port_option, port=port, reason=error.strerror,
    )  # fmt: skip
