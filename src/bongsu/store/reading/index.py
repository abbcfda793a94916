"""Which series the store has, found by their labels: a copy of the file's catalogue in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bongsu.store import regex
from bongsu.store.layout.catalogue import Unsaved
from bongsu.store.series import NAME, Labels, Matcher, Op

Ids = NDArray[np.int32]


@dataclass(slots=True)
class Entry:
    """One set of labels, and the ids of the series that have it: more than one where a metric changed its kind."""

    labels: Labels
    ids: tuple[int, ...]
    metrics: tuple[int, ...]  # the metric of each id


@dataclass(slots=True)
class Index:
    """The series, by labels and by id. Not for two threads at once: whoever owns it holds its own lock."""

    entries: list[Entry] = field(default_factory=list)
    kinds: dict[int, str] = field(default_factory=dict)  # of a metric, by its id
    _names: dict[int, str] = field(default_factory=dict)
    _by_id: dict[int, int] = field(default_factory=dict)
    _by_labels: dict[Labels, int] = field(default_factory=dict)
    _postings: dict[str, dict[str, set[int]]] = field(default_factory=dict)  # label → value → places in entries
    _layouts: dict[int, Ids] = field(default_factory=dict)
    _seen: tuple[int, int] = (0, 0)  # number and highest id of the series in the file

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Take in what is new in the file. Names of an id never change."""
        count, highest = connection.execute("SELECT count(*), ifnull(max(id), 0) FROM series").fetchone()
        if (count, highest) != self._seen:
            self._read_metrics(connection)
            after = self._seen[1] if count - self._seen[0] == self._newer(connection) else 0
            for number, metric, labels in connection.execute(
                "SELECT id, metric, labels FROM series WHERE id > ? ORDER BY id", (after,)
            ):
                if number not in self._by_id:
                    self._add(number, metric, labels)
            self._seen = (count, highest)

    def add(self, unsaved: Unsaved) -> None:
        """Take in what the file does not have yet."""
        for metric, row in unsaved.metrics.items():
            self._names[metric], self.kinds[metric] = row.name, row.kind
        for number, series in unsaved.series.items():
            if number not in self._by_id and series.metric in self._names:
                self._add(number, series.metric, series.labels)
        for number, blob in unsaved.layouts.items():
            if number not in self._layouts:
                self._layouts[number] = _ids(blob)

    def layout(self, connection: sqlite3.Connection, number: int) -> Ids | None:
        """The ids of a layout's series, in order; None if there is no such layout."""
        found = self._layouts.get(number)
        if found is None:
            row = connection.execute("SELECT series FROM layout WHERE id = ?", (number,)).fetchone()
            if row is None:
                return None
            found = self._layouts[number] = _ids(row[0])
        return found

    def match(self, matchers: Sequence[Matcher]) -> list[Entry]:
        """The series that fit all matchers.

        Raises:
            BadInput: a pattern is not understood.
        """
        found: set[int] | None = None
        away: list[set[int]] = []
        tests = [(matcher, regex.tester(matcher)) for matcher in matchers]
        for matcher, fits in tests:
            values = self._postings.get(matcher.name, {})
            if not fits(""):
                got = _union(values, matcher)
                found = got if found is None else found & got
                if not found:
                    return []
            elif matcher.op is Op.NOT_EQUAL:
                away.append(values.get(matcher.value, set()))
            else:
                away += [places for value, places in values.items() if not fits(value)]
        if found is None:
            found = set(range(len(self.entries)))
        for places in away:
            found = found - places
        return [self.entries[place] for place in sorted(found)]

    def _newer(self, connection: sqlite3.Connection) -> int:
        (count,) = connection.execute("SELECT count(*) FROM series WHERE id > ?", (self._seen[1],)).fetchone()
        return int(count)

    def _read_metrics(self, connection: sqlite3.Connection) -> None:
        for number, name, kind in connection.execute("SELECT id, name, kind FROM metric"):
            self._names[number], self.kinds[number] = name, kind

    def _add(self, number: int, metric: int, text: str) -> None:
        pairs: list[tuple[str, str]] = [(NAME, self._names[metric])]
        pairs += [(name, value) for name, value in json.loads(text)]
        labels = tuple(sorted(pairs))
        place = self._by_labels.get(labels)
        if place is not None:
            entry = self.entries[place]
            self.entries[place] = Entry(labels, (*entry.ids, number), (*entry.metrics, metric))
        else:
            place = self._by_labels[labels] = len(self.entries)
            self.entries.append(Entry(labels, (number,), (metric,)))
            for name, value in labels:
                self._postings.setdefault(name, {}).setdefault(value, set()).add(place)
        self._by_id[number] = place


def _union(values: Mapping[str, set[int]], matcher: Matcher) -> set[int]:
    """Places of the series whose value fits; the empty value does not."""
    wanted: Collection[str] | None = None
    if matcher.op is Op.EQUAL:
        wanted = (matcher.value,)
    elif matcher.op is Op.MATCH:
        wanted = regex.pattern(matcher.value).literals
    if wanted is None:
        fits = regex.tester(matcher)
        chosen = [places for value, places in values.items() if fits(value)]
    else:
        chosen = [values[value] for value in wanted if value in values]
    return chosen[0] if len(chosen) == 1 else set().union(*chosen)


def _ids(blob: bytes) -> Ids:
    return np.frombuffer(blob, dtype="<i4")
