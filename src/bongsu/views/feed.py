"""Gathers for a live view in a thread of its own, so that a slow reading does not hold up the keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from bongsu.model.batch import Batch

FIRST_SECONDS = 0.5  # rates need two readings: the second comes soon, whatever the interval


class Gather(Protocol):
    """Gives one batch; what owners use is read only where it is asked for."""

    def __call__(self, *, owners: bool) -> Batch:
        """Read now."""
        ...


class Feed:
    """The newest batch waits to be taken."""

    def __init__(self, gather: Gather, interval: float, *, owners: bool) -> None:
        self._gather = gather
        self._interval = interval
        self._owners = owners
        self._hurried = threading.Event()
        self._ended = False
        self.newest: Batch | None = None
        self.failure: BaseException | None = None

    def start(self, wake: Callable[[], None]) -> None:
        """Begin; ``wake`` is called when something new is there, in the feed's thread."""
        threading.Thread(target=self._work, args=(wake,), name="bongsu-top", daemon=True).start()

    def stop(self) -> None:
        """Gather no more, after what is being gathered now."""
        self._ended = True
        self._hurried.set()

    def with_owners(self, *, owners: bool) -> None:
        """Read what owners use, or no longer; the first time at once, since somebody waits for it."""
        if owners and not self._owners:
            self._hurried.set()
        self._owners = owners

    def _work(self, wake: Callable[[], None]) -> None:
        pause = min(FIRST_SECONDS, self._interval)
        due = time.monotonic()
        try:
            while not self._ended:
                self.newest = self._gather(owners=self._owners)
                wake()
                due = max(due + pause, time.monotonic())
                pause = self._interval
                if self._hurried.wait(due - time.monotonic()):
                    self._hurried.clear()
                    pause = min(FIRST_SECONDS, self._interval)
                    due = time.monotonic()
        except BaseException as error:  # noqa: BLE001  the main thread raises it
            self.failure = error
            wake()
