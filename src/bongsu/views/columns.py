"""A table whose names give way to its numbers where the terminal is narrow; its words are ASCII where only that shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.text import Text

GAP = 2  # cells between columns


def plain_console(console: Console) -> bool:
    """Whether only ASCII may be drawn."""
    return "utf" not in (console.encoding or "").lower()


def short(text: str, width: int, console: Console) -> str:
    """The text in at most this many cells, with dots for what is left out."""
    if cell_len(text) <= width:
        return text
    dots = ("..." if plain_console(console) else "…")[:width]
    return set_cell_size(text, width - len(dots)) + dots


def fitted(
    titles: Sequence[str], rows: Sequence[Sequence[Text]], console: Console, *, left: Collection[int] = (0,),
    give: Iterable[tuple[int, int]] = (),
) -> Group:  # fmt: skip
    """A table of these columns that fits the console's width as far as names can make it fit.

    Args:
        titles: one for each column.
        rows: one cell for each column.
        console: what it is drawn for.
        left: the columns that stand left; numbers stand right.
        give: which columns give way, first to last: (column, least cells), or (column, 0) to leave it out. Those
            that are not named stay whole: a cut number would be a wrong one.
    """
    widths = [max(cell_len(title), *(row[at].cell_len for row in rows)) for at, title in enumerate(titles)]
    shown = list(range(len(titles)))
    for at, least in give:
        over = sum(widths[one] for one in shown) + GAP * (len(shown) - 1) - console.width
        if over <= 0:
            break
        if least:
            widths[at] = min(widths[at], max(least, widths[at] - over))
        else:
            shown.remove(at)
    drawn = [_line([Text(title, style="bold") for title in titles], widths, shown, left, console)]
    drawn += [_line(row, widths, shown, left, console) for row in rows]
    return Group(*drawn)


def _line(
    row: Sequence[Text], widths: Sequence[int], shown: Sequence[int], left: Collection[int], console: Console
) -> Text:
    """One line of these columns, without blanks at its end: lines are copied, compared and searched."""
    line = Text(no_wrap=True, overflow="ignore")  # else Rich would cut numbers
    for at in shown:
        cell = row[at]
        if cell.cell_len > widths[at]:
            cell = Text(short(cell.plain, widths[at], console), style=cell.style)
        blanks = " " * (widths[at] - cell.cell_len)
        line.append_text(Text.assemble(cell, blanks) if at in left else Text.assemble(blanks, cell))
        if at != shown[-1]:
            line.append(" " * GAP)
    line.rstrip()
    return line
