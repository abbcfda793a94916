"""Charts of lines over time in a terminal's characters: eight dots a cell, or plain letters where only ASCII shows."""

from __future__ import annotations

import itertools
import math
import operator
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from bongsu.views.units import UNKNOWN

# Told apart with any colour vision (Okabe and Ito, 2008); the letters tell lines apart where there is no colour at all.
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2", "#999999")
MARKS = "ABCDEFGH"
MOST_LINES = len(MARKS)
BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column of a cell (Unicode, block 2800)
_TICKS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400,
    14 * 86400, 28 * 86400, 91 * 86400, 182 * 86400, 365 * 86400,
)  # fmt: skip
_LEAST_CELLS, _LEAST_ROWS = 10, 3
_FARTHEST = 1e306  # an axis goes no further, so that its length is a number; what lies beyond is drawn at its end


class Line(NamedTuple):
    """One line; NaN and infinities are gaps."""

    name: str
    values: Sequence[float]


class Scale(NamedTuple):
    """How values are written, and in which steps an axis goes: ``base`` 1024 for bytes, 60 for seconds, else 10."""

    text: Callable[[float | None], str]
    base: int = 10


def highest(lines: Sequence[Line], most: int = MOST_LINES) -> list[Line]:
    """The lines that reach highest, those first; lines without a value are left out."""
    drawn = [line for line in lines if any(map(math.isfinite, line.values))]
    drawn.sort(key=lambda line: -max(value for value in line.values if math.isfinite(value)))
    return drawn[:most]


