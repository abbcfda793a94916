"""A board's values as plain data for the page: its history once, then what is new at each tick."""

from __future__ import annotations

import itertools
import math
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from bongsu.boards import promql
from bongsu.boards.board import Board, Kind, Left, Line, Panel, Severity, Tile, Unit
from bongsu.model.message import Message
from bongsu.model.query import Query
from bongsu.store.recent import Recent, Window, stride_of, thinned
from bongsu.views.printable import printable
from bongsu.views.web import composed
from bongsu.views.web.composed import Composed, Group, Rows
from bongsu.views.web.forecast import Forecasts

if TYPE_CHECKING:
    from bongsu.store.reading import history

_GAP = 3.5  # ticks without a batch that make a hole in a chart
_MOST_SPANS = 32  # lengths of time that live pages look at, whose lines they are sent
_FORECAST_POINTS, _MOST_FORECASTS = 120, 3
_NAN = math.nan


class Past(Protocol):
    """What answers for times before those that memory holds: the history on disk."""

    def read(self, queries: Sequence[Query], since: float, until: float, *, points: int) -> history.Past:
        """As `store.history.History.read`."""
        ...


class Drawing:
    """Draws one board from what was read recently, and what came before from ``past``. Several threads may ask.

    ``why`` says why there is nothing for some queries, or why the collector of a name gave nothing.
    A panel shows its ``most`` highest lines; which ones they are is settled when history is asked for, and each length of
    time may have others. At a tick they all are told, and any other line that is now above the ``floor`` of one of them:
    then its page asks anew.
    """

    def __init__(
        self,
        board: Board,
        recent: Recent,
        past: Past | None = None,
        why: Callable[[Iterable[Query], str], str] = lambda _, __: "",
    ) -> None:
        self.board = board
        self._recent = recent
        self._past = past
        self._why = why
        self._forecasts = Forecasts(self._left)
        self._queries = tuple(dict.fromkeys(board.queries))
        self._lock = threading.Lock()
        self._shown: dict[int, dict[str, _Shown]] = {}  # by seconds and panel; asked for last stands last

    def history(self, since: float, points: int) -> dict[str, Any]:
        """The board with all values since a Unix time, thinned to about ``points``; the page adds what comes next."""
        return self._drawn(since, None, points)

    def between(self, since: float, until: float, points: int) -> dict[str, Any]:
        """The board with the values from one Unix time to another, thinned to about ``points``."""
        return self._drawn(since, until, points)

    def _drawn(self, since: float, until: float | None, points: int) -> dict[str, Any]:
        now = time.time()
        end = now if until is None else until
        if self._past is not None and since < self._recent.oldest:
            past = self._past.read(self._queries, since, end, points=points)
            view = _View(self._by_query(past.windows), past.windows[0].times, {}, 1)
            step, tier = past.interval, past.tier.value
        else:
            windows = self._recent.read_all(self._queries, since, end)
            stride = stride_of(len(windows[0].times), points)
            thin = [thinned(w, query.fold, stride) for query, w in zip(self._queries, windows, strict=True)]
            view = _View(self._by_query(thin), thin[0].times, self._by_query(windows) if stride > 1 else {}, stride)
            step, tier = stride * self._recent.interval, "memory"
        times = view.times
        view.holes.extend(_holes(times, max(step, self._recent.interval)))
        shown: dict[str, _Shown] = {}
        panels = [self._panel(panel, view, shown, now=until is None) for panel in self.board.panels]
        if until is None:
            self._remember(round(end - since), shown)
        return {
            "name": self.board.name,
            "title": str(self.board.title),
            "from": round(since, 3),
            "to": round(min(end, now), 3),
            "live": until is None,
            "interval": self._recent.interval,
            "step": step,
            "tier": tier,
            "times": _fill(times, view.holes, lambda i: (times[i - 1] + times[i]) / 2, 3),
            "panels": panels,
            "tiles": [
                drawn
                for tile in self.board.tiles
                if (drawn := self._tile(tile, view, now=until is None))["value"] is not None
                or not tile.if_any
                or any(value is not None for value in drawn["values"])
            ],
        }

    def _by_query(self, windows: Sequence[Window]) -> dict[Query, Window]:
        return dict(zip(self._queries, windows, strict=True))

    def _remember(self, seconds: int, shown: dict[str, _Shown]) -> None:
        with self._lock:
            self._shown.pop(seconds, None)
            self._shown[seconds] = shown
            if len(self._shown) > _MOST_SPANS:
                del self._shown[next(iter(self._shown))]

    def newest(self) -> dict[str, Any]:
        """What the page adds at one tick: values by tile, and by panel and line; unknown ones are left out."""
        rows: dict[Query, Rows] = {
            query: {group: (value,) for group, value in self._recent.newest(query).items()} for query in self._queries
        }
        panels: dict[str, dict[str, float]] = {}
        with self._lock:
            shown_now = list(self._shown.values())
        for panel in self.board.panels:
            shown = [spans[panel.name] for spans in shown_now]
            floor = min((one.floor for one in shown), default=-math.inf)
            found = {}
            for _, _, line in composed.lines(panel.lines, rows.__getitem__, 1, panel.top):
                known = _short(line.values[0])
                if known is not None and (known > floor or any(line.key in one.keys for one in shown)):
                    found[line.key] = known
            panels[panel.name] = found
        tiles = {}
        for tile in self.board.tiles:
            values, legend = _highest(
                [one for _, _, one in composed.lines(tile.lines, rows.__getitem__, 1, tile.top)], 1
            )
            column = rows[tile.of].get(()) if tile.of is not None else None
            whole = _short(column[0]) if column else None
            tiles[tile.name] = {
                "value": _short(values[0]), "of": whole, "legend": legend, "state": self._state(tile, values[0], whole),
            }  # fmt: skip
        return {"board": self.board.name, "tiles": tiles, "panels": panels}

    def _panel(self, panel: Panel, view: _View, shown: dict[str, _Shown], *, now: bool) -> dict[str, Any]:
        lines = [one for one in view.lines(panel.lines, panel.top) if any(map(_known, one[2].values))]
        whole = view.last_known(panel.whole)
        if whole == 0:
            lines.clear()  # nothing of nothing: a machine without swap
        if panel.kind is Kind.HEAT:
            lines.sort(key=lambda one: [(len(value), value) for value in one[1]])  # core 9 before core 10
        total, floor = len(lines), -math.inf
        if total > panel.most:
            order = sorted(lines, key=_peak, reverse=True)[: panel.most]
            floor = _peak(order[-1])
            chosen = {line.key for _, _, line in order}
            lines = [one for one in lines if one[2].key in chosen]
        shown[panel.name] = _Shown(frozenset(line.key for _, _, line in lines), floor)
        return {
            "name": panel.name,
            "title": str(panel.title),
            "help": str(panel.help),
            "unit": panel.unit.value,
            "section": None if panel.section is None else str(panel.section),
            "stacked": panel.kind is Kind.STACK,
            "heat": panel.kind is Kind.HEAT,
            "top": panel.top,
            "whole": whole,
            "note": "; ".join(map(printable, self._notes(panel, total, now=now))) or None,
            "floor": _short(floor),  # what another line must be above to be among these; null where all are
            "series": [_series(view.banded(*one, panel), view.holes, panel.kind) for one in lines],
            "reason": None if lines else self._reason(panel, whole),
            "promql": [{"legend": promql.legend(line), "text": promql.expression(line)} for line in panel.lines],
        }  # fmt: skip

    def _tile(self, tile: Tile, view: _View, *, now: bool) -> dict[str, Any]:
        values, legend = _highest([line for _, _, line in view.lines(tile.lines, tile.top)], len(view.times))
        value, whole = values[-1] if values else _NAN, view.last(tile.of)
        return {
            "name": tile.name,
            "title": str(tile.title),
            "panel": tile.panel or tile.name,
            "unit": tile.unit.value,
            "top": tile.top,
            "values": _fill(values, view.holes, lambda _: None),
            "value": _short(value),
            "of": whole,
            "legend": legend,
            "state": self._state(tile, value, whole, now=now),
        }

    def _notes(self, panel: Panel, total: int, *, now: bool) -> Iterator[Message]:
        if total > panel.most:
            yield Message("the {shown} highest of {total} lines", shown=panel.most, total=total)
        refused = max((self._recent.refused(line.query) for line in panel.lines), default=0)
        if refused and now:
            yield Message("at least {refused} more lines are not kept in memory, Health says why", refused=refused)
        if panel.left is not None and now:
            for group, forecast in list(self._forecasts.of(panel.left).items())[:_MOST_FORECASTS]:
                yield forecast.text(panel.left, group)

    def _left(self, left: Left, since: float, until: float) -> Window:
        if self._past is not None and since < self._recent.oldest:
            return self._past.read([left.query], since, until, points=_FORECAST_POINTS).windows[0]
        return self._recent.read(left.query, since, until, points=_FORECAST_POINTS)

    def _reason(self, panel: Panel, whole: float | None) -> str | None:
        if whole == 0:
            return str(Message("this machine has none"))
        return self._why((query for line in panel.lines for query in line.queries), "") or None

    def _state(self, tile: Tile, value: float, whole: float | None, *, now: bool = True) -> dict[str, str] | None:
        """What is to be said of a tile's number, or why there is none."""
        if not _known(value):
            text = self._why((query for line in tile.lines for query in line.queries), tile.collector)
            return {"severity": "none", "text": text} if text else None
        state = tile.state(value, whole)
        if state is not None:
            return {"severity": state.severity.value, "text": str(state.text)}
        if tile.left is not None and now:
            for group, forecast in self._forecasts.known(tile.left).items():
                if forecast.seconds < tile.left.soon:
                    text = printable(forecast.text(tile.left, group))
                    return {"severity": Severity.WARNING.value, "text": text}
        return None


