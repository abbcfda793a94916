"""Lines of a table in a terminal: columns of fixed width that give way, and a name that takes what is left."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.cells import set_cell_size
from rich.text import Text

E = TypeVar("E")
_WIDEST = 1 << 30


class Sort(enum.Enum):
    """What a table is ordered by; the value is the key that chooses it."""

    CPU = "c"
    MEMORY = "m"
    IO = "i"
    THREADS = "t"
    PID = "p"
    USER = "u"


class Column(NamedTuple, Generic[E]):
    """One column, shown where the terminal has ``least_width`` cells and less than ``below``; numbers are never cut."""

    title: str
    width: int
    least_width: int
    text: Callable[[E], str]
    left: bool = False
    sort: Sort | None = None
    below: int = _WIDEST


def that_fit(columns: Sequence[Column[E]], width: int) -> list[Column[E]]:
    """The columns that a terminal of this width has room for."""
    return [column for column in columns if column.least_width <= width < column.below]


def heading(columns: Sequence[Column[E]], last: str, width: int, sort: Sort) -> Text:
    """The line of titles, the one that the table is sorted by set off."""
    line = Text(no_wrap=True, overflow="crop", style="reverse")
    for column in that_fit(columns, width):
        title = column.title.ljust(column.width) if column.left else column.title.rjust(column.width)
        line.append(title, style="bold underline" if column.sort is sort else "")
        line.append(" ")
    line.append(last)
    line.append(" " * max(0, width - line.cell_len))
    line.truncate(width, overflow="crop")
    return line


def line(
    columns: Sequence[Column[E]], entry: E, last: str, width: int, style: Callable[[Column[E], E], str], *,
    selected: bool, last_style: str = "",
) -> Text:  # fmt: skip
    """One entry on one line of exactly ``width`` cells; ``last`` and the cells must be printable."""
    text = Text(no_wrap=True, overflow="crop", style="reverse" if selected else "")
    for column in that_fit(columns, width):
        cell = column.text(entry)
        cell = set_cell_size(cell, column.width) if column.left else cell.rjust(column.width)
        text.append(cell, style="" if selected else style(column, entry))
        text.append(" ")
    left = max(0, width - text.cell_len)
    text.append(set_cell_size(last, left), style="" if selected else last_style)
    return text
