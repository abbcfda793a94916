"""Stores samples of the past, all of them or none: series get their ids, and what is there already is left out.

Both tiers answer of the same samples afterwards: `seal.insert` makes the minute buckets that are touched from all raw
samples of their minute. Where raw samples are gone already and a bucket is all that is left, what would change that is
left out: a sample's place among those that are gone cannot be known. It may be one of them, so that it would be counted
twice; or it may stand between two of them, of which a counter's bucket has told the increase. What can come in at such
a time is kept as minutes too: raw samples of some series would be taken for those of all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.model.metric import Kind, Vocabulary
from bongsu.store.layout import minutes, segments
from bongsu.store.layout.schema import MINUTES, RAW, SEAL_MS
from bongsu.store.layout.segments import Flags, Ids
from bongsu.store.moving.spool import Known, Span, Spool
from bongsu.store.series import NAME, Labels, Times
from bongsu.store.writing import rebuild, seal

Progress = Callable[[float], None]  # told the share that is done, 0 to 1
_FOREVER = 2**62


class Added(NamedTuple):
    """What an import changed. ``already`` samples stood there with the same value, ``replaced`` with another.

    ``left_out`` are of minutes, or stand right before some, of which only buckets are kept. ``coarse`` of the samples
    went only into buckets of minutes.
    """

    samples: int
    series: int  # that the store did not have before
    already: int
    replaced: int
    left_out: int = 0
    coarse: int = 0


def add(
    connection: sqlite3.Connection, spool: Spool, *, known: Callable[[str], Known | None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Added:  # fmt: skip
    """Store the spool's samples in one transaction. The caller holds the lock of the writer.

    A metric's kind is what the dump says, else what the store has, else what ``known`` says of its name.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    samples, already, replaced, left_out, coarse, read = 0, 0, 0, 0, 0, 0
    with segments.transaction(connection):
        _seal_between(connection, spool)
        (before,) = connection.execute("SELECT count(*) FROM series").fetchone()
        ids = _Ids(connection, spool, known)
        for span in spool.windows():
            series = ids.of(span.series)
            there, same = _there(connection, series, span)
            excluded = _excluded(connection, series, span.times, ~same)
            fresh = ~same & ~excluded
            if fresh.any():
                bare = _has_only_minutes(connection, int(span.times[0]))
                seal.insert(connection, series[fresh], span.times[fresh], span.values[fresh], keep_raw=not bare)
                coarse += bare * int(np.count_nonzero(fresh))
            samples += int(np.count_nonzero(fresh))
            already += int(np.count_nonzero(same))
            replaced += int(np.count_nonzero(there & fresh))
            left_out += int(np.count_nonzero(excluded))
            read += series.size + span.doubled
            progress(read / max(spool.samples, 1))
        (after,) = connection.execute("SELECT count(*) FROM series").fetchone()
    return Added(samples, after - before, already, replaced, left_out, coarse)


def _seal_between(connection: sqlite3.Connection, spool: Spool) -> None:
    """Hot rows of the spool's times become segments, so that they are older than what comes now."""
    if spool.oldest is None or spool.newest is None:
        return
    question = "SELECT 1 FROM hot WHERE ts BETWEEN ? AND ? LIMIT 1"
    if connection.execute(question, (spool.oldest, spool.newest)).fetchone():
        while seal.seal(connection, before_ms=_FOREVER):
            pass


