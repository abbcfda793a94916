"""A board's values as plain data for the page: its history once, then what is new at each tick."""

from __future__ import annotations

import itertools
import math
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bongsu.boards.board import Board, Line, Panel, Tile
from bongsu.model.message import Message
from bongsu.model.query import Query
from bongsu.store.recent import Recent, Window
from bongsu.views.printable import printable

Group = tuple[str, ...]
Rows = Mapping[Group, Sequence[float]]
_GAP = 3.5  # ticks without a batch that make a hole in a chart
_NAN = math.nan


class Past(Protocol):
    """What answers for times before those that memory holds: the history on disk."""

    def read_all(self, queries: Sequence[Query], since: float, until: float, *, points: int) -> list[Window]:
        """As `Recent.read_all`."""
        ...


class Drawing:
    """Draws one board from what was read recently, and what came before from ``past``. Several threads may ask.

    A panel shows its ``most`` highest lines; which ones they are is settled when history is asked for.
    """

    def __init__(self, board: Board, recent: Recent, past: Past | None = None) -> None:
        self.board = board
        self._recent = recent
        self._past = past
        self._queries = tuple(dict.fromkeys(board.queries))
        self._shown: dict[str, frozenset[str]] = {}

    def history(self, since: float, points: int) -> dict[str, Any]:
        """The board with all values since a Unix time, thinned to about ``points``."""
        if self._past is not None and since < self._recent.oldest:
            windows = self._past.read_all(self._queries, since, time.time(), points=points)
        else:
            windows = self._recent.read_all(self._queries, since, points=points)
        times = windows[0].times
        rows = {query: window.rows for query, window in zip(self._queries, windows, strict=True)}
        holes = _holes(times, self._recent.interval)
        return {
            "name": self.board.name,
            "title": str(self.board.title),
            "interval": self._recent.interval,
            "times": _fill(times, holes, lambda i: (times[i - 1] + times[i]) / 2, 3),
            "tiles": [self._tile(tile, rows, len(times), holes) for tile in self.board.tiles],
            "panels": [self._panel(panel, rows, len(times), holes) for panel in self.board.panels],
        }

    def newest(self) -> dict[str, Any]:
        """What the page adds at one tick: values by tile, and by panel and line; unknown ones are left out."""
        rows: dict[Query, Rows] = {
            query: {group: (value,) for group, value in self._recent.newest(query).items()} for query in self._queries
        }
        panels: dict[str, dict[str, float]] = {}
        for panel in self.board.panels:
            shown = self._shown.get(panel.name)
            found = {}
            for key, _, values in _lines(panel.lines, rows.__getitem__, 1):
                known = _short(values[0])
                if known is not None and (shown is None or key in shown or len(shown) < panel.most):
                    found[key] = known
            panels[panel.name] = found
        tiles = {}
        for tile in self.board.tiles:
            values, legend = _highest(tile, rows.__getitem__, 1)
            tiles[tile.name] = {"value": _short(values[0]), "of": _last(tile.of, rows), "legend": legend}
        return {"board": self.board.name, "tiles": tiles, "panels": panels}

    def _panel(self, panel: Panel, rows: Mapping[Query, Rows], length: int, holes: Sequence[int]) -> dict[str, Any]:
        lines = [
            (k, legend, v) for k, legend, v in _lines(panel.lines, rows.__getitem__, length) if any(map(_known, v))
        ]
        total = len(lines)
        if total > panel.most:
            order = sorted(lines, key=lambda line: max(filter(_known, line[2])), reverse=True)
            chosen = {key for key, _, _ in order[: panel.most]}
            lines = [line for line in lines if line[0] in chosen]
        self._shown[panel.name] = frozenset(key for key, _, _ in lines)
        return {
            "name": panel.name,
            "title": str(panel.title),
            "help": str(panel.help),
            "unit": panel.unit.value,
            "stacked": panel.stacked,
            "top": panel.top,
            "whole": _last(panel.whole, rows),
            "note": None if total <= panel.most else str(
                Message("the {shown} highest of {total} lines", shown=panel.most, total=total)
            ),
            "series": [
                {"key": key, "legend": printable(legend), "values": _fill(values, holes, lambda _: None)}
                for key, legend, values in lines
            ],
        }  # fmt: skip

    def _tile(self, tile: Tile, rows: Mapping[Query, Rows], length: int, holes: Sequence[int]) -> dict[str, Any]:
        values, legend = _highest(tile, rows.__getitem__, length)
        return {
            "name": tile.name,
            "title": str(tile.title),
            "unit": tile.unit.value,
            "top": tile.top,
            "values": _fill(values, holes, lambda _: None),
            "value": _short(values[-1]) if length else None,
            "of": _last(tile.of, rows),
            "legend": legend,
        }


