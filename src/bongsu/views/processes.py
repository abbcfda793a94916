"""The table of processes: order, filter, tree and columns, as text that is safe to print."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from bongsu.model.process import ProcessRow
from bongsu.views.printable import printable
from bongsu.views.rates import NO_RATES, Identity, ProcessRates
from bongsu.views.units import UNKNOWN, clock_text, short_bytes


class Sort(enum.Enum):
    """What the table is ordered by; the value is the key that chooses it."""

    CPU = "c"
    MEMORY = "m"
    IO = "i"
    THREADS = "t"
    PID = "p"
    USER = "u"


class Entry(NamedTuple):
    """One line of the table: a process, its rates, and what is drawn before its name in a tree."""

    row: ProcessRow
    rates: ProcessRates
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """How the table is arranged. ``turned`` reverses the order that is usual for the key."""

    sort: Sort = Sort.CPU
    turned: bool = False
    words: str = ""  # the filter: shown are rows that hold all of its words
    tree: bool = False


def arrange(
    rows: Sequence[ProcessRow], rates: Mapping[Identity, ProcessRates], order: Order, *, ascii_only: bool = False
) -> list[Entry]:
    """The entries in their order. What is not known sorts below zero; ties go by pid, so that lines keep still."""
    entries = [Entry(row, rates.get(row.identity, NO_RATES)) for row in rows]
    key = _KEYS[order.sort]
    falling = (order.sort not in {Sort.PID, Sort.USER}) is not order.turned
    entries.sort(key=lambda e: e.row.pid)
    entries.sort(key=key, reverse=falling)
    words = order.words.lower().split()
    if order.tree:
        return _tree(entries, {e.row.pid for e in entries if _holds(e.row, words)}, _BRANCHES[ascii_only])
    return [e for e in entries if _holds(e.row, words)] if words else entries


class Column(NamedTuple):
    """One column: shown if the terminal has at least ``least_width`` cells; names are cut, numbers never."""

    title: str
    width: int
    least_width: int
    text: Callable[[Entry], str]
    left: bool = False
    sort: Sort | None = None


def columns(width: int, *, io: bool = True) -> list[Column]:
    """The columns that fit. The program's name takes what is left."""
    return [column for column in _COLUMNS if width >= column.least_width and (io or column.sort is not Sort.IO)]


def heading(width: int, order: Order, *, io: bool = True) -> Text:
    """The line of titles, the one that the table is sorted by set off."""
    line = Text(no_wrap=True, overflow="crop", style="reverse")
    for column in columns(width, io=io):
        title = column.title.ljust(column.width) if column.left else column.title.rjust(column.width)
        line.append(title, style="bold underline" if column.sort is order.sort else "")
        line.append(" ")
    line.append("PROGRAM")
    line.append(" " * max(0, width - line.cell_len))
    line.truncate(width, overflow="crop")
    return line


def line(entry: Entry, width: int, *, selected: bool = False, io: bool = True, arguments: bool = False) -> Text:
    """One process on one line of exactly ``width`` cells; nothing in it can steer the terminal."""
    row = entry.row
    text = Text(no_wrap=True, overflow="crop", style="reverse" if selected else "")
    for column in columns(width, io=io):
        cell = column.text(entry)
        cell = set_cell_size(cell, column.width) if column.left else cell.rjust(column.width)
        text.append(cell, style="" if selected else _style(column, entry))
        text.append(" ")
    left = max(0, width - text.cell_len)
    name = program(row, arguments=arguments)
    text.append(set_cell_size(entry.branch + name, left), style="dim" if row.kernel and not selected else "")
    return text


def program(row: ProcessRow, *, arguments: bool = False) -> str:
    """What a process is called: its arguments, or its program and the name it gave itself; a kernel thread in []."""
    if row.kernel:
        return printable(f"[{row.executable}]")
    if arguments and row.arguments:
        return printable(row.arguments)
    name = row.executable
    if row.comm and not name.startswith(row.comm):
        name = f"{name} ({row.comm})"
    return printable(name)


