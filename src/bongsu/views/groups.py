"""The table of groups: one line for each owner, user or command, with what it uses against its limits."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.summary import OwnerUse
from bongsu.model.usage import From
from bongsu.views import ruled
from bongsu.views.owned import called, searched
from bongsu.views.printable import printable
from bongsu.views.processes import Order, Words
from bongsu.views.rates import NO_RATES, Identity, ProcessRates
from bongsu.views.ruled import Column, Sort
from bongsu.views.units import UNKNOWN, short_bytes

Key = tuple[str, ...]
_BAR = {False: ("█", "·"), True: ("#", ".")}
_WARM, _HOT = 0.8, 0.95


class By(enum.Enum):
    """What processes are grouped by."""

    NONE = "none"
    OWNER = "owner"
    USER = "user"
    COMMAND = "command"


class Group(NamedTuple):
    """One line of the table. Rates are per second; None is not known, and of a limit also: there is none."""

    key: Key
    name: str
    searched: str  # in small letters
    kind: str = ""
    user: str = ""
    source: str = ""  # how its use is known
    processes: int = 0
    cores: float | None = None
    cores_limit: float | None = None
    throttled: float | None = None
    memory_bytes: int | None = None
    memory_limit: int | None = None
    read_bytes: float | None = None
    write_bytes: float | None = None
    tasks: int | None = None
    tasks_limit: int | None = None
    bar: str = ""


def key_of(row: ProcessRow, by: By) -> Key:
    """The group that a process is in."""
    match by:
        case By.OWNER:
            return () if row.owner is None else row.owner.key
        case By.USER:
            return (row.user,)
        case By.COMMAND:
            return ("", "kernel") if row.kernel else (row.executable,)
        case By.NONE:
            return (str(row.pid), str(row.start_ticks))


def arrange(
    rows: Sequence[ProcessRow], rates: Mapping[Identity, ProcessRates], by: By, order: Order,
    uses: Sequence[tuple[Owner, OwnerUse]] | None, *, ascii_only: bool = False,
) -> list[Group]:  # fmt: skip
    """The groups in their order: those that hold a wanted process, or are called what is searched for.

    ``uses`` is what owners use by their own cgroups; where it is None their processes are summed.
    """
    words = Words(order.words)
    wanted = {key_of(row, by) for row in rows if order.shows(row)}
    if by is By.OWNER and uses is not None:
        groups = [_of_use(owner, use) for owner, use in uses]
    else:
        groups = _summed(rows, rates, by)
    if words:
        holding = {key_of(row, by) for row in rows if order.shows(row) and words.find(row)}
        groups = [group for group in groups if group.key in holding or words.find_text(group.searched)]
    marks = _BAR[ascii_only]
    groups = [group._replace(bar=_bar(group, marks)) for group in groups if group.key in wanted]
    falling = (order.sort is not Sort.USER) is not order.turned
    groups.sort(key=lambda group: group.key)
    groups.sort(key=_KEYS[order.sort], reverse=falling)
    return groups


def _of_use(owner: Owner, use: OwnerUse) -> Group:
    name = called(owner) + (f" {owner.name}" if owner.kind is OwnerKind.SLURM and owner.name else "")
    return Group(
        owner.key, printable(name), searched(owner), owner.kind.value, printable(owner.user), _source(use), use.processes,
        use.cores, use.cpu_limit_cores, use.cpu_throttled_ratio, use.held_bytes, use.memory_limit_bytes,
        use.read_bytes_per_second, use.written_bytes_per_second, use.tasks, use.tasks_limit,
    )  # fmt: skip


def _source(use: OwnerUse) -> str:
    """How CPU and memory are known: the two that people look at first."""
    known = {use.cpu_from, use.memory_from} - {From.UNKNOWN.value}
    if known == {From.CGROUP.value}:
        return "by cgroup"
    return "summed" if known == {From.PROCESSES.value} else "both" if known else UNKNOWN


def _summed(rows: Iterable[ProcessRow], rates: Mapping[Identity, ProcessRates], by: By) -> list[Group]:
    members: dict[Key, list[ProcessRow]] = {}
    for row in rows:
        members.setdefault(key_of(row, by), []).append(row)
    return [
        _sum(key, found, [rates.get(row.identity, NO_RATES) for row in found], by) for key, found in members.items()
    ]


def _sum(key: Key, rows: list[ProcessRow], rates: list[ProcessRates], by: By) -> Group:
    first = rows[0]
    users = {row.user for row in rows}
    owner = first.owner if by is By.OWNER else None
    if by is By.USER:
        name = first.user
    elif by is By.COMMAND:
        name = "[kernel]" if first.kernel else first.executable
    else:
        name = "unknown" if owner is None else called(owner)
    return Group(
        key, printable(name), name.lower() if owner is None else searched(owner), "" if owner is None else owner.kind.value,
        printable(first.user) if len(users) == 1 else f"{len(users)} users", "summed", len(rows),
        _known([rate.cores for rate in rates]), memory_bytes=sum([row.resident_bytes for row in rows]),
        read_bytes=_known([rate.read_bytes for rate in rates]), write_bytes=_known([rate.write_bytes for rate in rates]),
        tasks=sum([row.threads for row in rows]),
    )  # fmt: skip


def _known(values: list[float | None]) -> float | None:
    """The sum of those that are known; None where none is."""
    found = [value for value in values if value is not None]
    return sum(found) if found else None


def heading(width: int, by: By, order: Order) -> Text:
    """The line of titles."""
    return ruled.heading(_COLUMNS, by.name, width, order.sort)


def line(group: Group, width: int, *, selected: bool = False) -> Text:
    """One group on one line of exactly ``width`` cells; nothing in it can steer the terminal."""
    return ruled.line(_COLUMNS, group, group.name, width, _style, selected=selected)


def plain(groups: Sequence[Group], width: int | None, by: By, order: Order) -> list[str]:
    """The table as plain lines; as wide as it needs where ``width`` is None."""
    if width is None:
        width = 150 + max((cell_len(group.name) for group in groups), default=0)
    return [text.plain.rstrip() for text in (heading(width, by, order), *(line(group, width) for group in groups))]


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


_KEYS: dict[Sort, Callable[[Group], float | str]] = {
    Sort.CPU: lambda g: _number(g.cores),
    Sort.MEMORY: lambda g: _number(g.memory_bytes),
    Sort.IO: lambda g: (g.read_bytes or 0.0) + (g.write_bytes or 0.0),
    Sort.THREADS: lambda g: _number(g.tasks),
    Sort.PID: lambda g: g.processes,
    Sort.USER: lambda g: g.user,
}


def _percent(cores: float | None) -> str:
    if cores is None:
        return UNKNOWN
    return f"{cores * 100:.1f}" if cores < 99.995 else f"{cores * 100:.0f}"


def _limit(value: float | None, text: Callable[[float], str]) -> str:
    return "" if value is None else text(value)


def _bar(group: Group, marks: tuple[str, str]) -> str:
    if not group.memory_limit or group.memory_bytes is None:
        return ""
    full = min(8, round(group.memory_bytes / group.memory_limit * 8))
    return marks[0] * full + marks[1] * (8 - full)


_COLUMNS: tuple[Column[Group], ...] = (
    Column("PROC", 5, 40, lambda g: str(g.processes), sort=Sort.PID),
    Column("USER", 8, 64, lambda g: g.user, left=True, sort=Sort.USER),
    Column("CPU %", 6, 0, lambda g: _percent(g.cores), sort=Sort.CPU),
    Column("OF", 5, 54, lambda g: _limit(g.cores_limit, lambda cores: f"{cores * 100:.0f}")),
    Column("THR %", 5, 92, lambda g: _limit(g.throttled, lambda ratio: f"{ratio * 100:.0f}")),
    Column("MEM", 5, 24, lambda g: short_bytes(g.memory_bytes), sort=Sort.MEMORY),
    Column("OF", 5, 48, lambda g: _limit(g.memory_limit, short_bytes)),
    Column("", 8, 78, lambda g: g.bar, left=True),
    Column("READ/s", 6, 72, lambda g: short_bytes(g.read_bytes), sort=Sort.IO),
    Column("WRIT/s", 6, 72, lambda g: short_bytes(g.write_bytes), sort=Sort.IO),
    Column("TASKS", 5, 116, lambda g: UNKNOWN if g.tasks is None else str(g.tasks), sort=Sort.THREADS),
    Column("OF", 6, 124, lambda g: _limit(g.tasks_limit, lambda most: f"{most:.0f}")),
    Column("KNOWN", 9, 104, lambda g: g.source, left=True),
    Column("KIND", 9, 140, lambda g: g.kind, left=True),
)


def _style(column: Column[Group], group: Group) -> str:
    if column.title == "" or column.sort is Sort.MEMORY:
        share = (group.memory_bytes or 0) / group.memory_limit if group.memory_limit else 0.0
        return (
            "bold red" if share >= _HOT else "bold yellow" if share >= _WARM else "green" if column.title == "" else ""
        )
    if column.title == "THR %" and (group.throttled or 0.0) >= 0.1:
        return "bold yellow"
    if column.sort is Sort.CPU and (group.cores or 0.0) >= 0.5:
        near = group.cores_limit is not None and (group.cores or 0.0) >= _HOT * group.cores_limit
        return "bold yellow" if near else "bold green"
    if column.sort is Sort.IO and (group.read_bytes or 0.0) + (group.write_bytes or 0.0) > 0:
        return "cyan"
    return "dim" if column.title in {"OF", "PROC", "TASKS", "KNOWN", "KIND"} else ""