class _Shown(NamedTuple):
    """The lines of a panel for one length of time. Others are as high at most as ``floor``, -inf where there are none."""

    keys: frozenset[str]
    floor: float


@dataclass(frozen=True, slots=True)
class _View:
    """What one answer is drawn from. ``moments`` has every moment of ``windows`` in which ``stride`` of them make one."""

    windows: Mapping[Query, Window]
    times: array[float]
    moments: Mapping[Query, Window]
    stride: int
    holes: list[int] = field(default_factory=list)

    def lines(self, of: Sequence[Line], top: float | None) -> Iterator[tuple[Line, Group, Composed]]:
        return composed.lines(of, lambda query: self.windows[query].rows, len(self.times), top)

    def last(self, query: Query | None) -> float | None:
        column = self.windows[query].rows.get(()) if query is not None else None
        return _short(column[-1]) if column else None

    def last_known(self, query: Query | None) -> float | None:
        column = self.windows[query].rows.get(()) if query is not None else None
        return next((_short(value) for value in reversed(column) if _known(value)), None) if column else None

    def banded(self, line: Line, group: Group, made: Composed, panel: Panel) -> Composed:
        """The line with its band, if it has one. No bound is beyond what the panel's unit can have."""
        if self.stride > 1:
            length = len(next(iter(self.moments.values())).times)
            exact = composed.at(line, group, lambda query: self.moments[query].rows, length)
            (low, high), outer = composed.extremes(exact, self.stride), False
        elif any(self.windows[query].low is not None for query in line.queries):
            (low, high), outer = composed.bounds(line, group, self.windows, len(self.times))
        else:
            return made
        least = -math.inf if panel.unit is Unit.CELSIUS else 0.0
        most = math.inf if panel.top is None else panel.top
        # A bound is never on the wrong side of the value: a mean of ratios is not quite the ratio of means.
        # There are tens of thousands: hence no more calls than need be. A NaN among the values stays one.
        low = [
            (c if (c := max(a, least)) < v else v) if isfinite(a) else a for v, a in zip(made.values, low, strict=True)
        ]
        high = [
            (c if (c := min(b, most)) > v else v) if isfinite(b) else b for v, b in zip(made.values, high, strict=True)
        ]
        return Composed(made.key, made.legend, made.values, (low, high), outer)


