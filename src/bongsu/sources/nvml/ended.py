"""Keeps what the driver's accounting told of ended processes for a while: it tells each once, and readers look at different times."""

from __future__ import annotations

from collections import deque

import msgspec

from bongsu.sources.nvml.reading import Ended, Snapshot

KEPT_SECONDS = 300.0
_MOST = 4096


class RecentlyEnded:
    """The ended processes of the last 5 minutes, 4 096 at most. One thread at a time may use it."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, Ended]] = deque(maxlen=_MOST)

    def added(self, look: Snapshot) -> Snapshot:
        """The look, with those that earlier looks told of before its own."""
        while self._told and look.time - self._told[0][0] > KEPT_SECONDS:
            self._told.popleft()
        earlier = tuple(one for _, one in self._told)
        self._told.extend((look.time, one) for one in look.ended)
        return msgspec.structs.replace(look, ended=earlier + look.ended) if earlier else look
