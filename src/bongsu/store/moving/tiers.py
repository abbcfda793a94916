"""Reads one of the stored resolutions for an export, and only that one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bongsu.store.layout.minutes import Minutes
from bongsu.store.moving.export import Read, Rows, cut
from bongsu.store.reading.reader import Reader
from bongsu.store.series import Matcher, Values


def raw(reader: Reader, any_of: Sequence[Sequence[Matcher]]) -> Read:
    """Every sample that is kept as it was read."""

    def read(start: int, end: int) -> Iterator[Rows]:
        return cut(reader.raw(reader.match(any_of or [()]), start, end), start, end)

    return read


def minutes(reader: Reader, any_of: Sequence[Sequence[Matcher]]) -> Read:
    """The minutes that end in the time asked for, with the columns of `export.MINUTE_COLUMNS`."""

    def read(start: int, end: int) -> Iterator[Rows]:
        labels = {number: entry.labels for entry in reader.match(any_of or [()]) for number in entry.ids}
        for slice_of_time in reader.minutes(sorted(labels), start, end):
            for number, found in slice_of_time.items():
                yield Rows(labels[number], found.shape.at, _columns(found))

    return read


def _columns(found: Minutes) -> tuple[Values, ...]:
    """The order is that of `export.MINUTE_COLUMNS`; NaN where a column does not apply."""
    nothing = np.full(found.last.size, np.nan)
    samples = found.shape.counts.astype(np.float64)
    if found.shape.counter:
        return found.last, found.low, found.high, nothing, found.total, samples
    with np.errstate(invalid="ignore", divide="ignore"):
        return found.last, found.low, found.high, found.total / samples, nothing, samples