def _series(line: Composed, holes: Sequence[int], kind: Kind) -> dict[str, Any]:
    """``low`` and ``high`` are None where the values say it all; the colour of a heat map's cell says no ``low``."""
    values = _fill(line.values, holes, lambda _: None)
    low = high = None
    if line.band is not None:
        low = _fill(line.band[0], holes, lambda _: None) if kind is not Kind.HEAT else None
        high = _fill(line.band[1], holes, lambda _: None)
        if high == values and (low is None or low == values):
            low = high = None
    return {
        "key": line.key, "legend": printable(line.legend), "values": values, "low": low, "high": high,
        "outer": line.outer and high is not None,
    }  # fmt: skip


def _highest(lines: Sequence[Composed], length: int) -> tuple[Sequence[float], str]:
    """A tile's values, the highest of its groups at each time, and the legend of the one that is highest now."""
    if not lines:
        return (_NAN,) * length, ""
    if len(lines) == 1:
        return lines[0].values, printable(lines[0].legend)
    values = [max(filter(_known, column), default=_NAN) for column in zip(*(one.values for one in lines), strict=True)]
    now = max(lines, key=lambda one: one.values[-1] if length and _known(one.values[-1]) else -math.inf)
    return values, printable(now.legend)


def _holes(times: array[float], interval: float) -> list[int]:
    """Where a chart must not be joined up: the places in ``times`` before which nothing was read for long."""
    steps = [b - a for a, b in itertools.pairwise(times)]
    usual = max(interval, sorted(steps)[len(steps) // 2]) if steps else interval
    return [i + 1 for i, step in enumerate(steps) if step > _GAP * usual]


def _fill(
    values: Sequence[float], holes: Sequence[int], filling: Callable[[int], float | None], digits: int | None = None
) -> list[float | None]:
    made: list[float | None]
    if digits is None:  # as `_short`, whose call would take half the time
        made = [float(f"{v:.6g}") if isfinite(v) else None for v in values]
    else:
        made = [round(v, digits) for v in values]
    for place in reversed(holes):
        made.insert(place, filling(place))
    return made


def _known(value: float) -> bool:
    """Whether it can be drawn: a reading may be NaN or infinite, and then it is a gap."""
    return math.isfinite(value)


def _peak(one: tuple[Line, Group, Composed]) -> float:
    return max(filter(_known, one[2].values))


def _short(value: float) -> float | None:
    """Six figures: more than a chart can show, a third of the bytes."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
