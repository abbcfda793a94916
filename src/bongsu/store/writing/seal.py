"""Hot rows of a window that is over become a segment, one column for each series."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bongsu.store.layout import minutes, segments
from bongsu.store.layout.schema import SEAL_MS
from bongsu.store.layout.segments import Flags, Group, Ids
from bongsu.store.series import Times, Values
from bongsu.store.writing import rebuild

_log = logging.getLogger("bongsu.store")
_CELLS = 400_000  # values that are worked on at once
_MANY = 1500  # rows; so many of one window there are not at 1 Hz: look whether older ones stand behind the first


def seal(connection: sqlite3.Connection, *, before_ms: int) -> bool:
    """Seal the oldest window that ended by ``before_ms``; False if there is none.

    Call it until it returns False, and commit what has come in between. Segment, minute buckets and the end of the hot
    rows are one short transaction; all the work is done before it begins, but where the window has samples already.
    Windows beyond the next one, of samples that a wrong clock has put into the future, are sealed too.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    number = _next_window(connection, before_ms)
    if number is None:
        return False
    t0, t1 = number * SEAL_MS, (number + 1) * SEAL_MS
    rows = _Rows(connection, t0, t1)
    _write(connection, t0, t1, rows.times, rows.groups(), rows.numbers)
    return True


