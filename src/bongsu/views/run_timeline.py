"""Draws a run over time in a terminal: CPU, memory and storage, and below them the processes as they came and went."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from bongsu.model.run import Event, ProcessRow, RunReport
from bongsu.views import run_series as series
from bongsu.views.columns import plain_console, short
from bongsu.views.plot import COLOURS, step_for
from bongsu.views.printable import printable
from bongsu.views.run_report import NOT_KNOWN, clock_of, command, ended, started
from bongsu.views.run_rows import Lane, at_once, how_many, lanes
from bongsu.views.units import bytes_text, count_text, rate_text

NARROWEST = 40
_MARGIN = 22  # cells left of the drawings
_ROWS = 4  # of a chart
_MOST_LANES = 20
_MOST_EVENTS = 26
_LEVELS, _PLAIN_LEVELS = " ▁▂▃▄▅▆▇█", " .:-=+*%#"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def draw(report: RunReport, console: Console, *, width: int | None = None) -> None:
    """Print it, in so many columns; as wide as the terminal where that is not said."""
    wide = max(NARROWEST, console.width if width is None else width)
    plain = plain_console(console)
    lines = [
        Text(short(command(report.metadata), wide, console), style="bold"),
        Text(short(f"started {started(report.metadata)}, {ended(report)}", wide, console)),
    ]
    seconds = series.length(report)
    if seconds <= 0:
        lines.append(Text("nothing was recorded over time"))
    else:
        cells = wide - _MARGIN
        for chart in _charts(report, seconds, cells, plain):
            lines += [Text(), *chart]
        lines += [Text(), *_gantt(report, seconds, cells, console), *_marks(report.events, seconds, cells)]
        lines += _axis(seconds, cells, plain)
        lines += _events(report.events, wide, console)
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True)


def _charts(report: RunReport, seconds: float, cells: int, plain: bool) -> list[list[Text]]:
    edges = series.edges(seconds, cells)
    samples = report.samples
    measure, memory = series.memory(report)
    read = series.rates(series.adding_up(samples, lambda point: point.read_bytes), edges)
    written = series.rates(series.adding_up(samples, lambda point: point.write_bytes), edges)
    storage = [None if a is None and b is None else (a or 0.0) + (b or 0.0) for a, b in zip(read, written, strict=True)]
    busy = [None if value is None else value * 100 for value in series.busy(report, edges)]
    return [
        _chart(("CPU", "of one"), busy, lambda value: f"{value:.0f} %" if value >= 9.95 else f"{value:.2g} %", COLOURS[0], plain),
        _chart(("Memory", measure), series.highest(memory, edges), bytes_text, COLOURS[1], plain),
        _chart(("Storage", "r + w"), storage, rate_text, COLOURS[2], plain),
    ]  # fmt: skip


def _chart(
    titles: tuple[str, str], values: Sequence[float | None], text: Callable[[float], str], colour: str, plain: bool
) -> list[Text]:
    """Columns as high as their values; a dot where a value is not known."""
    known = [value for value in values if value is not None]
    if not known:
        return [Text.assemble((f"{titles[0]:<10}", "bold"), NOT_KNOWN)]
    top = max(known)
    drawn = []
    for row in range(_ROWS):
        title = titles[row] if row < len(titles) else ""
        mark = text(top) if row == 0 else text(0.0) if row == _ROWS - 1 and top > 0 else ""
        line = Text.assemble((f"{title:<8}", "bold" if row == 0 else "dim"), (f"{mark:>{_MARGIN - 10}} ", "dim"))
        line.append("|" if plain else "│", style="dim")
        line.append("".join(_cell(value, top, _ROWS - 1 - row, plain) for value in values), style=colour)
        drawn.append(line)
    return drawn


def _cell(value: float | None, top: float, row: int, plain: bool) -> str:
    """The part of a column that lies in a row, counted from below."""
    if value is None:
        return ("?" if plain else "·") if row == 0 else " "
    levels = _PLAIN_LEVELS if plain else _LEVELS
    full = len(levels) - 1
    filled = round(value / top * _ROWS * full) if top > 0 else 0
    if value > 0 and row == 0:
        filled = max(1, filled)  # little is not nothing
    return levels[min(max(filled - row * full, 0), full)]


def _gantt(report: RunReport, seconds: float, cells: int, console: Console) -> list[Text]:
    plain = plain_console(console)
    if not report.processes:
        return [Text.assemble((f"{'Processes':<10}", "bold"), NOT_KNOWN)]
    meaning = short(_meaning(report.processes, plain), _MARGIN + cells - 11, console)
    drawn = [Text.assemble(("Processes", "bold"), (f"  {meaning}", "dim"))]
    for number, lane in enumerate(lanes(report.processes, _MOST_LANES, seconds)):
        there = how_many(lane.processes)
        many = f" ({count_text(there)})" if there > 1 else ""
        name = _named(printable(lane.label), _MARGIN - 2 - len(many), console) + many
        line = Text(set_cell_size(name, _MARGIN - 1))
        line.append("|" if plain else "│", style="dim")
        if many:
            line.append(_crowd(lane, seconds, cells, plain), style=COLOURS[number % len(COLOURS)])
        else:
            line.append_text(_bar(lane.processes[0], seconds, cells, plain, COLOURS[number % len(COLOURS)]))
        drawn.append(line)
    return drawn


def _named(label: str, width: int, console: Console) -> str:
    """The label with its middle left out: commands of one program differ at their ends."""
    if cell_len(label) <= width:
        return label
    end = label[-(width // 2) :]
    return short(label, width - cell_len(end), console) + end if label.isascii() else short(label, width, console)


def _meaning(rows: Sequence[ProcessRow], plain: bool) -> str:
    words = f"{count_text(how_many(rows))}; x failed, > lived on"
    levels = (_PLAIN_LEVELS if plain else _LEVELS)[1:]
    return f"{words}; {levels} how many at once" if len(rows) > _MOST_LANES else words


def _bar(row: ProcessRow, seconds: float, cells: int, plain: bool, colour: str) -> Text:
    """One process from its start to its end, to half a cell."""
    halves = at_once([row], seconds, 2 * cells)
    symbols = {(False, False): " ", (True, False): "▌", (False, True): "▐", (True, True): "█"}
    wholes = [(left >= 0.5, right >= 0.5) for left, right in zip(halves[::2], halves[1::2], strict=True)]
    if not any(left or right for left, right in wholes):  # shorter than that, but it was there
        at = max(range(len(halves)), key=halves.__getitem__)
        wholes[at // 2] = (at % 2 == 0, at % 2 == 1)
    drawn = ["=" if plain and any(pair) else symbols[pair] for pair in wholes]
    last = max(n for n, pair in enumerate(wholes) if any(pair))
    failed = row.exit_code not in {None, 0} or bool(row.signal)
    text = Text("".join(drawn), style=colour)
    if failed or row.end_seconds is None:
        at = min(last + 1, cells - 1)
        text = Text.assemble(
            (text.plain[:at], colour), ("x" if failed else ">", "bold red" if failed else colour), (text.plain[at + 1 :], colour)
        )  # fmt: skip
    return text


def _crowd(lane: Lane, seconds: float, cells: int, plain: bool) -> str:
    """How many of a program lived at once, against the most of that row."""
    levels = _PLAIN_LEVELS if plain else _LEVELS
    counts = at_once(lane.processes, seconds, cells)
    top = max(counts)
    return "".join(levels[max(1, round(n / top * (len(levels) - 1)))] if n > 0 else " " for n in counts)


def _column(at: float, seconds: float, cells: int) -> int:
    return min(cells - 1, max(0, int(at / seconds * cells)))


def _marks(events: Sequence[Event], seconds: float, cells: int) -> list[Text]:
    if not events:
        return []
    line = [" "] * cells
    for letter, event in zip(_LETTERS, events, strict=False):
        at = _column(event.at_seconds, seconds, cells)
        line[at] = letter if line[at] == " " else "+"
    return [Text.assemble((f"{'Events':<{_MARGIN}}", "bold"), ("".join(line), "bold"))]


def _axis(seconds: float, cells: int, plain: bool) -> list[Text]:
    """A line with the times since the start."""
    wanted = max(2.0, cells / 11)
    step = step_for(seconds, round(wanted / 2)) if seconds / wanted >= 1 else _small_step(seconds / wanted)
    line, words, taken = ["-" if plain else "─"] * cells, [" "] * (_MARGIN + cells), 0
    for n in range(int(seconds / step) + 1):
        word = _tick(n * step, step)
        at = _column(n * step, seconds, cells)
        begin = min(max(0, _MARGIN + at - len(word) // 2), len(words) - len(word))
        if begin >= taken:
            line[at] = "+" if plain else "┴"
            words[begin : begin + len(word)] = word
            taken = begin + len(word) + 2
    corner = "+" if plain else "└"
    return [
        Text(f"{'':{_MARGIN - 1}}{corner}{''.join(line)}", style="dim"), Text("".join(words).rstrip(), style="dim")
    ]  # fmt: skip


def _small_step(wanted: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(wanted, 1e-6)))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= wanted * 0.999)


def _tick(at: float, step: float) -> str:
    if step < 1:
        return f"{at:.{max(1, -math.floor(math.log10(step)))}f} s"
    return f"{at:.0f} s" if step < 60 and at < 100 else clock_of(at).removesuffix(".0 s") + (" s" if at < 99.95 else "")


def _events(events: Sequence[Event], width: int, console: Console) -> list[Text]:
    wide = max((cell_len(clock_of(event.at_seconds)) for event in events), default=0)
    lines = [
        Text(short(f"{letter}  {clock_of(one.at_seconds):>{wide}}  {printable(one.what)}: {printable(one.text)}", width, console))
        for letter, one in zip(_LETTERS, events, strict=False)
    ]  # fmt: skip
    left = len(events) - _MOST_EVENTS
    return (
        [Text(), *lines, *([Text(f"and {count_text(left)} more events", style="dim")] if left > 0 else [])]
        if lines
        else []
    )