def plain(entries: Iterable[Entry], width: int | None, order: Order, *, io: bool = True) -> list[str]:
    """The table as plain lines, without colour and trailing blanks; as wide as it needs where ``width`` is None."""
    shown = list(entries)
    if width is None:
        width = 100 + max((cell_len(program(e.row, arguments=True)) + len(e.branch) for e in shown), default=0)
    lines = [heading(width, order, io=io), *(line(e, width, io=io, arguments=True) for e in shown)]
    return [text.plain.rstrip() for text in lines]


def _holds(row: ProcessRow, words: list[str]) -> bool:
    if not words:
        return True
    text = f"{row.pid} {row.user} {row.executable} {row.comm} {row.arguments or ''}".lower()
    return all(word in text for word in words)


_BRANCHES = {False: ("├─", "└─", "│ ", "  "), True: ("|-", "`-", "| ", "  ")}


def _tree(entries: list[Entry], wanted: set[int], marks: tuple[str, str, str, str]) -> list[Entry]:
    """Parents before their children, siblings in the order of ``entries``; ancestors of what is wanted stay."""
    by_pid = {e.row.pid: e for e in entries}
    keep: set[int] = set()
    for start in wanted:
        pid = start
        while pid in by_pid and pid not in keep:
            keep.add(pid)
            pid = by_pid[pid].row.ppid
    children: dict[int, list[Entry]] = {}
    roots: list[Entry] = []
    for entry in entries:
        if entry.row.pid in keep:
            parent = entry.row.ppid
            at_root = parent not in keep or parent == entry.row.pid
            (roots if at_root else children.setdefault(parent, [])).append(entry)
    found: list[Entry] = []
    stack = [(root, "", "") for root in reversed(roots)]
    while stack:
        entry, indent, mark = stack.pop()
        found.append(entry._replace(branch=indent + mark))
        below = children.pop(entry.row.pid, [])
        deeper = indent + (marks[2] if mark == marks[0] else marks[3] if mark else "")
        stack.extend((child, deeper, marks[0] if place else marks[1]) for place, child in enumerate(reversed(below)))
    return found


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


_KEYS: dict[Sort, Callable[[Entry], float | str]] = {
    Sort.CPU: lambda e: _number(e.rates.cores),
    Sort.MEMORY: lambda e: e.row.resident_bytes,
    Sort.IO: lambda e: _number(e.rates.io_bytes),
    Sort.THREADS: lambda e: e.row.threads,
    Sort.PID: lambda e: e.row.pid,
    Sort.USER: lambda e: e.row.user,
}


def _cpu(entry: Entry) -> str:
    cores = entry.rates.cores
    if cores is None:
        return UNKNOWN
    return f"{cores * 100:.1f}" if cores < 99.995 else f"{cores * 100:.0f}"


_COLUMNS = (
    Column("PID", 7, 0, lambda e: str(e.row.pid), sort=Sort.PID),
    Column("USER", 8, 60, lambda e: printable(e.row.user), left=True, sort=Sort.USER),
    Column("S", 1, 50, lambda e: printable(e.row.state)[:1], left=True),
    Column("THR", 4, 72, lambda e: str(e.row.threads), sort=Sort.THREADS),
    Column("CPU %", 6, 24, _cpu, sort=Sort.CPU),
    Column("MEM", 5, 32, lambda e: short_bytes(e.row.resident_bytes), sort=Sort.MEMORY),
    Column("READ/s", 6, 66, lambda e: short_bytes(e.rates.read_bytes), sort=Sort.IO),
    Column("WRIT/s", 6, 66, lambda e: short_bytes(e.rates.write_bytes), sort=Sort.IO),
    Column("TIME", 7, 56, lambda e: clock_text(e.row.cpu_seconds)),
)


def _style(column: Column, entry: Entry) -> str:
    if column.title == "CPU %" and (entry.rates.cores or 0.0) >= 0.5:
        return "bold green" if (entry.rates.cores or 0.0) < 0.95 else "bold yellow"
    if column.title == "S" and entry.row.state in "DZ":
        return "bold red"
    if column.title in {"READ/s", "WRIT/s"} and (entry.rates.io_bytes or 0.0) > 0:
        return "cyan"
    return "dim" if column.title in {"PID", "TIME", "THR"} else ""