class _Ids:
    """Finds or makes the rows of metrics and series."""

    def __init__(self, connection: sqlite3.Connection, spool: Spool, known: Callable[[str], Known | None]) -> None:
        self._connection = connection
        self._spool = spool
        self._known = known
        self._labels = spool.labels
        self._ids: dict[int, int] = {}
        self._metrics: dict[str, int] = {}

    def of(self, numbers: NDArray[np.int32]) -> Ids:
        """The ids of series by their numbers in the spool. One without samples never gets a row."""
        found, places = np.unique(numbers, return_inverse=True)
        for number in found.tolist():
            if number not in self._ids:
                self._ids[number] = self._series(self._labels[number])
        ids: Ids = np.array([self._ids[number] for number in found.tolist()], dtype=np.int64)[places]
        return ids

    def _series(self, labels: Labels) -> int:
        own = dict(labels)
        metric = self._metric(own.pop(NAME))
        text = _json(own)
        row = self._connection.execute(
            "SELECT id FROM series WHERE metric = ? AND labels = ?", (metric, text)
        ).fetchone() or self._connection.execute(
            "INSERT INTO series(metric, labels) VALUES(?, ?) RETURNING id", (metric, text)
        ).fetchone()  # fmt: skip
        return int(row[0])

    def _metric(self, name: str) -> int:
        number = self._metrics.get(name)
        if number is None:
            number = self._metrics[name] = self._find_metric(name)
        return number

    def _find_metric(self, name: str) -> int:
        said = self._spool.described(name)
        rows = self._connection.execute("SELECT kind, id FROM metric WHERE name = ? ORDER BY id", (name,)).fetchall()
        there = dict(rows)
        if said.kind is None and rows:
            return int(rows[-1][1])  # the kind that it had last
        guess = self._known(name) or Known()
        kind = said.kind or guess.kind or Kind.UNTYPED
        if kind is Kind.GAUGE and (Kind.INFO.value in there or guess.kind is Kind.INFO):
            kind = Kind.INFO  # the text format has no such type: there it is a gauge
        if kind.value in there:
            return int(there[kind.value])
        (number,) = self._connection.execute(
            "INSERT INTO metric(name, kind, unit, help, vocabulary) VALUES(?, ?, ?, ?, ?) RETURNING id",
            (name, kind.value, said.unit or guess.unit, said.help or guess.help, Vocabulary.FILE.value),
        ).fetchone()
        return int(number)


def _there(connection: sqlite3.Connection, ids: Ids, span: Span) -> tuple[Flags, Flags]:
    """Which samples are stored already with some value, and which with the same."""
    there, same = np.zeros((2, ids.size), np.bool_)
    columns = segments.read(connection, np.unique(ids).tolist(), int(span.times.min()), int(span.times.max()))
    for one, part in _by_series(ids):
        column = columns.get(one)
        if column is None:
            continue
        times, values = span.times[part], span.values[part]
        at = np.minimum(np.searchsorted(column.times, times), column.times.size - 1)
        there[part] = column.times[at] == times
        same[part] = there[part] & (column.values[at].view(np.uint64) == values.view(np.uint64))
    return there, same


def _excluded(connection: sqlite3.Connection, ids: Ids, times: Times, new: Flags) -> Flags:
    """Which of the new samples would change a bucket that can no longer be made from raw samples."""
    excluded = np.zeros(ids.size, np.bool_)
    if new.any():
        t0 = (int(times.min()) - 1) // SEAL_MS * SEAL_MS
        finals = rebuild.finals(connection, np.unique(ids[new]).tolist(), t0, t0 + 2 * SEAL_MS)
        for one, part in _by_series(ids) if finals else ():
            if one in finals:
                excluded[part] = new[part] & rebuild.excluded(times[part], finals[one])
    return excluded


def _has_only_minutes(connection: sqlite3.Connection, time: int) -> bool:
    """Whether the sealing window of this time has minute buckets of some series and raw samples of none."""
    t0 = (time - 1) // SEAL_MS * SEAL_MS
    t1 = t0 + SEAL_MS
    if connection.execute(
        "SELECT 1 FROM segment WHERE tier = ? AND t1 BETWEEN ? AND ? AND t0 < ? LIMIT 1",
        (RAW, t0 + 1, t1 + segments.LONGEST_MS, t1),
    ).fetchone():
        return False
    if connection.execute("SELECT 1 FROM minutes WHERE t1 > ? AND t0 < ? LIMIT 1", (t0, t1)).fetchone():
        return True
    merged = connection.execute(
        "SELECT times FROM segment WHERE tier = ? AND t1 BETWEEN ? AND ? AND first <= ? AND last > ?",
        (MINUTES, t0 + 1, t1 + segments.LONGEST_MS, t1, t0),
    )
    return any(
        ((shape.at > t0) & (shape.at <= t1)).any() for (blob,) in merged for shape in minutes.decode_shapes(blob)
    )


def _by_series(ids: Ids) -> Iterator[tuple[int, slice]]:
    """Where each series stands in a span."""
    starts = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1)).tolist()
    for start, end in zip(starts, [*starts[1:], ids.size], strict=True):
        yield int(ids[start]), slice(start, end)


def _json(labels: Mapping[str, str]) -> str:
    """As `catalogue` writes them."""
    return json.dumps(sorted(labels.items()), ensure_ascii=False, separators=(",", ":"))
