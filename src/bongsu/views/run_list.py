"""The list of runs as a table of plain lines: a thousand of them are there at once, so no terminal library is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from bongsu.records.run_list import RunRow
from bongsu.views.printable import printable
from bongsu.views.units import UNKNOWN, bytes_text, seconds_text, when_text

_GAP = "  "
_TITLES = ("run", "started", "took", "CPU", "memory", "end", "command")
_RIGHT = frozenset({2, 3, 4})
_GIVE = ((1, 0), (6, 12), (4, 0), (6, 0), (3, 0))  # column, least cells or 0 to leave it out; numbers are never cut
_STATES = {"running": "running", "lost": "lost", "unreadable": "unreadable", "newer": "newer version"}
_LONGEST = 1000  # characters of a command that are looked at


def table(rows: Sequence[RunRow], width: int, *, ascii_only: bool = False, now: float | None = None) -> list[str]:
    """The lines of the table, a heading first; no line for no rows.

    Args:
        rows: in the order to show.
        width: cells that a line may have, as far as columns can give way; 0 for as wide as it gets.
        ascii_only: whether dots for what is cut must be ASCII.
        now: Unix seconds; times of today are shown without their day.
    """
    if not rows:
        return []
    cells = [_TITLES, *(_cells(row, now) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    shown = list(range(len(_TITLES)))
    for column, least in _GIVE:
        over = sum(widths[one] for one in shown) + len(_GAP) * (len(shown) - 1) - width
        if not width or over <= 0:
            break
        if least:
            widths[column] = min(widths[column], max(least, widths[column] - over))
        else:
            shown.remove(column)
    dots = "..." if ascii_only else "…"
    return [_GAP.join(_fit(line[at], widths[at], at, dots) for at in shown).rstrip() for line in cells]


def end_text(row: RunRow) -> str:
    """How a run ended, or what is the matter with it, in a word or two."""
    if row.state in _STATES:
        return _STATES[row.state]
    if row.signal:
        return printable(row.signal)
    return UNKNOWN if row.exit_code is None else str(row.exit_code)


def _cells(row: RunRow, now: float | None) -> tuple[str, ...]:
    words = " ".join(row.command) or row.name
    tags = f"[{', '.join(row.tags)}] " if row.tags else ""
    return (
        printable(row.id), when_text(row.started, now), seconds_text(row.wall_seconds), seconds_text(row.cpu_seconds),
        bytes_text(row.peak_memory_bytes), end_text(row), printable((tags + words)[:_LONGEST]) or UNKNOWN,
    )  # fmt: skip


def _fit(text: str, width: int, column: int, dots: str) -> str:
    space = width - cell_len(text)
    if space < 0:
        return set_cell_size(text, width - len(dots)) + dots
    return " " * space + text if column in _RIGHT else text + " " * space