def _lines(
    lines: Sequence[Line], rows_of: Callable[[Query], Rows], length: int
) -> list[tuple[str, Message, Sequence[float]]]:
    """Every line of a panel: its key, its legend and its values."""
    found = []
    for place, line in enumerate(lines):
        for group, values in rows_of(line.query).items():
            # Printable text holds no U+001F, so that two groups never have one key.
            key = "\x1f".join((str(place), *map(printable, group)))
            found.append((key, line.legend_of(group), _worked_out(line, group, values, rows_of, length)))
    return found


def _worked_out(
    line: Line, group: Group, values: Sequence[float], rows_of: Callable[[Query], Rows], length: int
) -> Sequence[float]:
    def terms(start: Sequence[float], plus: Sequence[Query], less: Sequence[Query]) -> Sequence[float]:
        for sign, queries in ((1.0, plus), (-1.0, less)):
            for query in queries:
                more = rows_of(query).get(group if query.by else (), unknown)
                start = [a + sign * b for a, b in zip(start, more, strict=True)]
        return start

    unknown = (_NAN,) * length
    made = terms(values, line.plus, line.less)
    if not line.over:
        return made
    whole = terms((0.0,) * length, line.over, line.over_less)
    return [a / b if b else _NAN for a, b in zip(made, whole, strict=True)]


def _highest(tile: Tile, rows_of: Callable[[Query], Rows], length: int) -> tuple[Sequence[float], str]:
    """A tile's values, the highest of its groups at each time, and the legend of the one that is highest now."""
    lines = _lines((tile.line,), rows_of, length)
    if not lines:
        return (_NAN,) * length, ""
    if len(lines) == 1:
        return lines[0][2], printable(lines[0][1])
    values = [max(filter(_known, column), default=_NAN) for column in zip(*(v for _, _, v in lines), strict=True)]
    now = max(lines, key=lambda line: line[2][-1] if length and _known(line[2][-1]) else -math.inf)
    return values, printable(now[1])


def _last(query: Query | None, rows: Mapping[Query, Rows]) -> float | None:
    column = rows[query].get((), ()) if query is not None else ()
    return _short(column[-1]) if column else None


def _holes(times: array[float], interval: float) -> list[int]:
    """Where a chart must not be joined up: the places in ``times`` before which nothing was read for long."""
    steps = [b - a for a, b in itertools.pairwise(times)]
    usual = max(interval, sorted(steps)[len(steps) // 2]) if steps else interval
    return [i + 1 for i, step in enumerate(steps) if step > _GAP * usual]


def _fill(
    values: Sequence[float], holes: Sequence[int], filling: Callable[[int], float | None], digits: int | None = None
) -> list[float | None]:
    made: list[float | None] = [_short(v) if digits is None else round(v, digits) for v in values]
    for place in reversed(holes):
        made.insert(place, filling(place))
    return made


def _known(value: float) -> bool:
    return value == value  # noqa: PLR0124  only NaN is unequal to itself


def _short(value: float) -> float | None:
    """Six figures: more than a chart can show, a third of the bytes."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
