"""What the file holds near some time: raw segments, and windows that have minute buckets."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from bongsu.store.layout import segments
from bongsu.store.layout.packing import get_varint
from bongsu.store.layout.schema import MINUTES, RAW

_MOST = 64  # times that are remembered for a connection


@dataclass(frozen=True, slots=True)
class Segment:
    """A raw segment in the file, of the window ``(t0, t1]``; it has ``count`` times from ``first`` to ``last``."""

    number: int
    t0: int
    t1: int
    first: int
    last: int
    count: int


class Nearby:
    """Remembers the lists as long as the file does not change: the panels of a page all ask for the same times.

    A connection is used by one thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[int, dict[tuple[int, int], tuple[list[Segment], list[tuple[int, int]]]]] = {}

    def of(self, connection: sqlite3.Connection, start: int, end: int) -> tuple[list[Segment], list[tuple[int, int]]]:
        """Segments and spans that reach into the range (Unix ms); not to be changed."""
        known = self._known.setdefault(id(connection), {})
        found = known.get((start, end))
        if found is None:
            if len(known) >= _MOST:
                known.clear()
            found = (listed_segments(connection, start, end), listed_spans(connection, start, end))
            known[start, end] = found
        return found

    def forget(self, connection: sqlite3.Connection) -> None:
        """The file has changed for this connection, or it is a new one."""
        self._known.pop(id(connection), None)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()


def listed_segments(connection: sqlite3.Connection, start: int, end: int) -> list[Segment]:
    """The raw segments of windows that reach into the range, in the order in which they were written."""
    return [
        Segment(number, t0, t1, first, last, get_varint(counted, 0)[0])
        for number, t0, t1, first, last, counted in connection.execute(
            "SELECT id, t0, t1, first, last, substr(times, 1, 5) FROM segment WHERE tier = ? AND t1 BETWEEN ? AND ? "
            "AND t0 < ? ORDER BY id",
            (RAW, start, end + segments.LONGEST_MS, end),
        )
    ]


def listed_spans(connection: sqlite3.Connection, start: int, end: int) -> list[tuple[int, int]]:
    """The windows that have minute buckets and reach into the range."""
    return connection.execute(
        "SELECT t0, t1 FROM segment WHERE tier = ? AND t1 BETWEEN ? AND ? AND t0 < ? "
        "UNION SELECT t0, t1 FROM minutes WHERE t1 >= ? AND t0 < ?",
        (MINUTES, start, end + segments.LONGEST_MS, end, start, end),
    ).fetchall()
