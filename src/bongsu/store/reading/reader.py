"""Reads the store: the samples of series for PromQL, from whichever tier has them, and what series there are."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.store.layout import minutes as tier
from bongsu.store.layout import segments
from bongsu.store.layout.buckets import LAST, Buckets
from bongsu.store.layout.catalogue import Unsaved
from bongsu.store.layout.hot import HotRow
from bongsu.store.layout.schema import MINUTE_MS, RAW, SEAL_MS
from bongsu.store.reading import chunk_cache, hot_cache, hot_rows
from bongsu.store.reading.coverage import NOWHERE, Coverage
from bongsu.store.reading.index import Entry, Index
from bongsu.store.reading.nearby import Around, Nearby, listed_segments, listed_spans
from bongsu.store.reading.pieces import Piece, join
from bongsu.store.reading.runs import Runs
from bongsu.store.reading.sessions import Sessions
from bongsu.store.series import Described, Labels, Matcher, Selected, Series

CACHE_BYTES = 4 * 1024 * 1024
RUN_BYTES = 4 * 1024 * 1024
HOT_BYTES = 12 * 1024 * 1024
MANY_SAMPLES = 5_000_000  # from here on a wide question is answered from the coarser tier
WIDE_MS = 300_000
_CHUNKS_AT_ONCE = 20_000  # in one read transaction
_MINUTE_CHUNKS_AT_ONCE = 300  # as above; these are decoded within it
_LAST_MS = 1 << 53
_MOST_TRIES = 3
_KINDS = {"untyped": "unknown", "info": "gauge"}  # as /metrics has them


@dataclass(frozen=True, slots=True)
class Stored:
    """Windows ``(t0, t1]``, ms, that have raw segments, minute buckets, samples that are not sealed yet.

    ``spacing`` is the usual time between two readings, ms; 0 where it cannot be told.
    """

    raw: list[tuple[int, int]]
    minutes: list[tuple[int, int]]
    hot: list[tuple[int, int]]
    spacing: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be read for one question: what there is of its time, and what was hot."""

    entries: Sequence[Entry]
    ids: list[int]
    start: int
    end: int
    around: Around
    hot: list[Piece]
    deadline: float


class _ChangedError(Exception):
    """Segments that were there are gone: they were written anew, or their time is over."""


