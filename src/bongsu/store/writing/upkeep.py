"""What is done to the store between commits, and when: sealing, merging minutes, letting go of what is old."""

from __future__ import annotations

import contextlib
import ctypes
import sqlite3
from collections.abc import Callable, Iterator

from bongsu.store.layout import minutes, schema
from bongsu.store.writing import compact, retention, seal

GRACE_MS = 3000  # a window is sealed this long after its end, so that a late batch still falls into it
_COLLECT_MS = 3_600_000
Step = Callable[[], bool]  # does a little, in a transaction of its own; False when nothing of it is left


class Upkeep:
    """Decides what is due. Times are Unix ms and come from the batches, not from a clock of its own.

    ``tell`` hears the name of each step before it is taken, and "" after the last.
    """

    def __init__(
        self, *, raw_seconds: float, minutes_seconds: float, max_bytes: int | None,
        tell: Callable[[str], None] = lambda _step: None,
    ) -> None:  # fmt: skip
        self._tell = tell
        self._done: int | None = None  # the end of the newest window that is dealt with
        self._collected = -1  # the hour in which names that nothing uses were last deleted
        self.limit(raw_seconds=raw_seconds, minutes_seconds=minutes_seconds, max_bytes=max_bytes)

    def limit(self, *, raw_seconds: float, minutes_seconds: float, max_bytes: int | None) -> None:
        """What is kept, from the next run on."""
        self.raw_ms = round(raw_seconds * 1000)
        self.minutes_ms = round(minutes_seconds * 1000)
        self.max_bytes = max_bytes
        self.hurry()

    def is_due(self, now: int) -> bool:
        """Whether a window has ended since the last run, or the clock was set to another one."""
        return _last_end(now) != self._done

    def hurry(self) -> None:
        """Let it be due at once."""
        self._done = None

    def run(self, connection: sqlite3.Connection, now: int, sure: int, between: Callable[[], None]) -> None:
        """Do all that is due; ``between`` is called after each step, so that nothing waits for the last.

        How old something is, is told by ``sure``, since ``now`` may be of a clock that went wrong.

        Raises:
            sqlite3.Error: a step could not be taken; what can be done without it is done.
        """
        failed: Exception | None = None
        for name, step in self._steps(connection, now, sure):
            self._tell(name)
            try:
                while step():
                    between()
            except (sqlite3.Error, ValueError) as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                failed = failed or error
        if failed is None and now // _COLLECT_MS != self._collected:
            # The last step: what it deletes must be forgotten before anything more is written.
            self._tell("collecting")
            retention.collect(connection)
            self._collected = now // _COLLECT_MS
        self._tell("")
        _give_memory_back()
        if failed is not None:
            raise failed
        self._done = _last_end(now)

    def _steps(self, connection: sqlite3.Connection, now: int, sure: int) -> Iterator[tuple[str, Step]]:
        yield "sealing", lambda: seal.seal(connection, before_ms=_last_end(now))
        yield "merging", lambda: minutes.merge(connection, before_ms=_last_end(now))
        yield "joining", lambda: compact.join(connection, before_ms=_last_end(now))
        yield (
            "letting go",
            lambda: retention.enforce(
                connection, now_ms=sure, raw_ms=self.raw_ms, minutes_ms=self.minutes_ms, max_bytes=self.max_bytes
            ),
        )


def _give_memory_back() -> None:
    """What sealing has used and freed again: glibc keeps it (20 MB with 1 500 series) unless asked, malloc_trim(3)."""
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)


def _last_end(now: int) -> int:
    """The end of the newest window that is over."""
    return (now - GRACE_MS - 1) // schema.SEAL_MS * schema.SEAL_MS
