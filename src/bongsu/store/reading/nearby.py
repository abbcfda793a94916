"""What the file holds near some time: raw segments, and windows that have minute buckets."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from bongsu.store.layout import segments
from bongsu.store.layout.packing import get_varint
from bongsu.store.layout.schema import MINUTE_MS, MINUTES, RAW
from bongsu.store.reading.coverage import Coverage

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


@dataclass(frozen=True, slots=True)
class Around:
    """What there is of the time that a question is about."""

    segments: list[Segment]  # that have samples of it
    numbers: tuple[int, ...]  # theirs
    count: int  # of their times
    spans: list[tuple[int, int]]  # that have minute buckets
    covered: Coverage  # by raw samples, whether of this time or not
    bare: list[tuple[int, int]]  # the spans of which some part is not


class Nearby:
    """Remembers the lists as long as the file does not change: the panels of a page all ask for the same times.

    A connection is used by one thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[int, dict[tuple[int, int], Around]] = {}

    def remembered(self, connection: sqlite3.Connection, start: int, end: int) -> Around | None:
        """What `of` said before the file changed."""
        known = self._known.get(id(connection))
        return None if known is None else known.get((start, end))

    def of(self, connection: sqlite3.Connection, start: int, end: int) -> Around:
        """What reaches into the range (Unix ms); not to be changed."""
        known = self._known.setdefault(id(connection), {})
        found = known.get((start, end))
        if found is None:
            if len(known) >= _MOST:
                known.clear()
            found = known[start, end] = _around(connection, start, end)
        return found

    def forget(self, connection: sqlite3.Connection) -> None:
        """The file has changed for this connection, or it is a new one."""
        self._known.pop(id(connection), None)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()


def _around(connection: sqlite3.Connection, start: int, end: int) -> Around:
    # Buckets that begin before the end reach beyond it, perhaps into a window whose samples are all later.
    nearby, spans = (
        listed_segments(connection, start, end + MINUTE_MS),
        listed_spans(connection, start, end + MINUTE_MS),
    )
    found = [segment for segment in nearby if segment.first <= end and segment.last >= start]
    covered = Coverage([(segment.t0, segment.t1) for segment in nearby])
    # A merged span may be longer than what was ever read of it: only what is asked for must be covered.
    bare = [(t0, t1) for t0, t1 in spans if not covered.holds(max(t0, start - 1), min(t1, end))]
    return Around(
        found,
        tuple([segment.number for segment in found]),
        sum(segment.count for segment in found),
        spans,
        covered,
        bare,
    )


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
