"""The table of processes: order, filter, tree and columns, as text that is safe to print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from bongsu.model.process import ProcessRow
from bongsu.views import ruled
from bongsu.views.owned import called, searched
from bongsu.views.printable import printable
from bongsu.views.rates import NO_RATES, Identity, ProcessRates
from bongsu.views.ruled import Column, Sort
from bongsu.views.units import UNKNOWN, clock_text, short_bytes


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
    uid: int | None = None  # only processes of this user id
    user: str = ""  # only processes of the user of this name or number

    def shows(self, row: ProcessRow) -> bool:
        """Whether a process is of the user whose processes alone are wanted."""
        return (self.uid is None or row.uid == self.uid) and (not self.user or self.user in {row.user, str(row.uid)})


class Words:
    """The filter: what it finds holds all of its words, in any case."""

    def __init__(self, words: str) -> None:
        self._words = words.lower().split()
        self._owners: dict[int, str] = {}  # by identity of the object: processes of a cgroup share one

    def __bool__(self) -> bool:
        return bool(self._words)

    def find(self, row: ProcessRow) -> bool:
        """Whether a process, or who it belongs to, holds them."""
        if not self._words:
            return True
        owner = ""
        if row.owner is not None:
            owner = self._owners.get(id(row.owner)) or self._owners.setdefault(id(row.owner), searched(row.owner))
        text = f"{row.pid} {row.user} {row.executable} {row.comm} {row.arguments or ''} ".lower() + owner
        return all(word in text for word in self._words)

    def find_text(self, text: str) -> bool:
        """Whether a text in small letters holds them."""
        return all(word in text for word in self._words)


def arrange(
    rows: Sequence[ProcessRow], rates: Mapping[Identity, ProcessRates], order: Order, *, ascii_only: bool = False
) -> list[Entry]:
    """The entries in their order. What is not known sorts below zero; ties go by pid, so that lines keep still."""
    words = Words(order.words)
    if order.tree:
        entries = _ordered(rows, rates, order)
        wanted = {e.row.pid for e in entries if order.shows(e.row) and words.find(e.row)}
        return _tree(entries, wanted, BRANCHES[ascii_only])
    if order.uid is not None or order.user or words:
        rows = [row for row in rows if order.shows(row) and words.find(row)]
    return _ordered(rows, rates, order)


def _ordered(rows: Iterable[ProcessRow], rates: Mapping[Identity, ProcessRates], order: Order) -> list[Entry]:
    entries = [Entry(row, rates.get(row.identity, NO_RATES)) for row in rows]
    falling = (order.sort not in {Sort.PID, Sort.USER}) is not order.turned
    entries.sort(key=lambda e: e.row.pid)
    entries.sort(key=_KEYS[order.sort], reverse=falling)
    return entries


def heading(width: int, order: Order) -> Text:
    """The line of titles."""
    return ruled.heading(_COLUMNS, "PROGRAM", width, order.sort)


def line(entry: Entry, width: int, *, selected: bool = False, arguments: bool = False) -> Text:
    """One process on one line of exactly ``width`` cells; nothing in it can steer the terminal."""
    name = entry.branch + program(entry.row, arguments=arguments)
    return ruled.line(
        _COLUMNS, entry, name, width, _style, selected=selected, last_style="dim" if entry.row.kernel else ""
    )


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


def plain(entries: Iterable[Entry], width: int | None, order: Order) -> list[str]:
    """The table as plain lines, without colour and trailing blanks; as wide as it needs where ``width`` is None."""
    shown = list(entries)
    if width is None:
        width = 140 + max((cell_len(program(e.row, arguments=True)) + len(e.branch) for e in shown), default=0)
    lines = [heading(width, order), *(line(e, width, arguments=True) for e in shown)]
    return [text.plain.rstrip() for text in lines]


BRANCHES = {False: ("├─", "└─", "│ ", "  "), True: ("|-", "`-", "| ", "  ")}


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


def _owner(entry: Entry) -> str:
    return UNKNOWN if entry.row.owner is None else printable(called(entry.row.owner))


# An owner's words say a user where nothing else manages the process: at 80 columns they stand in the user's place.
_COLUMNS: tuple[Column[Entry], ...] = (
    Column("PID", 7, 0, lambda e: str(e.row.pid), sort=Sort.PID),
    Column("USER", 8, 60, lambda e: printable(e.row.user), left=True, sort=Sort.USER, below=72),
    Column("USER", 8, 96, lambda e: printable(e.row.user), left=True, sort=Sort.USER),
    Column("S", 1, 50, lambda e: printable(e.row.state)[:1], left=True),
    Column("THR", 4, 96, lambda e: str(e.row.threads), sort=Sort.THREADS),
    Column("CPU %", 6, 24, _cpu, sort=Sort.CPU),
    Column("MEM", 5, 32, lambda e: short_bytes(e.row.resident_bytes), sort=Sort.MEMORY),
    Column("READ/s", 6, 66, lambda e: short_bytes(e.rates.read_bytes), sort=Sort.IO),
    Column("WRIT/s", 6, 66, lambda e: short_bytes(e.rates.write_bytes), sort=Sort.IO),
    Column("TIME", 7, 56, lambda e: clock_text(e.row.cpu_seconds)),
    Column("OWNER", 14, 72, _owner, left=True, below=110),
    Column("OWNER", 20, 110, _owner, left=True, below=140),
    Column("OWNER", 32, 140, _owner, left=True),
)


def _style(column: Column[Entry], entry: Entry) -> str:
    if column.title == "CPU %" and (entry.rates.cores or 0.0) >= 0.5:
        return "bold green" if (entry.rates.cores or 0.0) < 0.95 else "bold yellow"
    if column.title == "S" and entry.row.state in "DZ":
        return "bold red"
    if column.title in {"READ/s", "WRIT/s"} and (entry.rates.io_bytes or 0.0) > 0:
        return "cyan"
    return "dim" if column.title in {"PID", "TIME", "THR"} else ""
