"""Works the lines of a panel out of what was asked: sums and ratios at each time, and the band between low and high.

In a thinned answer a line's value is worked out of thinned readings. Its band says how far it went between: exactly
where the line is one reading or was worked out at every moment, else as a bound that need not have been reached: for
a sum the sum of each part's lowest and highest, for a ratio the lowest by the highest and the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bongsu.boards.board import Line
from bongsu.model.message import Message
from bongsu.model.query import Query
from bongsu.store.recent import Window
from bongsu.views.printable import printable

Group = tuple[str, ...]
Rows = Mapping[Group, Sequence[float]]
Band = tuple[Sequence[float], Sequence[float]]
_JITTER = 1.1
_NAN = math.nan


@dataclass(frozen=True, slots=True)
class Composed:
    """One line: ``key`` tells it from the others of its panel. ``band`` is None where values are not thinned.

    The band of an ``outer`` one holds bounds that need not have been reached.
    """

    key: str
    legend: Message
    values: Sequence[float]
    band: Band | None = None
    outer: bool = False


def lines(
    of: Sequence[Line], rows_of: Callable[[Query], Rows], length: int, top: float | None
) -> Iterator[tuple[Line, Group, Composed]]:
    """Every line of a panel, without its band: one for each group that its first query has.

    What is a little above ``top`` is ``top``: a core is not busy for 1.02 s of a second, but a second is timed so.
    """
    for place, line in enumerate(of):
        for group in rows_of(line.query):
            # Printable text holds no U+001F, so that two groups never have one key.
            key = "\x1f".join((str(place), *map(printable, group)))
            yield line, group, Composed(key, line.legend_of(group), _topped(at(line, group, rows_of, length), top))


def _topped(values: Sequence[float], top: float | None) -> Sequence[float]:
    if top is None:
        return values
    return [top if top < value <= _JITTER * top else value for value in values]


def at(line: Line, group: Group, rows_of: Callable[[Query], Rows], length: int) -> Sequence[float]:
    """The values of one line at each of ``length`` times; NaN where something of it is not known."""

    def terms(start: Sequence[float], plus: Sequence[Query], less: Sequence[Query]) -> Sequence[float]:
        for sign, queries in ((1.0, plus), (-1.0, less)):
            for query in queries:
                more = rows_of(query).get(group if query.by else (), unknown)
                start = [a + sign * b for a, b in zip(start, more, strict=True)]
        return start

    unknown = (_NAN,) * length
    made = terms(rows_of(line.query)[group], line.plus, line.less)
    if not line.over:
        return made
    whole = terms((0.0,) * length, line.over, line.over_less)
    return [a / b if b else _NAN for a, b in zip(made, whole, strict=True)]


def bounds(line: Line, group: Group, windows: Mapping[Query, Window], length: int) -> tuple[Band, bool]:
    """How far a line can have gone between the times of thinned windows, and whether that is an outer bound.

    NaN where nothing can be said: a divisor may have been 0, or something is not known.
    """
    unknown = (_NAN,) * length
    steady = {*line.over, *line.over_less} if line.steady else set()

    def ends(query: Query) -> tuple[Sequence[float], Sequence[float]]:
        window, own = windows[query], group if query.by else ()
        values = window.rows.get(own, unknown)
        if query in steady or window.low is None or window.high is None:
            return values, values
        return window.low.get(own, unknown), window.high.get(own, unknown)

    def total(plus: Sequence[Query], less: Sequence[Query]) -> Band:
        low, high = [0.0] * length, [0.0] * length
        for query in plus:
            a, b = ends(query)
            low, high = _sums(low, a), _sums(high, b)
        for query in less:
            a, b = ends(query)
            low, high = _differences(low, b), _differences(high, a)
        return low, high

    if len(line.queries) == 1:
        return ends(line.query), windows[line.query].outer
    moving = [query for query in line.queries if query not in steady]
    outer = len(moving) > 1 or windows[moving[0] if moving else line.query].outer
    above = total((line.query, *line.plus), line.less)
    if not line.over:
        return above, outer
    return _ratios(above, total(line.over, line.over_less)), outer


def _sums(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def _ratios(above: Band, below: Band) -> Band:
    low, high = [], []
    for a, b, c, d in zip(*above, *below, strict=True):
        fine = c > 0.0
        low.append(a / (d if a >= 0.0 else c) if fine else _NAN)
        high.append(b / (c if b >= 0.0 else d) if fine else _NAN)
    return low, high


def extremes(values: Sequence[float], stride: int) -> Band:
    """The lowest and highest of each ``stride`` values; an incomplete group at the end is left out."""
    low, high = [], []
    for start in range(0, len(values) - stride + 1, stride):
        known = [v for v in values[start : start + stride] if v == v]  # noqa: PLR0124  only NaN is unequal to itself
        low.append(min(known) if known else _NAN)
        high.append(max(known) if known else _NAN)
    return low, high
