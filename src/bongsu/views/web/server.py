"""Runs the page in a thread of the agent's process, on a socket that was opened before anything started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import h11
import uvicorn

from bongsu.model.message import Message
from bongsu.sinks.http_message import MOST_BODY
from bongsu.sinks.http_server import OUT_OF_RESOURCES, listen
from bongsu.sinks.web_tls import ServerTls
from bongsu.views.web.access import FENCE, Guard
from bongsu.views.web.direct import Direct, DirectProtocol
from bongsu.views.web.live import Live

__all__ = ["STOP_SECONDS", "Listener", "WebServer", "listen"]

STOP_SECONDS = 2.0
SEND_SECONDS = 10.0  # for which a client may take nothing of what waits for it
ASK_SECONDS = 10.0  # for which a client may take over a request, and over what it sends beyond it
_MOST_HEADER_BYTES = 16 * 1024
_MOST_CONNECTIONS = 400  # twice as many as may follow the stream; a process often may open 1024 files
_OUT_OF_RESOURCES_SECONDS = 0.05
_log = logging.getLogger("bongsu.web")


class Listener(socket.socket):
    """Accepts so many connections at a time, whatever strangers do: one more ends the oldest that waits for nothing.

    asyncio would go on until no descriptor is left for anybody, and then fill the log.
    """

    def __init__(self, opened: socket.socket, answering: Callable[[], set[int]]) -> None:
        super().__init__(opened.family, opened.type, opened.proto, opened.detach())
        self._answering = answering
        self._peers: list[socket.socket] = []  # oldest first; those in their TLS handshake too

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises BlockingIOError where there is none, or none can be had now."""
        while True:
            try:
                peer, address = super().accept()
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                if not self._make_room():
                    time.sleep(_OUT_OF_RESOURCES_SECONDS)  # or the loop would come back at once, again and again
                raise BlockingIOError from error
            self._peers = [known for known in self._peers if known.fileno() >= 0]
            if len(self._peers) < _MOST_CONNECTIONS or self._make_room():
                self._peers.append(peer)
                return peer, address
            peer.close()

    def _make_room(self) -> bool:
        """End the oldest connection without a request that is being answered; False if there is none."""
        answering = self._answering()
        for number, peer in enumerate(self._peers):
            if peer.fileno() >= 0 and peer.fileno() not in answering:
                del self._peers[number]
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)  # its transport sees the end and closes it
                return True
        return False


def _renewed(tls: ServerTls) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """Gives each new connection the certificate that is there then: it may have been renewed."""

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = tls.context()

    return choose


class _Protocol(DirectProtocol):
    """The protocol of uvicorn, without those who ask nothing, take nothing, or lack the names asked for."""

    tls: ServerTls | None = None
    patience: asyncio.TimerHandle | None = None  # with one who does not take what waits for him …
    waiting: asyncio.TimerHandle | None = None  # … and with one whose request does not come
    unread: int = 0  # bytes of a body that nobody asked for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        if self.tls is not None and connection is not None and not self.tls.accepts(connection):
            transport.abort()
        self.waiting = self.loop.call_later(ASK_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request. Their number does not buy time: one byte a second is no request."""
        super().data_received(data)
        if self.answering:
            self._end_waiting()
            self.unread = 0
            return
        if self.waiting is None:
            self.waiting = self.loop.call_later(ASK_SECONDS, self._give_up)
        self.unread += len(data)
        if self.unread > MOST_BODY:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words are not ours
        """Refuse what is not HTTP, in words and fenced in as every answer is."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.abort()  # in the middle of an answer nothing else can be said
            return
        body = str(Message("This is no HTTP request, or its headers are too long.")).encode()
        headers = {
            "content-type": "text/plain; charset=utf-8",
            "connection": "close",
            "cache-control": "no-store",
            **FENCE,
        }
        answer = h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request")
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def pause_writing(self) -> None:
        """The client's buffers and ours are full: it has so long to read on."""
        super().pause_writing()
        self.patience = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_patience()
        self._end_waiting()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self.waiting = None
        if not self.answering:
            self.transport.abort()

    def _end_patience(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def _end_waiting(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None


class WebServer:
    """The server in its own thread. Signals are left to the process that made it."""

    def __init__(self, app: Guard, live: Live, listener: socket.socket, *, tls: ServerTls | None = None) -> None:
        self._live = live
        self._listener = Listener(listener, self._answering)
        self._port = int(self._listener.getsockname()[1])
        # Its log would repeat ours, and speak of "ASGI" to people who only opened a page.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        direct = None if app.workers is None else Direct(app, app.workers)
        config = uvicorn.Config(
            app, loop="asyncio", http=type("Protocol", (_Protocol,), {"tls": tls, "direct": direct}), ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=30, timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
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
        asyncio.run(self._answer())

    async def _answer(self) -> None:
        asyncio.get_running_loop().set_exception_handler(_complain)
        await self._server.serve(sockets=[self._listener])
        for known in list(self._server.server_state.connections):  # who has not taken the last of his answer
            known.transport.abort()
        await asyncio.sleep(0)  # in which they close their sockets

    def _answering(self) -> set[int]:
        """The descriptors of the connections whose request is being answered, the streams among them."""
        return {
            known.transport.get_extra_info("socket").fileno()
            for known in self._server.server_state.connections
            if isinstance(known, _Protocol) and known.answering
        }


def _complain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One line in our log for what asyncio would print with a traceback."""
    _log.error("%s", context.get("message"), exc_info=context.get("exception"))
