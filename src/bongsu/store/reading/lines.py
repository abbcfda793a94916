"""Lines of a chart as they are filled, slice by slice, from what series say at each moment."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.model.query import Fold, Query
from bongsu.store.layout.minutes import Minutes
from bongsu.store.reading import moments
from bongsu.store.reading.coverage import Coverage
from bongsu.store.reading.index import Entry
from bongsu.store.reading.moments import Moments
from bongsu.store.recent import Window
from bongsu.store.series import Labels, Series, Times, Values

Group = tuple[str, ...]


class Filled(NamedTuple):
    """What has come together of lines: a row for each in ``count`` buckets. The last two are of each query."""

    sum: Values
    number: NDArray[np.int32]
    low: Values
    high: Values
    last: Values
    ends_known: NDArray[np.bool_]  # the bucket's last moment is known
    newest: Times  # each bucket's last moment; 0 for none
    spacing: Values  # the usual time between two moments, ms; 0 where it cannot be told

    @classmethod
    def empty(cls, lines: int, queries: int, count: int) -> Filled:
        """Nothing yet."""
        shape = (lines, count)
        low, high, last = np.full((3, *shape), np.nan)
        return cls(
            np.zeros(shape), np.zeros(shape, np.int32), low, high, last, np.zeros(shape, np.bool_),
            np.zeros((queries, count), np.int64), np.zeros(queries),
        )  # fmt: skip

    def of_query(self, query: int, lines: slice) -> Filled:
        """The same places in memory, for one query only."""
        return Filled(
            self.sum[lines], self.number[lines], self.low[lines], self.high[lines], self.last[lines],
            self.ends_known[lines], self.newest[query : query + 1], self.spacing[query : query + 1],
        )  # fmt: skip


class Lines:
    """The lines of one query, which sums series by some of their labels, in ``count`` buckets of time.

    Bucket i is of ``(begin + i * width, begin + (i + 1) * width]``, Unix ms. Give the slices in their order.
    ``lines`` has the number of each series' line, by id.
    """

    def __init__(self, query: Query, entries: Sequence[Entry], begin: int, width: int, count: int) -> None:
        self.query = query
        self.outer = False
        self._begin, self._width, self._count = begin, width, count
        numbers: dict[Group, int] = {}
        self._line_of: dict[Labels, int] = {}
        self.lines: dict[int, int] = {}
        for entry in entries:
            line = numbers.setdefault(_group(query, entry.labels), len(numbers))
            self._line_of[entry.labels] = line
            self.lines.update(dict.fromkeys(entry.ids, line))
        self._groups = list(numbers)
        self._filled = Filled.empty(0, 1, 0)

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._groups)

    def fill(self, filled: Filled) -> None:
        """Where what comes is kept, before any comes."""
        self._filled = filled

    def add_samples(self, found: Mapping[Labels, Series], after: int, until: int) -> None:
        """Take in samples as they were read, those in ``(after, until]``; earlier ones are for rates only."""
        series = [(line, found[labels]) for labels, line in self._line_of.items() if labels in found]
        made = moments.of_samples(series, self.query.fold)
        if made is not None:
            low, high = np.searchsorted(made.times, (after, until), "right").tolist()
            self._add(made, np.arange(low, high))

    def add_minutes(self, found: Mapping[int, Minutes], but: Coverage) -> None:
        """Take in minute buckets, leaving out those that end in ``but``."""
        series = [(self.lines[one], column) for one, column in found.items() if one in self.lines]
        made = moments.of_minutes(series, self.query.fold)
        if made is not None:
            self.outer |= made.lines.size < len(series)
            self._add(made, np.flatnonzero(~but.has(made.times)))

    def window(self, times: array[float]) -> Window:
        """What has come together; lines without any value are left out."""
        filled = self._filled
        with np.errstate(invalid="ignore", divide="ignore"):
            values = {Fold.LAST: filled.last, Fold.MAX: filled.high}.get(self.query.fold)
            if values is None:
                values = filled.sum / filled.number
        shown = np.flatnonzero(filled.number.any(axis=1)).tolist()
        rows, low, high = (
            {self._groups[line]: as_array(held[line]) for line in shown}
            for held in map(self._held, (values, filled.low, filled.high))
        )
        return Window(times, rows, low, high, self.outer)

    def _add(self, made: Moments, some: NDArray[np.intp]) -> None:
        place = (made.times[some] - self._begin - 1) // self._width
        inside = (place >= 0) & (place < self._count)
        some, place = some[inside], place[inside]
        if not some.size:
            return
        filled = self._filled
        filled.spacing[0] = made.spacing or filled.spacing[0]
        starts = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
        ends = np.append(starts[1:], some.size) - 1
        buckets = place[starts]
        at = np.ix_(made.lines, buckets)
        value = made.value[:, some]
        known = ~np.isnan(value)
        with np.errstate(invalid="ignore"):
            filled.sum[at] += np.add.reduceat(np.where(known, value, 0.0), starts, axis=1)
            filled.low[at] = np.fmin(filled.low[at], np.fmin.reduceat(made.low[:, some], starts, axis=1))
            filled.high[at] = np.fmax(filled.high[at], np.fmax.reduceat(made.high[:, some], starts, axis=1))
        filled.number[at] += np.add.reduceat(known, starts, axis=1, dtype=np.int32)
        newest = np.maximum.reduceat(np.where(known, np.arange(some.size), -1), starts, axis=1)
        last = np.take_along_axis(value, np.maximum(newest, 0), axis=1)
        filled.last[at] = np.where(newest >= 0, last, filled.last[at])
        filled.ends_known[at] = known[:, ends]
        filled.newest[0, buckets] = made.times[some[ends]]

    def _held(self, values: Values) -> Values:
        """What is read less often than a bucket is long stands until it is read again."""
        spacing, newest = float(self._filled.spacing[0]), self._filled.newest[0]
        if spacing <= self._width / 2:
            return values
        before = np.maximum.accumulate(np.where(newest > 0, np.arange(self._count), -1))
        there = before >= 0
        from_where = np.maximum(before, 0)
        begins = self._begin + self._width * np.arange(self._count)
        there &= begins - newest[from_where] < moments.HELD * spacing
        held: Values = np.where(there & self._filled.ends_known[:, from_where], values[:, from_where], values)
        return held


def fits(query: Query, labels: Labels) -> bool:
    """Whether a stored series is one that the query asks for."""
    own = dict(labels)
    return all(_value(query, own, name) == value for name, value in query.where) and all(
        _value(query, own, name) != value for name, value in query.where_not
    )


def as_array(values: Times | Values) -> array[float]:
    """The values as an array of doubles."""
    made = array("d")
    made.frombytes(np.ascontiguousarray(values, np.float64).tobytes())
    return made


def _group(query: Query, labels: Labels) -> Group:
    own = dict(labels)
    return tuple(_value(query, own, name) for name in query.by)


def _value(query: Query, own: Mapping[str, str], name: str) -> str:
    """A label's value; one that the store has renamed, since it gives that name to every series, by its new name."""
    renamed = f"exported_{name}"
    if renamed in own and name in query.spec.labels and renamed not in query.spec.labels:
        return own[renamed]
    return own.get(name, "")
