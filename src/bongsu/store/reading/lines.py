"""Lines of a chart as they are filled, slice by slice, from what series say at each moment."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

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


class Lines:
    """The lines of one query, which sums series by some of their labels, in ``count`` buckets of time.

    Bucket i is of ``(begin + i * width, begin + (i + 1) * width]``, Unix ms. Give the slices in their order.
    """

    def __init__(self, query: Query, entries: Sequence[Entry], begin: int, width: int, count: int) -> None:
        self.query = query
        self.outer = False
        self._begin, self._width, self._count = begin, width, count
        numbers: dict[Group, int] = {}
        self._line_of: dict[Labels, int] = {}
        self._line_of_id: dict[int, int] = {}
        for entry in entries:
            line = numbers.setdefault(_group(query, entry.labels), len(numbers))
            self._line_of[entry.labels] = line
            self._line_of_id.update(dict.fromkeys(entry.ids, line))
        self._groups = list(numbers)
        shape = (len(numbers), count)
        self._sum = np.zeros(shape)
        self._number = np.zeros(shape, np.int32)
        self._low, self._high, self._last = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
        self._ends_known = np.zeros(shape, np.bool_)  # the bucket's last moment is known
        self._newest = np.zeros(count, np.int64)  # each bucket's last moment; 0 for none
        self._spacing = 0.0

    def add_samples(self, found: Mapping[Labels, Series], after: int, until: int) -> None:
        """Take in samples as they were read, those in ``(after, until]``; earlier ones are for rates only."""
        series = [(line, found[labels]) for labels, line in self._line_of.items() if labels in found]
        made = moments.of_samples(series, self.query.fold)
        if made is not None:
            low, high = np.searchsorted(made.times, (after, until), "right").tolist()
            self._add(made, np.arange(low, high))

    def add_minutes(self, found: Mapping[int, Minutes], but: Coverage) -> None:
        """Take in minute buckets, leaving out those that end in ``but``."""
        series = [(self._line_of_id[one], column) for one, column in found.items() if one in self._line_of_id]
        made = moments.of_minutes(series, self.query.fold)
        if made is not None:
            self.outer |= made.lines.size < len(series)
            self._add(made, np.flatnonzero(~but.has(made.times)))

    def window(self, times: array[float]) -> Window:
        """What has come together; lines without any value are left out."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = {Fold.LAST: self._last, Fold.MAX: self._high}.get(self.query.fold)
            if values is None:
                values = self._sum / self._number
        shown = [line for line in range(len(self._groups)) if self._number[line].any()]
        rows, low, high = (
            {self._groups[line]: as_array(filled[line]) for line in shown}
            for filled in map(self._held, (values, self._low, self._high))
        )
        return Window(times, rows, low, high, self.outer)

    def _add(self, made: Moments, some: NDArray[np.intp]) -> None:
        place = (made.times[some] - self._begin - 1) // self._width
        inside = (place >= 0) & (place < self._count)
        some, place = some[inside], place[inside]
        if not some.size:
            return
        self._spacing = made.spacing or self._spacing
        starts = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
        ends = np.append(starts[1:], some.size) - 1
        buckets = place[starts]
        at = np.ix_(made.lines, buckets)
        value = made.value[:, some]
        known = ~np.isnan(value)
        with np.errstate(invalid="ignore"):
            self._sum[at] += np.add.reduceat(np.where(known, value, 0.0), starts, axis=1)
            self._low[at] = np.fmin(self._low[at], np.fmin.reduceat(made.low[:, some], starts, axis=1))
            self._high[at] = np.fmax(self._high[at], np.fmax.reduceat(made.high[:, some], starts, axis=1))
        self._number[at] += np.add.reduceat(known, starts, axis=1, dtype=np.int32)
        newest = np.maximum.reduceat(np.where(known, np.arange(some.size), -1), starts, axis=1)
        last = np.take_along_axis(value, np.maximum(newest, 0), axis=1)
        self._last[at] = np.where(newest >= 0, last, self._last[at])
        self._ends_known[at] = known[:, ends]
        self._newest[buckets] = made.times[some[ends]]

    def _held(self, values: Values) -> Values:
        """What is read less often than a bucket is long stands until it is read again."""
        if self._spacing <= self._width / 2:
            return values
        filled = np.maximum.accumulate(np.where(self._newest > 0, np.arange(self._count), -1))
        there = filled >= 0
        from_where = np.maximum(filled, 0)
        begins = self._begin + self._width * np.arange(self._count)
        there &= begins - self._newest[from_where] < moments.HELD * self._spacing
        held: Values = np.where(there & self._ends_known[:, from_where], values[:, from_where], values)
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
