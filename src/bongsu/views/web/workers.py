"""Threads of their own for queries, so that many of them leave the page and /metrics theirs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from bongsu.sinks.http_message import Request, Response

AT_ONCE = 20
WAITING = 200  # dashboards send all that they show at once
_IDLE_SECONDS = 10.0  # after which a thread ends that had nothing to do

Answer = Callable[[Request], Response]
Done = Callable[[Response | Exception], None]


class Workers:
    """Answers requests with ``answer``, so many at a time; some more wait. Threads begin when they are needed."""

    def __init__(self, answer: Answer, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._answer = answer
        self._at_once = at_once
        self._most = at_once + waiting
        self._queue: queue.SimpleQueue[tuple[Request, Done]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unanswered = 0  # there are always as many threads, or all that there may be

    def begin(self, request: Request, done: Done) -> bool:
        """Answer it some time; ``done`` is called in another thread. False where too many wait already."""
        with self._lock:
            if self._unanswered >= self._most:
                return False
            if self._threads < min(self._at_once, self._unanswered + 1):
                try:
                    threading.Thread(target=self._work, name="bongsu-query", daemon=True).start()
                except RuntimeError:  # no more threads
                    if not self._threads:
                        return False
                else:
                    self._threads += 1
            self._unanswered += 1
        self._queue.put((request, done))
        return True

    def _work(self) -> None:
        while True:
            try:
                request, done = self._queue.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._unanswered < self._threads:
                        self._threads -= 1
                        return
                continue
            said: Response | Exception
            try:
                said = self._answer(request)
            except Exception as error:  # noqa: BLE001  whoever asked says so, and logs it
                said = error
            with self._lock:
                self._unanswered -= 1
            done(said)
            del request, done, said  # they may be large, and the next may take long to come
