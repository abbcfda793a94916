"""Hot rows of a window that is over become a segment, one column for each series."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from bongsu.store import minutes, segments
from bongsu.store.schema import SEAL_MS
from bongsu.store.segments import Flags, Group, Ids
from bongsu.store.series import Times, Values

_log = logging.getLogger("bongsu.store")
_CELLS = 2_000_000  # values in memory at once, beside the rows as they were read
_MANY = 1500  # rows; so many of one window there are not at 1 Hz: look whether older ones stand behind the first


def seal(connection: sqlite3.Connection, *, before_ms: int) -> bool:
    """Seal the oldest window that ended by ``before_ms``; False if there is none.

    Call it until it returns False, and commit what has come in between. Segment, minute buckets and the end of the hot
    rows are one short transaction; all the work is done before it begins. Windows beyond the next one, of samples that
    a wrong clock has put into the future, are sealed too.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    number = _next_window(connection, before_ms)
    if number is None:
        return False
    t0, t1 = number * SEAL_MS, (number + 1) * SEAL_MS
    rows = connection.execute(
        'SELECT seq, ts, layouts, "values" FROM hot WHERE ts > ? AND ts <= ? ORDER BY seq', (t0, t1)
    ).fetchall()
    groups = list(_of_rows(connection, rows))
    write(connection, t0, t1, groups, hot=[row[0] for row in rows])
    return True


def insert(connection: sqlite3.Connection, ids: Ids, times: Times, values: Values) -> None:
    """Store samples of the past: raw segments, and their minute buckets.

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
        write(connection, t0, t0 + SEAL_MS, list(_of_samples(ids[part], times[part], values[part])), hot=[])


def write(connection: sqlite3.Connection, t0: int, t1: int, groups: Sequence[Group], *, hot: Sequence[int]) -> None:
    """Write raw samples of one window with their minute buckets; the hot rows of these numbers go.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    if groups:
        prepared = segments.prepare(t0, t1, groups)
        buckets = minutes.encode(minutes.build(connection, t0, groups))
    with segments.transaction(connection):
        if groups:
            number = segments.insert(connection, prepared)
            connection.execute(
                "INSERT INTO minutes(segment, t0, t1, data) VALUES(?, ?, ?, ?)", (number, t0, t1, buckets)
            )
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

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.rows: list[int] = []  # their columns in the matrix, in order of arrival
        self.blobs: list[bytes] = []


def _of_rows(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, bytes, bytes]]) -> Iterator[Group]:
    """The samples of hot rows (seq, ts, layouts, values), in order of arrival."""
    all_times, columns = np.unique(np.array([row[1] for row in rows], dtype=np.int64), return_inverse=True)
    doubled = all_times.size < len(rows)
    shapes: list[_Shape] = []
    by_layouts: dict[bytes, _Shape] = {}
    for row, column in zip(rows, columns.tolist(), strict=True):
        shape = by_layouts.get(row[2])
        if shape is None or (doubled and shape is not shapes[-1]):  # keep the order of arrival: the last one wins
            ids = _series_of(connection, row[2])
            if ids is None or len(row[3]) != ids.size * 8:
                _log.warning("the batch of %d ms is lost: its values do not fit the series that it names", row[1])
                continue
            shape = by_layouts[row[2]] = _Shape(ids)
            shapes.append(shape)
        elif len(row[3]) != shape.ids.size * 8:
            _log.warning("the batch of %d ms is lost: its values do not fit the series that it names", row[1])
            continue
        shape.rows.append(column)
        shape.blobs.append(row[3])
    if not shapes:
        return
    all_ids = np.unique(np.concatenate([shape.ids for shape in shapes]))
    most = max(1, _CELLS // all_times.size)
    for start in range(0, all_ids.size, most):
        some = all_ids[start : start + most]
        matrix = np.zeros((all_times.size, some.size))
        present = np.zeros(matrix.shape, np.bool_)
        for shape in shapes:
            _place(shape, some, matrix, present)
        yield from segments.grouped(some, all_times, present.T, np.ascontiguousarray(matrix.T))


def _place(shape: _Shape, ids: Ids, matrix: Values, present: Flags) -> None:
    here = np.searchsorted(ids, shape.ids)
    within = here < ids.size
    within[within] = ids[here[within]] == shape.ids[within]
    if not within.any():
        return
    where = np.ix_(np.array(shape.rows), here[within])
    values = np.frombuffer(b"".join(shape.blobs), "<f8").reshape(len(shape.rows), -1)
    matrix[where] = values if within.all() else values[:, within]
    present[where] = True


def _series_of(connection: sqlite3.Connection, layouts: bytes) -> Ids | None:
    parts = []
    for number in np.frombuffer(layouts, "<i4").tolist():
        found = connection.execute("SELECT series FROM layout WHERE id = ?", (number,)).fetchone()
        if found is None:
            return None
        parts.append(np.frombuffer(found[0], "<i4"))
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
