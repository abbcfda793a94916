"""Runs the page in a thread of the agent's process, on a socket that was opened before anything started."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sinks.web_tls import ServerTls
from bongsu.views.web.live import Live

STOP_SECONDS = 2.0
SEND_SECONDS = 10.0  # for which a client may take nothing of what waits for it
_MOST_HEADER_BYTES = 16 * 1024
_MOST_CONNECTIONS = 500


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; ``port`` 0 takes a free one.

    Raises:
        BadInput: the name or address is not this machine's, the port is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
    except (OSError, UnicodeError) as error:
        raise BadInput(
            Message("--host {host}: not a name or address of this machine ({error}); 127.0.0.1 is",
                    host=host, error=getattr(error, "strerror", None) or error)
        ) from None  # fmt: skip
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        opened.bind(address)
        opened.listen(128)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            cure = Message("another program listens on it; give another with --port, or 0 for any free one")
        elif error.errno == errno.EACCES:
            cure = Message("only root may listen on a port below 1024; give another with --port")
        elif error.errno == errno.EADDRNOTAVAIL:
            cure = Message("this machine has no such address; 127.0.0.1 is this machine only, 0.0.0.0 all it has")
        else:
            cure = Message("{reason}", reason=os.strerror(error.errno or 0))
        raise BadInput(Message("--host {host} --port {port}: {cure}", host=host, port=port, cure=cure)) from None
    return opened


def _renewed(tls: ServerTls) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """Gives each new connection the certificate that is there then: it may have been renewed."""

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = tls.context()

    return choose


class _Protocol(H11Protocol):
    """The protocol of uvicorn, without those who take nothing, or whose certificate has none of the names asked for."""

    tls: ServerTls | None = None
    patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        if self.tls is not None and connection is not None and not self.tls.accepts(connection):
            transport.abort()

    def pause_writing(self) -> None:
        """The client's buffers and ours are full: it has so long to read on."""
        super().pause_writing()
        self.patience = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None


class WebServer:
    """The server in its own thread. Signals are left to the process that made it."""

    def __init__(self, app: ASGIApp, live: Live, listener: socket.socket, *, tls: ServerTls | None = None) -> None:
        self._live = live
        self._listener = listener
        self._port = int(listener.getsockname()[1])
        # Its log would repeat ours, and speak of "ASGI" to people who only opened a page.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        config = uvicorn.Config(
            app, loop="asyncio", http=type("Protocol", (_Protocol,), {"tls": tls}), ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=30, timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES, limit_concurrency=_MOST_CONNECTIONS,
        )  # fmt: skip
        config.load()
        if tls is not None:
            config.ssl = tls.context()
            config.ssl.sni_callback = _renewed(tls)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="bongsu-web", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def start(self) -> None:
        """Begin to answer; connections that came before wait in the socket's queue."""
        self._thread.start()

    def stop(self) -> None:
        """End streams and connections; returns within `STOP_SECONDS`."""
        self._live.end()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._listener])