def insert(connection: sqlite3.Connection, ids: Ids, times: Times, values: Values, *, keep_raw: bool = True) -> None:
    """Store samples of the past: raw segments, and their minute buckets; without ``keep_raw`` only these.

    The arrays are of one length: series id (as in the table ``series``, which must have it), Unix ms, value. Of two
    samples of one series and time the later in the arrays is kept. Each sealing window is a transaction of its own, so
    give samples in order of time where there are many.

    Raises:
        sqlite3.Error: windows before it are stored.
    """
    ids = ids.astype(np.int64)
    order = np.argsort((times - 1) // SEAL_MS, kind="stable")
    windows = ((times - 1) // SEAL_MS)[order]
    starts = np.flatnonzero(np.diff(windows, prepend=windows[:1] - 1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), ids.size], strict=True):
        part = order[start:end]
        t0 = int(windows[start]) * SEAL_MS
        some = np.unique(times[part])
        _write(connection, t0, t0 + SEAL_MS, some, _of_samples(ids[part], times[part], values[part]), [], keep_raw)


def _write(
    connection: sqlite3.Connection, t0: int, t1: int, times: Times, groups: Iterable[Group], hot: Sequence[int],
    keep_raw: bool = True,
) -> None:  # fmt: skip
    """Write raw samples of one window with their minute buckets; the hot rows of these numbers go.

    Where samples are stored already in the window, or so soon after it that a counter's next bucket follows on them,
    the buckets are made anew from all samples, after these are written.
    """
    encoder = segments.Encoder(t0, t1, times)
    anew = rebuild.is_needed(connection, t0, t1)
    builder = minutes.Builder(connection, t0, times)
    ids: set[int] = set()
    for group in groups:
        encoder.add(group)
        if anew:
            ids.update(group.ids.tolist())
        else:
            builder.add(group)
    if not ids and not builder.buckets:
        with segments.transaction(connection):
            _forget(connection, hot)
        return
    prepared = encoder.done()
    data = minutes.encode(builder.buckets)
    with segments.transaction(connection):
        if anew:
            counters = minutes.counting(connection, np.array(sorted(ids), dtype=np.int64)).tolist()
            parts = [(some, start, start + SEAL_MS) for some, start in ((ids, t0), (counters, t1))]
            finals = [rebuild.finals(connection, *part) for part in parts]
        number = segments.insert(connection, prepared)
        if anew:
            for part, stay in zip(parts, finals, strict=True):
                rebuild.rebuild(connection, *part, stay)
        else:
            connection.execute("INSERT INTO minutes(segment, t0, t1, data) VALUES(?, ?, ?, ?)", (number, t0, t1, data))
        if not keep_raw:
            segments.remove(connection, number)
        _forget(connection, hot)


def _forget(connection: sqlite3.Connection, hot: Sequence[int]) -> None:
    for first, last in _runs(hot):
        connection.execute("DELETE FROM hot WHERE seq BETWEEN ? AND ?", (first, last))


def _next_window(connection: sqlite3.Connection, before_ms: int) -> int | None:
    """The number of the oldest window to seal. Reading all times would cost more than the rest of a look."""
    oldest, newest = connection.execute("SELECT min(seq), max(seq) FROM hot").fetchone()
    if oldest is None:
        return None
    (ts,) = connection.execute("SELECT ts FROM hot WHERE seq = ?", (oldest,)).fetchone()
    if not _over(ts, before_ms) and newest - oldest < _MANY:
        return None
    past, beyond = connection.execute(
        "SELECT min(ts), min(ts) FILTER (WHERE ts > ?) FROM hot", ((before_ms // SEAL_MS + 2) * SEAL_MS,)
    ).fetchone()
    for ts in (past, beyond):
        if ts is not None and _over(ts, before_ms):
            return int((ts - 1) // SEAL_MS)
    return None


def _over(ts: int, before_ms: int) -> bool:
    window, now = (ts - 1) // SEAL_MS, before_ms // SEAL_MS
    return window < now or window > now + 1


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges."""
    column = np.array(numbers, dtype=np.int64)
    ends = np.flatnonzero(np.diff(column) != 1)
    yield from zip(column[[0, *(ends + 1)]].tolist(), column[[*ends, -1]].tolist(), strict=True) if numbers else ()


def _of_samples(ids: Ids, times: Times, values: Values) -> Iterator[Group]:
    all_times, columns = np.unique(times, return_inverse=True)
    all_ids, rows = np.unique(ids, return_inverse=True)
    most = max(1, _CELLS // all_times.size)
    for start in range(0, all_ids.size, most):
        some = all_ids[start : start + most]
        here = slice(None) if some.size == all_ids.size else (rows >= start) & (rows < start + most)
        matrix = np.zeros((some.size, all_times.size))
        present = np.zeros(matrix.shape, np.bool_)
        matrix[rows[here] - start, columns[here]] = values[here]
        present[rows[here] - start, columns[here]] = True
        yield from segments.grouped(some, all_times, present, matrix)


class _Shape:
    """Hot rows of the same layouts."""

    def __init__(self, ids: Ids | None) -> None:
        self.lost = ids is None  # which series they are of
        self.ids = np.empty(0, np.int64) if ids is None else ids
        self.rows: list[int] = []  # their places among all rows, in order of arrival
        self.data = bytearray()  # their values, one row after the other

    @property
    def values(self) -> Values:
        """A row for each row, a column for each series."""
        return np.frombuffer(self.data, "<f8").reshape(len(self.rows), self.ids.size)


class _Rows:
    """The hot rows of one window."""

    def __init__(self, connection: sqlite3.Connection, t0: int, t1: int) -> None:
        self.numbers: list[int] = []
        self._shapes: list[_Shape] = []
        times: list[int] = []
        known: set[int] = set()
        by_layouts: dict[bytes, _Shape] = {}
        doubled = False
        for number, ts, layouts, data in connection.execute(
            'SELECT seq, ts, layouts, "values" FROM hot WHERE ts > ? AND ts <= ? ORDER BY seq', (t0, t1)
        ):
            self.numbers.append(number)
            doubled |= ts in known
            shape = by_layouts.get(layouts)
            if shape is None or (doubled and shape is not self._shapes[-1]):  # the last one that arrived wins
                shape = by_layouts[layouts] = _Shape(_series_of(connection, layouts))
                self._shapes.append(shape)
            if shape.lost or len(data) != shape.ids.size * 8:
                _log.warning("the batch of %d ms is lost: its values do not fit the series that it names", ts)
                continue
            known.add(ts)
            shape.rows.append(len(times))
            shape.data += data
            times.append(ts)
        self.times, self._columns = np.unique(np.array(times, dtype=np.int64), return_inverse=True)

    def groups(self) -> Iterator[Group]:
        """Their samples."""
        if not self._shapes:
            return
        all_ids = np.unique(np.concatenate([shape.ids for shape in self._shapes]))
        most = max(1, _CELLS // self.times.size)
        for start in range(0, all_ids.size, most):
            some = all_ids[start : start + most]
            matrix = np.zeros((self.times.size, some.size))
            present = np.zeros(matrix.shape, np.bool_)
            for shape in self._shapes:
                _place(shape, self._columns[shape.rows], some, matrix, present)
            yield from segments.grouped(some, self.times, present.T, np.ascontiguousarray(matrix.T))


def _place(shape: _Shape, rows: NDArray[np.intp], ids: Ids, matrix: Values, present: Flags) -> None:
    here = np.searchsorted(ids, shape.ids)
    within = here < ids.size
    within[within] = ids[here[within]] == shape.ids[within]
    if within.any():
        where = np.ix_(rows, here[within])
        matrix[where] = shape.values if within.all() else shape.values[:, within]
        present[where] = True


def _series_of(connection: sqlite3.Connection, layouts: bytes) -> Ids | None:
    parts = []
    for number in np.frombuffer(layouts, "<i4").tolist():
        found = connection.execute("SELECT series FROM layout WHERE id = ?", (number,)).fetchone()
        if found is None:
            return None
        parts.append(np.frombuffer(found[0], "<i4"))
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
