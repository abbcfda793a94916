"""Answers a board's questions from the disk: a value for each of some hundred moments, and how far it went between."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bongsu.model.metric import BASE_UNITS, Kind, MetricSpec, Vocabulary
from bongsu.model.query import Fold, Query
from bongsu.store.layout.schema import MINUTE_MS, SEAL_MS
from bongsu.store.reading.canvas import Canvas
from bongsu.store.reading.coverage import Coverage
from bongsu.store.reading.index import Entry
from bongsu.store.reading.lines import Lines, as_array, fits
from bongsu.store.reading.reader import Reader, Stored
from bongsu.store.recent import Window
from bongsu.store.series import NAME, Matcher, Op, Tier

_STEPS = (
    *(100, 200, 500),
    *(1000 * n for n in (1, 2, 5, 10, 15, 20, 30)),
    *(MINUTE_MS * n for n in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(60 * MINUTE_MS * n for n in (1, 2, 3, 4, 6, 8, 12, 24)),
)
_DAY = 24 * 60 * MINUTE_MS
_BEFORE = 300_000  # ms that are read before a slice, for the rate at its beginning
_SAMPLES_AT_ONCE = 300_000
_SAME = 0.75  # a clock of 1 s may be a little early: its buckets are of 1 s nevertheless
_LAST_MS = 1 << 53


@dataclass(frozen=True, slots=True)
class Past:
    """The windows of some queries; ``interval`` is the width of a bucket in seconds, ``tier`` what answered most."""

    windows: list[Window]
    interval: float
    tier: Tier


class History:
    """What `recent.Recent` answers for the last hour, for all that is stored. Several threads may ask.

    Each value is of a bucket of time ``(t - interval, t]``, named by its end (the last one by the end of what was
    asked for); buckets begin at multiples of their width, so that an answer a second later has the same ones.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read_all(self, queries: Sequence[Query], since: float, until: float, *, points: int) -> list[Window]:
        """The queries' answers from Unix time ``since`` to ``until`` in at most ``points`` buckets.

        The windows have the same times. A bucket of rates or of AVG is the mean, one of MAX the highest, one of LAST
        the newest. A bucket without a reading is a gap, unless the series is read less often than that.

        Raises:
            ValueError: ``points`` is not positive.
            BadInput, NotKnown: as `Reader`.
        """
        return self.read(queries, since, until, points=points).windows

    def read(self, queries: Sequence[Query], since: float, until: float, *, points: int) -> Past:
        """As `read_all`, with what it was made from."""
        if points < 1:
            raise ValueError("points must be positive")
        reader = self._reader
        span = reader.span()
        start, end = _ms(since), _ms(until)
        if span is not None:
            start = start if math.isfinite(since) else span[0] - 1
            end = end if math.isfinite(until) else span[1]
        if span is None or start >= end:
            return Past([Window(array("d"), {}, {}, {}) for _ in queries], 0.0, Tier.RAW)
        stored = reader.stored(start, end)
        width = _step(max((end - start) / points, stored.spacing * _SAME))
        entries = reader.match([[Matcher(NAME, Op.EQUAL, name)] for name in {query.spec.name for query in queries}])
        by_name: dict[str, list[Entry]] = {}
        for entry in entries:
            by_name.setdefault(dict(entry.labels)[NAME], []).append(entry)
        coarse = width >= MINUTE_MS
        if not coarse and self._lacks_samples(entries, stored, start, end):
            width, coarse = MINUTE_MS, True
        first = start // width * width
        count = -(-(end - first) // width)
        lines = [
            Lines(query, [one for one in by_name.get(query.spec.name, ()) if fits(query, one.labels)],
                  first, width, count)
            for query in queries
        ]  # fmt: skip
        canvas = Canvas(lines, first, width, count)
        if entries:
            self._fill(canvas, entries, stored, first, first + count * width, coarse=coarse)
        times = (first + width * np.arange(1, count + 1)) / 1000.0
        times[-1] = min(times[-1], end / 1000.0)
        shared = as_array(times)
        return Past([one.window(shared) for one in lines], width / 1000.0, Tier.MINUTES if coarse else Tier.RAW)

    def spec(self, name: str) -> MetricSpec | None:
        """What is stored under this name, with the labels that its series have; None if there is none."""
        described = self._reader.describe().get(name)
        if not described:
            return None
        entries = self._reader.match([[Matcher(NAME, Op.EQUAL, name)]])
        labels = sorted({label for entry in entries for label, _ in entry.labels if label != NAME})
        newest = described[-1]
        kind = Kind.COUNTER if newest.kind == Kind.COUNTER.value else Kind.GAUGE
        unit = newest.unit if newest.unit in BASE_UNITS else ""
        return MetricSpec(name, kind, newest.help.strip() or name, tuple(labels), unit, Vocabulary.FILE)

    def _lacks_samples(self, entries: Sequence[Entry], stored: Stored, start: int, end: int) -> bool:
        """Whether some of the time ``(start, end]`` has minutes only."""
        kept = Coverage([*stored.raw, *stored.hot])
        ids = sorted(one for entry in entries for one in entry.ids)
        spans = [(max(t0, start), min(t1, end)) for t0, t1 in stored.minutes]
        for t0, t1 in [span for span in spans if not kept.holds(*span)]:
            for together in self._reader.buckets(ids, t0 + 1, t1, sums=False):
                if any((~kept.has(part.shape.ends)).any() for part in together):
                    return True
        return False

    def _fill(
        self, canvas: Canvas, entries: Sequence[Entry], stored: Stored, start: int, end: int, *, coarse: bool
    ) -> None:
        """Reads ``(start, end]`` slice by slice, so that memory does not grow with the time that is asked for."""
        ids = sorted(one for entry in entries for one in entry.ids)
        if coarse:
            fresh = Coverage(stored.hot)
            sums = any(one.query.fold is Fold.AVG for one in canvas.lines)
            for together in self._reader.buckets(ids, start + 1, end, sums=sums):
                canvas.add_minutes(together, fresh)
        slices = _SAMPLES_AT_ONCE // len(ids) * max(stored.spacing, 1000.0)
        width = max(1, int(slices) // SEAL_MS) * SEAL_MS
        for t0, t1 in stored.hot if coarse else [(start, end)]:
            for begin in range(max(t0, start), min(t1, end), width):
                until = min(begin + width, t1, end)
                found = {one.labels: one for one in self._reader.raw(entries, begin + 1 - _BEFORE, until)}
                for one in canvas.lines:
                    one.add_samples(found, begin, until)


def _ms(seconds: float) -> int:
    return round(min(max(seconds * 1000.0, -_LAST_MS), _LAST_MS))


def _step(least: float) -> int:
    """The width of a bucket, ms: a round one that is at least so wide."""
    return next((step for step in _STEPS if step >= least), math.ceil(least / _DAY) * _DAY)
