"""The lines of several queries, filled side by side: many series of one shape take few calls of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bongsu.model.query import Fold
from bongsu.store.layout.buckets import HIGH, LAST, LOW, TOTAL, Buckets, Shape
from bongsu.store.layout.minutes import apart
from bongsu.store.reading import moments
from bongsu.store.reading.coverage import Coverage
from bongsu.store.reading.lines import Filled, Lines
from bongsu.store.series import Times, Values

_Places = NDArray[np.intp]
_FOLDS = list(Fold)


class Canvas:
    """The ``lines`` of queries; all have the same ``count`` buckets, see `Lines`."""

    def __init__(self, lines: Sequence[Lines], begin: int, width: int, count: int) -> None:
        self.lines = lines
        self._begin, self._width, self._count = begin, width, count
        self._filled = Filled.empty(sum(map(len, lines)), len(lines), count)
        members: list[tuple[int, int, int]] = []
        at = 0
        for query, one in enumerate(lines):
            one.fill(self._filled.of_query(query, slice(at, at + len(one))))
            members += [(at + line, series, query) for series, line in one.lines.items()]
            at += len(one)
        # each series of each line, by line and id
        self._line, self._series, self._query = np.array(sorted(members), np.int64).reshape(-1, 3).T
        self._fold = np.array([_FOLDS.index(one.query.fold) for one in lines], np.int64)
        self._known: tuple[list[tuple[bool, bytes]], _Plan] | None = None

    def add_minutes(self, together: Sequence[Buckets], but: Coverage) -> None:
        """As `Lines.add_minutes` of each."""
        plan = self._plan(together)
        for one in plan.outer:
            one.outer = True
        for part, strokes in zip(together, plan.strokes, strict=True):
            if strokes:
                columns = self._columns(part.shape, but)
                if columns is not None:
                    for stroke in strokes:
                        self._draw(part, stroke, columns)
        if plan.others:
            found = apart(together)
            for one in plan.others:
                one.add_minutes(found, but)

    def _plan(self, together: Sequence[Buckets]) -> _Plan:
        """How to add these; mostly there are the same series as before."""
        key = [(part.shape.counter, part.ids.tobytes()) for part in together]
        if self._known is None or self._known[0] != key:
            self._known = (key, self._planned(together))
        return self._known[1]

    def _planned(self, together: Sequence[Buckets]) -> _Plan:
        rows, there = [], []
        seen = np.zeros(len(self.lines), np.int64)  # in how many parts a query has series
        simple = np.ones(len(self.lines), np.bool_)
        for part in together:
            row = np.minimum(part.ids.searchsorted(self._series), part.ids.size - 1)
            rows.append(row)
            there.append(part.ids[row] == self._series)
            here = np.unique(self._query[there[-1]])
            seen[here] += 1
            if part.shape.counter:  # of which seldom anything but rates is asked
                simple[here] &= self._fold[here] == _FOLDS.index(Fold.RATE)
        simple &= seen == 1  # others have to be brought to common times
        plan = _Plan([], [self.lines[query] for query in np.flatnonzero((seen > 0) & ~simple).tolist()], [])
        for row, here in zip(rows, there, strict=True):
            found = here & simple[self._query]
            strokes = []
            for number in np.unique(self._fold[self._query[found]]).tolist():
                some = np.flatnonzero(found & (self._fold[self._query] == number))
                line, sizes = np.unique(self._line[some], return_counts=True)
                several = np.repeat(sizes > 1, sizes)
                outer = np.unique(self._query[some[several]])
                plan.outer.extend(self.lines[query] for query in outer.tolist())
                alone, summed = some[~several], some[several]
                sums = np.cumsum(sizes[sizes > 1]) - sizes[sizes > 1]
                strokes.append(_Stroke(
                    _FOLDS[number], np.unique(self._query[some]), row[alone], row[summed], sums,
                    np.concatenate([line[sizes == 1], line[sizes > 1]]),
                ))  # fmt: skip
            plan.strokes.append(strokes)
        return plan

    def _columns(self, shape: Shape, but: Coverage) -> _Columns | None:
        """Which of the shape's minutes are drawn, and where; None for none."""
        place = (shape.ends - self._begin - 1) // self._width
        some = np.flatnonzero(~but.has(shape.ends) & (place >= 0) & (place < self._count))
        if not some.size:
            return None
        place = place[some]
        starts = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
        return _Columns(some, starts, np.append(starts[1:], some.size) - 1, place[starts], moments.spacing(shape.ends))

    def _draw(self, part: Buckets, stroke: _Stroke, columns: _Columns) -> None:
        filled, buckets, starts = self._filled, columns.buckets, columns.starts
        value, low, high = stroke.layers(part, columns.some)
        known = ~np.isnan(value)
        whole = bool(known.all())
        at = np.ix_(stroke.lines, buckets)
        with np.errstate(invalid="ignore"):
            if stroke.fold in (Fold.RATE, Fold.AVG):
                filled.sum[at] += np.add.reduceat(value if whole else np.where(known, value, 0.0), starts, axis=1)
            filled.low[at] = np.fmin(filled.low[at], np.fmin.reduceat(low, starts, axis=1))
            filled.high[at] = np.fmax(filled.high[at], np.fmax.reduceat(high, starts, axis=1))
        if whole:
            filled.number[at] += (columns.lasts - starts + 1).astype(np.int32)
            filled.ends_known[at] = True
        else:
            filled.number[at] += np.add.reduceat(known, starts, axis=1, dtype=np.int32)
            filled.ends_known[at] = known[:, columns.lasts]
        if stroke.fold is Fold.LAST:
            if whole:
                filled.last[at] = value[:, columns.lasts]
            else:
                newest = np.maximum.reduceat(np.where(known, np.arange(known.shape[1]), -1), starts, axis=1)
                last = np.take_along_axis(value, np.maximum(newest, 0), axis=1)
                filled.last[at] = np.where(newest >= 0, last, filled.last[at])
        filled.newest[np.ix_(stroke.queries, buckets)] = part.shape.ends[columns.some[columns.lasts]]
        if columns.spacing:
            filled.spacing[stroke.queries] = columns.spacing


