"""Server-sent events: each is encoded once and put in every client's queue; one that cannot keep up is let go."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator

import msgspec
from starlette.responses import StreamingResponse

from bongsu.model.message import Message

PING_SECONDS = 15.0  # a client that has gone without a word is noticed by then
_QUEUE = 16  # events that a client may be behind
_REPLAY = 30  # events that one who was away shortly gets again
MOST_CLIENTS = 200
_PING = b": still here\n\n"
_RETRY = b"retry: 1000\n\n"


def event(name: str, data: object, number: str = "") -> bytes:
    """One event in the form of https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    head = f"id: {number}\nevent: {name}\ndata: " if number else f"event: {name}\ndata: "
    return b"".join((head.encode(), msgspec.json.encode(data), b"\n\n"))


class _Client:
    __slots__ = ("behind", "queue")

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE + 2)
        self.behind = False

    def put(self, data: bytes) -> bool:
        """False if the client is too far behind; what it missed is then forgotten and it is told so."""
        if self.queue.qsize() < _QUEUE:
            self.queue.put_nowait(data)
            return True
        self.end(event("dropped", {"reason": str(Message("this page could not keep up and was let go"))}))
        return False

    def end(self, last: bytes | None) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        if last is not None:
            self.queue.put_nowait(last)
        self.queue.put_nowait(None)


class Hub:
    """All who listen. Used from the server's event loop only."""

    def __init__(self) -> None:
        self.dropped = 0  # clients let go because they could not keep up
        self._clients: set[_Client] = set()
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=_REPLAY)
        self._epoch = os.urandom(4).hex()  # numbers of an earlier server mean nothing to this one
        self._number = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def full(self) -> bool:
        """Whether no more clients are taken."""
        return len(self._clients) >= MOST_CLIENTS

    def publish(self, name: str, data: object) -> None:
        """Send an event to all."""
        self._number += 1
        encoded = event(name, data, f"{self._epoch}-{self._number}")
        self._recent.append((self._number, encoded))
        for client in [c for c in self._clients if not c.put(encoded)]:
            self._clients.discard(client)
            self.dropped += 1

    def close(self) -> None:
        """End every stream, now and from now on."""
        self._closed = True
        for client in self._clients:
            client.end(event("goodbye", {}))
        self._clients.clear()

    def missed(self, last_seen: str) -> list[bytes] | None:
        """What was sent after the event of that number; None if that is not known any more."""
        epoch, _, number = last_seen.partition("-")
        if epoch != self._epoch or not number.isascii() or not number.isdigit():
            return None
        after = int(number)
        if after > self._number or (self._recent and after < self._recent[0][0] - 1):
            return None
        return [data for n, data in self._recent if n > after]

    async def events(self, last_seen: str, first: list[bytes]) -> AsyncIterator[bytes]:
        """One client's stream: ``first``, what it missed (or word that it must ask for all), then what comes."""
        client = _Client()
        missed = self.missed(last_seen) if last_seen else []
        if self._closed:
            return
        self._clients.add(client)
        try:
            yield _RETRY
            if missed is None:
                yield event("again", {})
                missed = []
            for data in (*first, *missed):
                yield data
            while True:
                try:
                    data_or_end = await asyncio.wait_for(client.queue.get(), PING_SECONDS)
                except TimeoutError:
                    yield _PING
                    continue
                if data_or_end is None:
                    return
                yield data_or_end
        finally:
            self._clients.discard(client)


class EventResponse(StreamingResponse):
    """A stream of events, passed on at once by proxies too."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
