"""Writes a run's record, and goes on when that fails: what cannot be missed is kept until there is room again.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os
import time

from bongsu.records.segment import Segment
from bongsu.runs.columns import COLUMNS

_MOST_KEPT = 10_000  # records; a disk may be full for days
_MOST_ONCE = 100
_PASSING = frozenset({"sample", "use", "monitor"})  # the next one says more


class Journal:
    """Appends rows of named values to a segment.

    Attributes:
        lost: records that were given up.
        zero: the start of the run on CLOCK_BOOTTIME, in s.
    """

    def __init__(self, segment: Segment, zero: float) -> None:
        """``zero``: the start of the run on CLOCK_BOOTTIME, in s.

        Raises:
            OSError: the first record cannot be written, so nothing could be recorded.
        """
        self.lost = 0
        self._segment = segment
        self.zero = zero
        self._waiting: list[list[object]] = []
        self._failing_since: float | None = None
        self._failure = ""
        self._said: set[str] = set()
        segment.append(["columns", {kind: list(names) for kind, names in COLUMNS.items()}])

    def now(self) -> float:
        """Seconds since the start of the run."""
        return round(time.clock_gettime(time.CLOCK_BOOTTIME) - self.zero, 3)

    def began(self) -> float:
        """The start as Unix time: the two clocks are read at once, without a wait for a CPU in between."""
        least, found = float("inf"), 0.0
        for _ in range(20):
            before = time.clock_gettime(time.CLOCK_BOOTTIME)
            now = time.time()
            took = time.clock_gettime(time.CLOCK_BOOTTIME) - before
            if took < least:
                least, found = took, now - before + self.zero
            if took < 0.001:  # s; what is written is as exact
                break
        return found

    def add(self, kind: str, at_seconds: float, **values: object) -> None:
        """A record for the next `flush`; columns that are not given are not known."""
        self._waiting.append([kind, at_seconds, *map(values.get, COLUMNS[kind][1:])])

    def event(self, what: str, text: str) -> None:
        """Something happened that a reader should know of."""
        self.add("event", self.now(), what=what, text=text)

    def once(self, what: str, text: str) -> None:
        """The same, if it was not said before."""
        if text not in self._said and len(self._said) < _MOST_ONCE:
            self._said.add(text)
            self.event(what, text)

    def flush(self) -> None:
        """Write all that was added, in one write(2)."""
        rows = self._waiting
        if not rows:
            return
        if self._failing_since is not None:
            now = self.now()
            since = self._failing_since
            text = (
                f"for {now - since:.1f} s the record could not be written ({self._failure}): {self.lost} lines are lost"
            )
            rows = [["event", since, "gap", text], *rows]
        try:
            self._segment.append(*rows)
        except OSError as error:
            self._failure = (error.strerror or str(error)).lower()
            if self._failing_since is None:
                self._failing_since = self.now()
            kept = [row for row in self._waiting if row[0] not in _PASSING][-_MOST_KEPT:]
            self.lost += len(self._waiting) - len(kept)
            self._waiting = kept
            return
        self._waiting = []
        self._failing_since = None

    def sync(self) -> None:
        """Have all that was written on the disk, if that can be."""
        try:
            self._segment.sync()
        except OSError as error:
            self.once("error", f"{os.path.basename(self._segment.path)}: {(error.strerror or str(error)).lower()}")
            self.flush()
