"""Stores samples of the past, all of them or none: series get their ids, and what is there already is left out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.model.metric import Kind, Vocabulary
from bongsu.store.layout import segments
from bongsu.store.moving.spool import Known, Span, Spool
from bongsu.store.series import NAME, Labels
from bongsu.store.writing import seal

Progress = Callable[[float], None]  # told the share that is done, 0 to 1


class Added(NamedTuple):
    """What an import changed. ``already`` samples stood there with the same value, ``replaced`` with another."""

    samples: int
    series: int  # that the store did not have before
    already: int
    replaced: int


def add(
    connection: sqlite3.Connection, spool: Spool, *, known: Callable[[str], Known | None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Added:  # fmt: skip
    """Store the spool's samples in one transaction. The caller holds the lock of the writer.

    A metric's kind is what the dump says, else what the store has, else what ``known`` says of its name.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    done = Added(0, 0, 0, 0)
    with segments.transaction(connection):
        (before,) = connection.execute("SELECT count(*) FROM series").fetchone()
        ids = _Ids(connection, spool, known)
        read = 0
        for span in spool.windows():
            series = ids.of(span.series)
            fresh, already, replaced = _fresh(connection, series, span)
            if fresh.any():
                seal.insert(connection, series[fresh], span.times[fresh], span.values[fresh])
            done = Added(
                done.samples + int(np.count_nonzero(fresh)), 0, done.already + already, done.replaced + replaced
            )
            read += len(fresh) + span.doubled
            progress(read / max(spool.samples, 1))
        (after,) = connection.execute("SELECT count(*) FROM series").fetchone()
    return done._replace(series=after - before)


class _Ids:
    """Finds or makes the rows of metrics and series."""

    def __init__(self, connection: sqlite3.Connection, spool: Spool, known: Callable[[str], Known | None]) -> None:
        self._connection = connection
        self._spool = spool
        self._known = known
        self._labels = spool.labels
        self._ids: dict[int, int] = {}
        self._metrics: dict[str, int] = {}

    def of(self, numbers: NDArray[np.int32]) -> NDArray[np.int64]:
        """The ids of series by their numbers in the spool. One without samples never gets a row."""
        found, places = np.unique(numbers, return_inverse=True)
        for number in found.tolist():
            if number not in self._ids:
                self._ids[number] = self._series(self._labels[number])
        ids: NDArray[np.int64] = np.array([self._ids[number] for number in found.tolist()], dtype=np.int64)[places]
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


def _fresh(connection: sqlite3.Connection, ids: NDArray[np.int64], span: Span) -> tuple[NDArray[np.bool_], int, int]:
    """Which samples are not stored already, how many are, and how many are with another value (the new one holds)."""
    fresh = np.ones(len(ids), dtype=np.bool_)
    replaced = 0
    columns = segments.read(connection, np.unique(ids).tolist(), int(span.times.min()), int(span.times.max()))
    if not columns:
        return fresh, 0, 0
    places = np.flatnonzero(np.diff(span.series, prepend=span.series[:1] - 1))
    for start, end in zip(places.tolist(), [*places[1:].tolist(), len(ids)], strict=True):
        column = columns.get(int(ids[start]))
        if column is None:
            continue
        times, values = span.times[start:end], span.values[start:end]
        at = np.minimum(np.searchsorted(column.times, times), column.times.size - 1)
        there = column.times[at] == times
        same = there & (column.values[at].view(np.uint64) == values.view(np.uint64))
        fresh[start:end] = ~same
        replaced += int(np.count_nonzero(there & ~same))
    return fresh, int(len(fresh) - np.count_nonzero(fresh)), replaced


def _json(labels: Mapping[str, str]) -> str:
    """As `catalogue` writes them."""
    return json.dumps(sorted(labels.items()), ensure_ascii=False, separators=(",", ":"))