@dataclass(frozen=True, slots=True)
class _Columns:
    """Some minutes of a shape: where each bucket of the canvas starts and ends among them, and which it is."""

    some: _Places
    starts: _Places
    lasts: _Places
    buckets: Times
    spacing: float


@dataclass(frozen=True, slots=True)
class _Stroke:
    """Lines of one fold that are drawn from one part: those of one series first, then those that are ``sums``."""

    fold: Fold
    queries: NDArray[np.int64]
    alone: _Places  # rows of the part
    summed: _Places
    sums: _Places  # where among these each sum starts
    lines: NDArray[np.int64]

    def layers(self, part: Buckets, some: _Places) -> tuple[Values, Values, Values]:
        """Value, low and high of each line at these minutes."""
        shape, fields = part.shape, part.fields
        if self.fold is Fold.RATE and not shape.counter:
            value = self._minutely(part)[:, some]
            return value, (nothing := np.full(value.shape, np.nan)), nothing
        if some.size < shape.ends.size:
            fields = fields[:, :, some]
        middle = fields[_MIDDLE[self.fold]]
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.fold is Fold.RATE:
                middle = middle / (shape.covered[some] / 1000.0)
            elif self.fold is Fold.AVG:
                middle = middle / shape.counts[some]
        return self._lines(middle), self._lines(fields[LOW]), self._lines(fields[HIGH])

    def _minutely(self, part: Buckets) -> Values:
        """Rates from minute to minute: what is not known to be a counter has no others."""
        rows = np.concatenate([self.alone, self.summed])
        rates, anew = moments.rates(part.shape.at, moments.quiet(part.fields[LAST, rows]))
        if not self.sums.size:
            return rates
        alone = self.alone.size
        sums = _sums(rates[alone:], self.sums)
        sums[np.logical_or.reduceat(anew[alone:], self.sums, axis=0)] = np.nan
        return np.concatenate([rates[:alone], sums])

    def _lines(self, values: Values) -> Values:
        alone: Values = values[self.alone]
        return np.concatenate([alone, _sums(values[self.summed], self.sums)]) if self.sums.size else alone


@dataclass(frozen=True, slots=True)
class _Plan:
    """For each part what is drawn from it; the queries for which that is not so simple; those whose bands are outer."""

    strokes: list[list[_Stroke]]
    others: list[Lines]
    outer: list[Lines]


_MIDDLE = {Fold.RATE: TOTAL, Fold.AVG: TOTAL, Fold.MAX: HIGH, Fold.LAST: LAST}


def _sums(values: Values, starts: _Places) -> Values:
    """Sums of what is known of the rows, NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        if known.all():
            whole: Values = np.add.reduceat(values, starts, axis=0)
            return whole
        sums: Values = np.add.reduceat(np.where(known, values, 0.0), starts, axis=0)
    sums[~np.logical_or.reduceat(known, starts, axis=0)] = np.nan
    return sums
