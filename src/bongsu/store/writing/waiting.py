"""Rows that wait in memory to be written, and which of them are let go when there are too many."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from bongsu.store.layout.hot import HotRow


class Waiting:
    """The rows in order. Not for two threads at once.

    Where they come to more than ``most_bytes``, or the oldest has waited ``most_seconds``, the oldest are dropped. The
    first one to go leaves a row of stale marks, which ``ended`` makes of it, so that the gap shows.
    """

    def __init__(self, most_bytes: int, most_seconds: float, ended: Callable[[HotRow], HotRow | None]) -> None:
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._ended = ended
        self._rows: deque[tuple[HotRow, float]] = deque()
        self._gap = -1  # the number of the row that stands for those that were dropped
        self.bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> list[HotRow]:
        """All of them."""
        return [row for row, _ in self._rows]

    def add(self, row: HotRow) -> int:
        """Take one; returns how many were dropped for it."""
        now = time.monotonic()
        self._rows.append((row, now))
        self.bytes += row.size
        dropped = 0
        while len(self._rows) > 2 and (self.bytes > self._most_bytes or now - self._rows[1][1] > self._most_seconds):
            self._drop()
            dropped += 1
        self.dropped += dropped
        return dropped

    def written(self, seq: int) -> None:
        """Rows up to this number are in the file."""
        while self._rows and self._rows[0][0].seq <= seq:
            self.bytes -= self._rows.popleft()[0].size

    def _drop(self) -> None:
        row, at = self._rows[0]
        if row.seq == self._gap:
            row, _ = self._rows[1]
            del self._rows[1]
            self.bytes -= row.size
            return
        self._gap = row.seq
        marks = self._ended(row)
        if marks is not None:
            self._rows[0] = (marks, at)
            self.bytes += marks.size - row.size