def chart(
    lines: Sequence[Line], times: Sequence[float], scale: Scale, *, width: int, height: int, ascii_only: bool = False
) -> list[Text]:
    """The chart's lines of text: curves, both axes, and a legend with the last, least and greatest value.

    Args:
        lines: at most `MOST_LINES`, each with a value for each of ``times``; see `highest`.
        times: Unix seconds in equal steps; the axis shows them in the local zone.
        scale: of the values.
        width: cells that may be used.
        height: lines that may be used, as far as a chart fits them.
        ascii_only: letters instead of dots.
    """
    finite = [value for line in lines for value in line.values if math.isfinite(value)]
    if not finite:
        return []
    legend = _legend(lines, scale, width, ".." if ascii_only else "…")
    rows = max(_LEAST_ROWS, height - 2 - len(legend))
    ticks = value_ticks(min(finite), max(finite), scale.base, max(2, rows // 3))
    margin = max(len(scale.text(tick)) for tick in ticks)
    cells = max(_LEAST_CELLS, width - margin - 2)
    canvas = _Canvas(cells, rows, (1, 1) if ascii_only else (2, 4))
    low, high = ticks[0], ticks[-1]
    for number in reversed(range(len(lines))):  # the highest last, on top of the others
        canvas.line(number, _points(lines[number], times, low, high, canvas))
    if len(lines) > 1 and not ascii_only:
        canvas.mark(len(lines))
    letters = MARKS if len(lines) > 1 else "*"
    at = {round((high - tick) / (high - low) * (rows - 1)): tick for tick in ticks}
    drawn = []
    for row in range(rows):
        text = scale.text(at[row]) if row in at else ""
        axis = ("+" if row in at else "|") if ascii_only else ("┤" if row in at else "│")
        line = Text()
        line.append(f"{text:>{margin}} {axis}", style="dim")
        drawn.append(line.append_text(canvas.row(row, letters, ascii_only)))
    return [*drawn, *_time_axis(times[0], times[-1], margin, cells, ascii_only), *legend]


def step_for(span: float, cells: int, least: float = 1.0) -> float:
    """A step in seconds that gives a chart of so many cells a value for about each dot, as clocks go."""
    wanted = max(least, span / max(1, 2 * cells))
    return next((float(step) for step in _TICKS if step >= wanted), math.ceil(wanted / 86400) * 86400.0)


class _Canvas:
    """Cells of dots; each cell has the colour of the line that was drawn there last."""

    def __init__(self, cells: int, rows: int, dots: tuple[int, int]) -> None:
        self.width, self.height = cells * dots[0], rows * dots[1]
        self._dots = dots
        self._cells = cells
        self._bits = [[0] * cells for _ in range(rows)]
        self._owner = [[-1] * cells for _ in range(rows)]
        self._marks: dict[tuple[int, int], int] = {}
        self._paths: dict[int, dict[int, int]] = {}  # by line: the row of its point in each column of cells

    def line(self, number: int, points: Iterator[tuple[int, int] | None]) -> None:
        """Draw from point to point; None is a gap."""
        before: tuple[int, int] | None = None
        path = self._paths[number] = {}
        for point in points:
            if point is not None:
                for x, y in _between(before, point) if before is not None else (point,):
                    self._dot(x, y, number)
                path[point[0] // self._dots[0]] = point[1] // self._dots[1]
            before = point

    def mark(self, lines: int) -> None:
        """Put each line's letter on it here and there, at columns of its own, where it is drawn on top."""
        apart = max(2 * lines, self._cells // 5)
        for number, path in self._paths.items():
            for column in range((2 * number + 1) * apart // (2 * lines), self._cells, apart):
                row = path.get(column)
                if row is not None:
                    self._marks[row, column] = number

    def row(self, row: int, letters: str, ascii_only: bool) -> Text:
        """One row of cells."""
        text = Text()
        for style, cells in itertools.groupby(self._row(row, letters, ascii_only), key=operator.itemgetter(0)):
            text.append("".join(cell for _, cell in cells), style=style)
        return text

    def _row(self, row: int, letters: str, ascii_only: bool) -> Iterator[tuple[str, str]]:
        """Style and character of each cell."""
        for column, bits in enumerate(self._bits[row]):
            number = self._marks.get((row, column), self._owner[row][column])
            if not bits:
                yield "none", " "
            elif ascii_only or (row, column) in self._marks:
                yield f"bold {COLOURS[number]}", letters[number]
            else:
                yield COLOURS[number], chr(BRAILLE | bits)

    def _dot(self, x: int, y: int, number: int) -> None:
        column, row = x // self._dots[0], y // self._dots[1]
        self._bits[row][column] |= DOTS[y % self._dots[1]][x % self._dots[0]]
        self._owner[row][column] = number


def _points(
    line: Line, times: Sequence[float], low: float, high: float, canvas: _Canvas
) -> Iterator[tuple[int, int] | None]:
    span = times[-1] - times[0]
    for at, value in zip(times, line.values, strict=True):
        if not math.isfinite(value):
            yield None
        else:
            x = round((at - times[0]) / span * (canvas.width - 1)) if span else 0
            yield x, round((high - min(max(value, low), high)) / (high - low) * (canvas.height - 1))


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    (x0, y0), (x1, y1) = start, end
    steps = max(abs(x1 - x0), abs(y1 - y0), 1)
    for step in range(steps + 1):
        yield round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps)


def value_ticks(low: float, high: float, base: int, count: int) -> list[float]:
    """Round values from below the lowest to above the highest; zero is among them where it is not far."""
    low, high = max(low, -_FARTHEST), min(high, _FARTHEST)
    if low >= 0 and low <= high / 2:
        low = 0.0
    elif high <= 0 and high >= low / 2:
        high = 0.0
    if high == low:
        pad = abs(high) / 10 or 1.0
        low, high = low - pad, high + pad
    step = _round_step((high - low) / count, base)
    first, last = math.floor(low / step), math.ceil(high / step)
    if last == first:  # the span is lost in the size of the numbers
        last += 1
    ticks = [number * step for number in range(first, min(last, first + 100) + 1)]
    return ticks if ticks[0] < ticks[-1] and math.isfinite(ticks[0]) and math.isfinite(ticks[-1]) else [low, high]


def _round_step(wanted: float, base: int) -> float:
    if base == 60 and wanted >= 1:
        return next((float(step) for step in _TICKS if step >= wanted), wanted)
    power = 1.0
    if base == 1024 and wanted >= 1:
        power = 1024.0 ** math.floor(math.log(wanted, 1024))
        return power * next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if power * step >= wanted)
    power = 10.0 ** math.floor(math.log10(wanted))
    return power * next((step for step in (1, 2, 5, 10) if power * step >= wanted), 10)


def _time_axis(start: float, end: float, margin: int, cells: int, ascii_only: bool) -> list[Text]:
    """The line below the curves, and the local times below that."""
    span = max(end - start, 1.0)
    step = next((one for one in _TICKS if span / one <= cells / 11), _TICKS[-1])
    away = time.localtime(start).tm_gmtoff
    line = ["-" if ascii_only else "─"] * cells
    words = " " * (margin + 2 + cells)
    at = math.ceil((start + away) / step) * step - away
    taken = 0
    while at <= end:
        column = round((at - start) / span * (cells - 1))
        word = _time_word(at, step)
        begin = max(0, min(margin + 2 + column - len(word) // 2, len(words) - len(word)))
        if begin >= taken:
            line[column] = "+" if ascii_only else "┴"
            words = f"{words[:begin]}{word}{words[begin + len(word) :]}"
            taken = begin + len(word) + 2
        at += step
    corner = "+" if ascii_only else "└"
    return [Text(f"{'':{margin}} {corner}{''.join(line)}", style="dim"), Text(words.rstrip(), style="dim")]


def _time_word(at: float, step: float) -> str:
    then = time.localtime(at)
    if step >= 86400 or (then.tm_hour, then.tm_min, then.tm_sec) == (0, 0, 0):
        return f"{then.tm_mday} {time.strftime('%b', then)}" if step < 180 * 86400 else time.strftime("%Y-%m", then)
    return time.strftime("%H:%M:%S" if step < 60 else "%H:%M", then)


def _legend(lines: Sequence[Line], scale: Scale, width: int, dots: str) -> list[Text]:
    figures = []
    for line in lines:
        finite = [value for value in line.values if math.isfinite(value)]
        figures.append([scale.text(value) if finite else UNKNOWN for value in (finite[-1], min(finite), max(finite))])
    titles = ("last", "least", "most")
    widths = [max(len(title), *(len(row[at]) for row in figures)) for at, title in enumerate(titles)]
    room = max(8, width - sum(widths) - 2 * len(widths) - 3)
    room = min(room, max(cell_len(line.name) for line in lines))
    head = Text(f"   {'':{room}}", style="dim")
    for title, wide in zip(titles, widths, strict=True):
        head.append(f"  {title:>{wide}}")
    drawn = [head]
    for number, (line, row) in enumerate(zip(lines, figures, strict=True)):
        text = Text(f" {MARKS[number] if len(lines) > 1 else '*'} ", style=f"bold {COLOURS[number]}")
        cut = cell_len(line.name) > room
        name = set_cell_size(line.name, room - len(dots)) + dots if cut else set_cell_size(line.name, room)
        text.append(name, style="none")
        for figure, wide in zip(row, widths, strict=True):
            text.append(f"  {figure:>{wide}}", style="none")
        drawn.append(text)
    return drawn
