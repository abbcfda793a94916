"""Which id each metric, series and layout has: known in memory, so that taking a batch never waits for the disk."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bongsu.model.metric import MetricSpec
from bongsu.model.utf8 import valid_text
from bongsu.store.layout import hot


class MetricRow(NamedTuple):
    """A row of the table ``metric``."""

    name: str
    kind: str
    unit: str
    help: str
    vocabulary: str


class SeriesRow(NamedTuple):
    """A row of the table ``series``; ``labels`` is the JSON text that stands there."""

    metric: int
    labels: str


class Stored(NamedTuple):
    """The ids that the file has."""

    metrics: set[int]
    series: set[int]
    layouts: set[int]

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Stored:
        """Ask the file."""
        metrics, series, layouts = (
            {number for (number,) in connection.execute(question)}
            for question in ("SELECT id FROM metric", "SELECT id FROM series", "SELECT id FROM layout")
        )
        return cls(metrics, series, layouts)


NOTHING = Stored(set(), set(), set())


@dataclass(slots=True)
class Unsaved:
    """What was named since the newest commit, by id. Readers need it for rows that are not committed either."""

    metrics: dict[int, MetricRow] = field(default_factory=dict)
    series: dict[int, SeriesRow] = field(default_factory=dict)
    layouts: dict[int, bytes] = field(default_factory=dict)  # int32 series ids, as in the table

    def copy(self) -> Unsaved:
        """The same, that further names do not change."""
        return Unsaved(dict(self.metrics), dict(self.series), dict(self.layouts))

    def __bool__(self) -> bool:
        return bool(self.metrics or self.series or self.layouts)

    def save(self, connection: sqlite3.Connection) -> None:
        """Write it; to be called within the transaction of the rows that use it."""
        if not self:
            return
        connection.executemany(
            "INSERT INTO metric(id, name, kind, unit, help, vocabulary) VALUES(?, ?, ?, ?, ?, ?) "
            "ON CONFLICT(id) DO UPDATE SET unit = excluded.unit, help = excluded.help, vocabulary = excluded.vocabulary",
            [(number, *row) for number, row in self.metrics.items()],
        )
        connection.executemany(
            "INSERT OR IGNORE INTO series(id, metric, labels) VALUES(?, ?, ?)",
            [(number, *row) for number, row in self.series.items()],
        )
        connection.executemany("INSERT OR IGNORE INTO layout(id, series) VALUES(?, ?)", self.layouts.items())


class Catalogue:
    """Gives ids, and remembers which of them the file does not have yet.

    Not for two threads at once: whoever owns it holds its own lock. ``target`` are the labels that every series gets
    besides its own, as Prometheus gives them to a target: a label of its own with such a name becomes ``exported_…``.
    """

    def __init__(self, target: Mapping[str, str]) -> None:
        self._target = {name: value for name, value in target.items() if value}
        self._metric_of: dict[MetricSpec, int] = {}
        self._kinds: dict[str, dict[str, int]] = {}  # metric name → kind → id
        self._metrics: dict[int, MetricRow] = {}
        self._ids: dict[SeriesRow, int] = {}
        self._series: dict[int, SeriesRow] = {}
        self._layout_ids: dict[bytes, int] = {}
        self._layouts: dict[int, bytes] = {}
        self._last = {"metric": 0, "series": 0, "layout": 0}
        self.unsaved = Unsaved()

    def __len__(self) -> int:
        """How many series are known."""
        return len(self._series)

    def load(self, connection: sqlite3.Connection) -> None:
        """Read what the file has. What is known already keeps its id, and is unsaved where the file lacks it."""
        for number, *row in connection.execute("SELECT id, name, kind, unit, help, vocabulary FROM metric"):
            self._know_metric(number, MetricRow(*row))
        for number, metric, labels in connection.execute("SELECT id, metric, labels FROM series"):
            series = SeriesRow(metric, labels)
            self._ids[series] = number
            self._series[number] = series
        for number, blob in connection.execute("SELECT id, series FROM layout"):
            self._layout_ids[blob] = number
            self._layouts[number] = blob
        for table, known in (("metric", self._metrics), ("series", self._series), ("layout", self._layouts)):
            given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
            self._last[table] = max(self._last[table], given[0] if given else 0, max(known, default=0))

    def series(self, spec: MetricSpec, labels: tuple[str, ...]) -> int:
        """The id of a series, given now if it has none.

        Raises:
            ValueError: there are more or fewer labels than the metric has.
        """
        metric = self._metric_of.get(spec)
        if metric is None:
            metric = self._metric_of[spec] = self._metric(spec)
        row = SeriesRow(metric, self._complete(spec.labels, labels))
        number = self._ids.get(row)
        if number is None:
            number = self._ids[row] = self._next("series")
            self._series[number] = self.unsaved.series[number] = row
        return number

    def layout(self, series: Iterable[int]) -> int:
        """The id of a layout, given now if it has none."""
        blob = hot.pack_ids(array("i", series))
        number = self._layout_ids.get(blob)
        if number is None:
            number = self._layout_ids[blob] = self._next("layout")
            self._layouts[number] = self.unsaved.layouts[number] = blob
        return number

    def layout_length(self, number: int) -> int | None:
        """How many series a layout has; None if there is no such layout."""
        blob = self._layouts.get(number)
        return None if blob is None else len(blob) // hot.ID_BYTES

    def twins(self, number: int) -> tuple[int, ...]:
        """The other series of the same name and labels: there are some where a metric has changed its kind."""
        metric, labels = self._series[number]
        kinds = self._kinds[self._metrics[metric].name]
        if len(kinds) == 1:
            return ()
        found = (self._ids.get(SeriesRow(other, labels)) for other in kinds.values() if other != metric)
        return tuple(other for other in found if other is not None)

    def saved(self, written: Unsaved) -> None:
        """Take note that a copy of ``unsaved`` stands in the file now."""
        for now, then in (
            (self.unsaved.metrics, written.metrics),
            (self.unsaved.series, written.series),
            (self.unsaved.layouts, written.layouts),
        ):
            for number, row in then.items():
                if now.get(number) == row:
                    del now[number]

    def forget(self, stored: Stored, *, used_layouts: Iterable[int]) -> None:
        """Take note that the file has only this any more.

        What the given layouts use is named again (it becomes unsaved under the id that it had); the rest is
        forgotten, so that it gets a new id should it come back.
        """
        used = {number for number in used_layouts if number in self._layouts}
        needed = {one for number in used for one in hot.unpack_ids(self._layouts[number])}
        unsaved = self.unsaved
        for number in [n for n in self._layouts if n not in stored.layouts and n not in unsaved.layouts]:
            if number in used:
                unsaved.layouts[number] = self._layouts[number]
            else:
                del self._layout_ids[self._layouts.pop(number)]
        for number in [n for n in self._series if n not in stored.series and n not in unsaved.series]:
            if number in needed:
                unsaved.series[number] = self._series[number]
            else:
                del self._ids[self._series.pop(number)]
        lost = [n for n in self._metrics if n not in stored.metrics and n not in unsaved.metrics]
        metrics = {row.metric for row in self._series.values()} if lost else set()
        for number in lost:
            if number in metrics:
                unsaved.metrics[number] = self._metrics[number]
            else:
                row = self._metrics.pop(number)
                del self._kinds[row.name][row.kind]
        if lost:
            self._metric_of = {spec: number for spec, number in self._metric_of.items() if number in self._metrics}

    def _metric(self, spec: MetricSpec) -> int:
        row = MetricRow(spec.name, spec.kind.value, spec.unit, spec.help, spec.vocabulary.value)
        number = self._kinds.get(row.name, {}).get(row.kind)
        if number is None:
            number = self._next("metric")
        elif self._metrics[number] == row:
            return number
        self._know_metric(number, row)
        self.unsaved.metrics[number] = row
        return number

    def _know_metric(self, number: int, row: MetricRow) -> None:
        self._metrics[number] = row
        self._kinds.setdefault(row.name, {})[row.kind] = number

    def _next(self, table: str) -> int:
        self._last[table] += 1
        return self._last[table]

    def _complete(self, names: tuple[str, ...], values: tuple[str, ...]) -> str:
        own = {name: value for name, value in zip(names, values, strict=True) if value}
        labels = dict(self._target)
        for name, value in own.items():
            free = name
            while free in labels or (free != name and free in own):
                free = f"exported_{free}"
            labels[free] = valid_text(value)
        return json.dumps(sorted(labels.items()), ensure_ascii=False, separators=(",", ":"))