class Reader:
    """The store at ``path`` as a source of samples. Several threads may ask at once; the writer is never waited for.

    ``pending`` and ``unsaved`` are those of a writer in this process, whose newest samples the file does not have yet.
    A file that is not there yet has no series.

    Raises (whatever is asked):
        BadInput: the file is of a newer version, or may not be read.
        NotKnown: the file is broken, or reading took longer than ``timeout_s`` seconds.
    """

    def __init__(
        self,
        path: str,
        pending: Callable[[], Sequence[HotRow]] | None = None,
        unsaved: Callable[[], Unsaved] | None = None,
        *,
        timeout_s: float = 60.0,
    ) -> None:
        self.path = path
        self._pending = pending
        self._unsaved = unsaved
        self._timeout = timeout_s
        self._lock = threading.Lock()  # of the index
        self._index = Index()
        self._cache = chunk_cache.ChunkCache(CACHE_BYTES)
        self._hot = hot_cache.HotCache(HOT_BYTES)
        self._runs = Runs(RUN_BYTES)
        self._columns = hot_rows.Columns()
        self._sessions = Sessions(path, self._forget)
        self._nearby = Nearby()

    def close(self) -> None:
        """Let go of the file."""
        self._sessions.close()

    def select(self, matchers: Sequence[Matcher], start: int, end: int, *, step: int = 0, window: int = 0) -> Selected:
        """As `series.Source.select`."""
        wide = (window or step) >= WIDE_MS and (step == 0 or step >= WIDE_MS)
        for left in reversed(range(_MOST_TRIES)):
            with contextlib.suppress(_ChangedError):
                return self._select(matchers, start, end, wide=wide, last_try=left == 0)
        raise AssertionError("the last try does not tell of changes")

    def match(self, any_of: Sequence[Sequence[Matcher]]) -> list[Entry]:
        """The series that fit one of the groups, with or without samples. Raises BadInput for a bad pattern."""
        unsaved = self._unsaved() if self._unsaved is not None else None
        with self._sessions.open() as connection, self._lock:
            self._refresh(connection, unsaved)
            found = [entry for matchers in any_of for entry in self._index.match(matchers)]
        return found if len(any_of) == 1 else list({entry.labels: entry for entry in found}.values())

    def find(self, any_of: Sequence[Sequence[Matcher]], start: int, end: int) -> Sequence[Labels]:
        """As `series.Source.find`."""
        entries = self.match(any_of or [()])
        start, end = max(start, -_LAST_MS), min(end, _LAST_MS)
        pending = self._rows(start, end)
        with self._sessions.open() as connection:
            there = segments.listed(connection, start, end) | tier.listed(connection, start, end)
            rows = [
                HotRow(0, layouts, b"")
                for (layouts,) in connection.execute(
                    "SELECT DISTINCT layouts FROM hot WHERE ts BETWEEN ? AND ?", (start, end)
                )
            ]
            with self._lock:
                self._refresh(connection, self._unsaved() if self._unsaved is not None else None)
                for ids in hot_rows.named([*rows, *pending], lambda n: self._index.layout(connection, n)):
                    there.update(ids.tolist())
        return [entry.labels for entry in entries if any(one in there for one in entry.ids)]

    def describe(self) -> Mapping[str, Sequence[Described]]:
        """As `series.Source.describe`."""
        unsaved = self._unsaved() if self._unsaved is not None else None
        rows: dict[int, tuple[str, str, str, str]] = {}
        with self._sessions.open() as connection:
            for number, *row in connection.execute("SELECT id, name, kind, help, unit FROM metric ORDER BY id"):
                rows[number] = (row[0], row[1], row[2], row[3])
        if unsaved is not None:
            rows |= {number: (new.name, new.kind, new.help, new.unit) for number, new in unsaved.metrics.items()}
        found: dict[str, list[Described]] = {}
        for name, kind, text, unit in rows.values():
            found.setdefault(name, []).append(Described(_KINDS.get(kind, kind), text, unit))
        return found

    def raw(self, entries: Sequence[Entry], start: int, end: int) -> list[Series]:
        """The samples of these series that are kept as they were read."""
        for left in reversed(range(_MOST_TRIES)):
            with contextlib.suppress(_ChangedError):
                plan = self._begin(lambda: entries, start, end)
                if not plan.ids:
                    return []
                return join([*self._raw(plan, left == 0), *plan.hot], entries, start, end)
        raise AssertionError("the last try does not tell of changes")

    def minutes(self, ids: Sequence[int], start: int, end: int) -> Iterator[Mapping[int, tier.Minutes]]:
        """The minute buckets of these series that end from ``start`` to ``end``, by id; slices of time in their order."""
        return map(tier.apart, self.buckets(ids, start, end))

    def buckets(self, ids: Sequence[int], start: int, end: int, *, sums: bool = True) -> Iterator[Sequence[Buckets]]:
        """The same as `minutes`, series of one shape together; without ``sums`` as `minutes.read_together` has it."""
        with self._sessions.open() as connection:
            spans = listed_spans(connection, start, end)
        return self._minutes(spans, ids, start, end, time.monotonic() + self._timeout, sums=sums)

    def span(self) -> tuple[int, int] | None:
        """The times of the oldest and the newest sample of any tier, ms; None where there is none."""
        times = [row.ts for row in self._rows(-_LAST_MS, _LAST_MS)]
        with self._sessions.open() as connection:
            for question in (
                "SELECT min(ts), max(ts) FROM hot",
                "SELECT min(first), max(last) FROM segment",
                "SELECT min(t0) + 1, max(t1) FROM minutes",  # not merged yet, so that there are segments of it as well
            ):
                row = () if times and "minutes" in question else connection.execute(question).fetchone()
                times += [found for found in row if found is not None]
        return (min(times), max(times)) if times else None

    def stored(self, start: int, end: int) -> Stored:
        """What is kept of the time ``(start, end]``."""
        pending = [row.ts for row in self._rows(start + 1, end)]
        with self._sessions.open() as connection:
            nearby = listed_segments(connection, start + 1, end)
            found = [segment for segment in nearby if segment.first <= end and segment.last > start]
            spans = listed_spans(connection, start + 1, end)
            hot = [ts for (ts,) in connection.execute("SELECT ts FROM hot WHERE ts > ? AND ts <= ?", (start, end))]
        hot = sorted({*hot, *pending})
        windows = [(number * SEAL_MS, (number + 1) * SEAL_MS) for number in sorted({(ts - 1) // SEAL_MS for ts in hot})]
        if len(hot) > 2:
            spacing = float(np.median(np.diff(hot)))
        else:
            spacing = min(
                ((one.last - one.first) / (one.count - 1) for one in found[-3:] if one.count > 1), default=0.0
            )
        return Stored([(one.t0, one.t1) for one in found], spans, windows, spacing)

    def _select(self, matchers: Sequence[Matcher], start: int, end: int, *, wide: bool, last_try: bool) -> Selected:
        plan = self._begin(lambda: self._index.match(matchers), start, end)
        if not plan.ids:
            return Selected(())
        around = plan.around
        notes: list[Message] = []
        count = around.count * len(plan.ids)
        too_many = wide and count > MANY_SAMPLES
        coarse = self._coarse(plan, *((around.spans, NOWHERE) if too_many else (around.bare, around.covered)))
        inside = [piece.times[(piece.times >= start) & (piece.times <= end)] for piece in coarse]
        inside = [times for times in inside if times.size]
        if inside:
            first, last = min(int(times[0]) for times in inside), max(int(times[-1]) for times in inside)
            notes.append(_note(first, last, count if too_many else 0))
        raw = [] if too_many else self._raw(plan, last_try)
        return Selected(join([*coarse, *raw, *plan.hot], plan.entries, start, end), tuple(notes))

    def _begin(self, find: Callable[[], Sequence[Entry]], start: int, end: int) -> _Plan:
        """What is there to read, and the newest samples at once: they may be moved before the rest is read.

        ``find`` looks into the index when that has all that is in the file.
        """
        pending = self._rows(start, end)
        unsaved = self._unsaved() if self._unsaved is not None else None
        deadline = time.monotonic() + self._timeout
        there = None if pending or unsaved else self._remembered(start, end)
        if there is not None:
            around, blocks = there
            with self._lock:
                entries = find()
        else:
            with self._sessions.open() as connection:
                with self._lock:
                    self._refresh(connection, unsaved)
                    entries = find()
                blocks, newest = self._hot.read(connection, start, end)
                blocks += hot_cache.blocks(row for row in pending if row.seq > newest)
                with self._lock:
                    for layouts in {block.layouts for block in blocks}:
                        if self._columns.known(layouts) is None:
                            self._columns.look_up(layouts, lambda number: self._index.layout(connection, number))
                around = self._nearby.of(connection, start, end)
        if end < start:
            entries = ()
        ids = _ids(entries)
        hot = hot_rows.pieces(blocks, self._columns, np.array(ids, np.int32)) if ids and blocks else []
        return _Plan(entries, ids, start, end, around, hot, deadline)

    def _remembered(self, start: int, end: int) -> tuple[Around, list[hot_cache.Block]] | None:
        """What was there when this time was last asked about; None where it was not, or the file has changed since."""
        with self._sessions.lent() as connection:
            if not self._sessions.same(connection):
                return None
            around = self._nearby.remembered(connection, start, end)
            rows = self._hot.again(connection, start, end)
        if around is None or rows is None or any(self._columns.known(block.layouts) is None for block in rows[0]):
            return None
        return around, rows[0]

    def _raw(self, plan: _Plan, last_try: bool) -> list[Piece]:
        """What stands in the plan's segments, in their order."""
        # Of a series with several ids their order decides, so that each segment stays by itself.
        several = len(plan.around.numbers) > 1 and len(plan.ids) == len(plan.entries)
        several = several and plan.around.count * len(plan.ids) * 8 <= RUN_BYTES // 4
        known = self._runs.known(plan.around.numbers, plan.ids) if several else None
        if known is None:
            known = self._segments(plan, last_try)
            if several:
                known = self._runs.joined(plan.around.numbers, plan.ids, known)
        return known

    def _segments(self, plan: _Plan, last_try: bool) -> list[Piece]:
        """The same, segment by segment; read in slices, so that no transaction is long."""
        known = self._cache.known(plan.around.numbers, plan.ids)
        missing = [segment for segment in plan.around.segments if segment.number not in known]
        at_once = max(1, _CHUNKS_AT_ONCE // len(plan.ids))
        for begin in range(0, len(missing), at_once):
            some = missing[begin : begin + at_once]
            self._check(plan.deadline)
            times: dict[int, bytes] = {}
            chunks: dict[int, list[tuple[int, bytes]]] = {}
            with self._sessions.open() as connection:
                numbers = [segment.number for segment in some]
                for one, data in segments.chunks(
                    connection, RAW, plan.ids, plan.start, plan.end, into=times, only=numbers
                ):
                    chunks.setdefault(one >> 32, []).append((one & 0xFFFFFFFF, data))
            if len(times) < len(some) and not last_try:
                raise _ChangedError
            try:
                decoded = {
                    number: chunk_cache.decode(column, chunks.get(number, ()), plan.ids)
                    for number, column in times.items()
                }
            except sqlite3.DatabaseError as error:
                raise self._sessions.unreadable(error) from error
            self._cache.keep(decoded)
            known.update(decoded)
        return [piece for number in plan.around.numbers if number in known for piece in known[number].pieces(plan.ids)]

    def _coarse(self, plan: _Plan, spans: Sequence[tuple[int, int]], covered: Coverage) -> list[Piece]:
        """The last sample of each minute of the spans, where the raw samples are not there."""
        if not spans:
            return []
        planned = Coverage(spans)  # a window that was sealed since then was read as hot rows, or is too new
        found: list[Piece] = []
        end = plan.end + MINUTE_MS - 1
        for parts in self._minutes(spans, plan.ids, plan.start, end, plan.deadline, sums=False):
            for shape, ids, fields in parts:
                bare = planned.has(shape.ends) & ~covered.has(shape.ends)
                if bare.any():
                    found.append(Piece(ids.tolist(), shape.at[bare], fields[LAST][:, bare]))
        return found

    def _minutes(
        self, spans: Sequence[tuple[int, int]], ids: Sequence[int], start: int, end: int, deadline: float, *, sums: bool
    ) -> Iterator[Sequence[Buckets]]:
        for t0, t1 in _slices(spans, len(ids)):
            self._check(deadline)
            with self._sessions.open() as connection:
                # of `read_together`, the end is of what a bucket holds
                parts = tier.read_together(connection, ids, max(t0 + 1, start), min(t1, end) + 1 - MINUTE_MS, sums=sums)
            yield parts

    def _rows(self, start: int, end: int) -> list[HotRow]:
        if self._pending is None:
            return []
        return [row for row in self._pending() if start <= row.ts <= end]

    def _check(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise NotKnown(
                Message(
                    "reading the history took longer than {seconds} s; ask for a shorter time or fewer series",
                    seconds=self._timeout,
                )
            )

    def _refresh(self, connection: sqlite3.Connection, unsaved: Unsaved | None) -> None:
        if self._sessions.changed(connection):
            self._nearby.forget(connection)
            self._index.refresh(connection)
        if unsaved:
            self._index.add(unsaved)

    def _forget(self) -> None:
        with self._lock:
            self._index = Index()
        self._nearby.clear()
        self._cache.clear()
        self._runs.clear()
        self._columns.clear()
        self._hot.clear()


def _ids(entries: Sequence[Entry]) -> list[int]:
    return sorted(one for entry in entries for one in entry.ids)


def _slices(spans: Sequence[tuple[int, int]], ids: int) -> list[tuple[int, int]]:
    """Times ``(t0, t1]`` to be read one after the other: no span reaches over two of them."""
    width = tier.MERGED_MS * max(1, _MINUTE_CHUNKS_AT_ONCE // max(ids, 1))
    numbers = sorted({(t1 - 1) // width for _, t1 in spans})
    return [(number * width, (number + 1) * width) for number in numbers]


def _note(first: int, last: int, count: int) -> Message:
    values = {"first": _clock(first), "last": _clock(last)}
    if count:
        return Message(
            "{count} samples are too many: from {first} to {last} the last sample of each minute answers, so that rates "
            "over less than 4 minutes have no answer there and counts of samples are of minutes; ask for fewer series, "
            "or for a shorter time, to have all of them",
            count=count, **values,
        )  # fmt: skip
    return Message(
        "from {first} to {last} the last sample of each minute is all that is kept: rates over less than 4 minutes have "
        "no answer there, and counts of samples are of minutes",
        **values,
    )


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
