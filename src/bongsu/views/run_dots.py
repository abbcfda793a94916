"""Groups of runs on one axis: a dot for each run, and below it the group's median within its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from bongsu.model.comparison import Row
from bongsu.views.columns import plain_console, short
from bongsu.views.plot import BRAILLE, COLOURS, DOTS, Scale, value_ticks
from bongsu.views.printable import printable

_LONGEST_LABEL = 24
_WIDEST = 100  # cells of the axis: what lies far apart is hard to compare
_CELLS_A_TICK = 14


def dots(row: Row, scale: Scale, console: Console) -> Iterator[Text]:
    """The lines of the picture; none where no run has a value. With Braille a dot is half a cell wide."""
    values = [value for side in row.sides for value in side.values if value is not None]
    if not values:
        return
    plain = plain_console(console)
    labels = [short(printable(side.group), _LONGEST_LABEL, console) for side in row.sides]
    margin = max(Text(label).cell_len for label in labels)
    cells = max(10, min(_WIDEST, console.width - margin - 2))
    ticks = value_ticks(min(values), max(values), scale.base, max(2, cells // _CELLS_A_TICK))

    def place(value: float, steps: int = cells) -> int:
        return round((value - ticks[0]) / (ticks[-1] - ticks[0]) * (steps - 1))

    for number, (side, label) in enumerate(zip(row.sides, labels, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        known = [value for value in side.values if value is not None]
        strips = (
            _counted(list(map(place, known)), cells) if plain else _stacked([place(v, 2 * cells) for v in known], cells)
        )
        for strip in strips[:-1]:
            yield Text(f"{'':{margin}}  ").append(strip, style=colour)
        yield (
            Text(" " * (margin - Text(label).cell_len))
            .append(label, style="bold")
            .append(f"  {strips[-1]}", style=colour)
        )
        marks = [None if at is None else place(at) for at in (side.median_low, side.median, side.median_high)]
        yield Text(f"{'':{margin}}  ").append(_marked(marks, cells, plain), style=colour)
    axis, words, free = ["-" if plain else "─"] * cells, " " * cells, 0
    for tick in ticks:
        word, column = scale.text(tick), place(tick)
        begin = max(0, min(column - len(word) // 2, cells - len(word)))
        if begin >= free:
            axis[column] = "+" if plain else "┴"
            words = f"{words[:begin]}{word}{words[begin + len(word) :]}"
            free = begin + len(word) + 2
    yield Text(f"{'':{margin}}  {''.join(axis)}", style="dim")
    yield Text(f"{'':{margin}}  {words.rstrip()}", style="dim")


def _stacked(places: Sequence[int], cells: int) -> list[str]:
    """Rows of Braille from the top: a dot at each place, on top of those that are there already."""
    heights = [places.count(step) for step in range(2 * cells)]
    drawn = []
    for row in reversed(range(max(1, -(-max(heights) // 4)))):
        bits = [0] * cells
        for step, height in enumerate(heights):
            for dot in range(max(0, min(4, height - 4 * row))):
                bits[step // 2] |= DOTS[3 - dot][step % 2]
        drawn.append("".join(chr(BRAILLE | cell) if cell else " " for cell in bits))
    return drawn


def _counted(places: Sequence[int], cells: int) -> list[str]:
    """One row of ASCII: an o for a run, a number where several meet, # for more than nine."""
    counts = [places.count(cell) for cell in range(cells)]
    return ["".join(" " if not n else "o" if n == 1 else str(n) if n < 10 else "#" for n in counts)]


def _marked(marks: Sequence[int | None], cells: int, plain: bool) -> str:
    """The interval as a line with ends, and the median across it."""
    low, middle, high = marks
    line = [" "] * cells
    if low is not None and high is not None:
        line[low : high + 1] = ["-" if plain else "─"] * (high - low + 1)
        line[low], line[high] = ("[", "]") if plain else ("├", "┤")
    if middle is not None:
        line[middle] = "|" if plain else "┃"
    return "".join(line).rstrip()
