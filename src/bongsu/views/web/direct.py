"""The short way for queries: read, checked and answered on the connection, past the framework and its HTTP parser.

A page of panels sends dozens of small queries, whose own time would otherwise be less than that of their way in and out.
Only what is plain and allowed comes here; all else goes the long way untouched, where each refusal has its words.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from typing import NamedTuple

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from bongsu.sinks.http_message import Request, Response, plain
from bongsu.sinks.http_wire import Malformed, body_length, head_end, head_of, parse
from bongsu.views.web.access import Guard
from bongsu.views.web.workers import Workers

_STARTS = (b"GET /api/v1/", b"POST /api/v1/")
_MOST_AHEAD = 64 * 1024  # bytes that may come before what was asked earlier is answered
_BODY_SECONDS = 1.0  # for a form on the short way; the long one then waits for the rest of it
_UNUSUAL = frozenset({"expect", "upgrade", "transfer-encoding"})
_log = logging.getLogger("bongsu.web")


class Asked(NamedTuple):
    """A request whose body may still be coming; of what was received it ends at ``end``."""

    request: Request
    head: int  # bytes
    end: int


class Direct:
    """What takes the short way, and how it is answered."""

    def __init__(self, guard: Guard, workers: Workers) -> None:
        self.workers = workers
        self._guard = guard

    def understood(self, received: bytes, client: str, port: int, most: int) -> Asked | None:
        """The request that begins there; None where the long way must see it. ``most`` bytes may its head have."""
        head = head_end(received)
        if head is None or head > most:
            return None
        try:
            request, _ = parse(received[:head])
            length = body_length(request)
        except Malformed:
            return None
        headers = request.headers
        usual = request.http11 and _usual(request) and (length or "content-length" not in headers)
        if not usual or not self._guard.admits_at_once(request, client, port):
            return None
        return Asked(request, head, head + length)

    def written(self, response: Response, *, close: bool) -> bytes:
        """The answer with the headers that all answers have."""
        fenced = Response(response.status, self._guard.fenced(response.headers))
        return head_of(fenced, "close" if close else "") + response.body


def _usual(request: Request) -> bool:
    headers = request.headers
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return False
    return not any(name in headers for name in _UNUSUAL)


class DirectProtocol(H11Protocol):
    """The protocol of uvicorn, with the short way between two of its requests, of which it hears nothing."""

    direct: Direct | None = None
    _asked: Asked | None = None  # a query that is read or answered
    _given = False  # to a worker; until the client has taken the answer
    _draining = False
    _last = False
    _received = b""  # what is neither answered nor handed on
    _body_timer: asyncio.TimerHandle | None = None

    @property
    def answering(self) -> bool:
        """Whether a request has come that is not yet answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return self._given or (cycle is not None and not cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        """Take a query that begins here, or more of it; anything else goes on."""
        if self._asked is not None:
            self._received += data
            if self._given:
                self._hold_back()
            else:
                self._begin()
        elif self.direct is None or not data.startswith(_STARTS) or not self._between_requests():
            super().data_received(data)
        else:
            client, port = self.client[0] if self.client else "", (self.server[1] if self.server else 0) or 0
            most = self.config.h11_max_incomplete_event_size or 0
            self._asked = self.direct.understood(data, client, port, most)
            if self._asked is None:
                super().data_received(data)
            else:
                self._unset_keepalive_if_required()
                self._received = data
                self._begin()

    def shutdown(self) -> None:
        """End once nothing is being answered."""
        if self._given:
            self._last = True
        else:
            super().shutdown()

    def resume_writing(self) -> None:
        """The client has taken most of an answer."""
        super().resume_writing()
        if self._draining:
            self._end_query()

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being worked out has nobody left to hear it."""
        self._forget_body()
        self._given = self._draining = False
        super().connection_lost(exc)

    def _between_requests(self) -> bool:
        """Whether the long way has nothing in hand, not even half a line."""
        idle = self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE
        return idle and not self.conn.trailing_data[0]

    def _begin(self) -> None:
        """Have the query answered, once all of it is here."""
        assert self._asked is not None
        assert self.direct is not None
        request, head, end = self._asked
        if len(self._received) < end:
            if self._body_timer is None:
                self._body_timer = self.loop.call_later(_BODY_SECONDS, self._hand_on)
            return
        self._forget_body()
        if end > head:
            body = self._received[head:end]
            request = Request(request.method, request.path, request.query, request.headers, body=body)
        if not self.direct.workers.begin(request, functools.partial(self._done, request)):
            self._hand_on()
            return
        self._given = True
        self._received = self._received[end:]
        self._hold_back()

    def _hand_on(self) -> None:
        """Let the long way have what is here, such as a query whose form does not come."""
        self._forget_body()
        received, self._received, self._asked = self._received, b"", None
        super().data_received(received)

    def _hold_back(self) -> None:
        if len(self._received) > _MOST_AHEAD:  # it sends on without waiting for answers
            self.flow.pause_reading()

    def _forget_body(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _done(self, request: Request, said: Response | Exception) -> None:
        """In a worker's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self._answer, request, said)

    def _answer(self, request: Request, said: Response | Exception) -> None:
        """Send what a worker found."""
        assert self.direct is not None
        if isinstance(said, Exception):
            _log.error("%s failed", request.path, exc_info=said)
            said = plain(500, "This failed, and it should not have. The log says more.")
        if self.transport.is_closing():
            return
        self.transport.write(self.direct.written(said, close=self._last))
        if self.flow.write_paused:
            self._draining = True
        else:
            self._end_query()

    def _end_query(self) -> None:
        """Go on with the next request, or wait for it."""
        self._given = self._draining = False
        received, self._received, self._asked = self._received, b"", None
        if self._last:
            self.transport.close()
            return
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.flow.resume_reading()
        if received:
            self.data_received(received)
