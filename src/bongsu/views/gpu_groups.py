"""The table of who is on GPUs: one line for each owner, user or command, with what its processes use together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from bongsu.model.batch import Batch
from bongsu.model.owner import Owner, OwnerKind
from bongsu.views import ruled
from bongsu.views.gpu_entries import OnGpu, Shown, age
from bongsu.views.gpu_owners import Use, owners_on, use_of
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_units import age_text, percent, rank
from bongsu.views.gpu_visible import Visible
from bongsu.views.groups import By, Key
from bongsu.views.owned import called, keys, searched
from bongsu.views.printable import printable
from bongsu.views.processes import Order
from bongsu.views.ruled import Column, Sort
from bongsu.views.units import UNKNOWN, short_bytes


class GpuGroup(NamedTuple):
    """One line of the table."""

    key: Key
    name: str
    searched: str  # in small letters
    use: Use
    age: float | None  # s, of the oldest process
    owner: Owner | None = None  # of a group by owner
    held: tuple[str, ...] = ()  # devices and instances that were given to it
    empty: tuple[str, ...] | None = None  # of these without a process of it, where that is known

    @property
    def user(self) -> str:
        """Whose its processes are."""
        users = self.use.users
        return f"{len(users)} users" if len(users) > 1 else printable(users[0]) if users else ""


def key_of(one: OnGpu, by: By) -> Key:
    """The group that a process is in: the one in which the table of all processes has it."""
    match by:
        case By.OWNER:
            return one.row.owner.key
        case By.USER:
            return (one.row.user,)
        case By.COMMAND:
            return (one.row.command if one.process is None else one.process.executable,)
        case By.NONE:
            return tuple(str(part) for part in one.identity)


def arrange(
    entries: Sequence[OnGpu], by: By, order: Order, batch: Batch, power: GpuPower, visible: Visible | None = None
) -> list[GpuGroup]:
    """The groups in their order: those that hold a wanted process, or are called what is searched for.

    By owner also who was given a GPU and has no process on it.
    """
    shown = Shown(order)
    members: dict[Key, list[OnGpu]] = {}
    for one in entries:
        members.setdefault(key_of(one, by), []).append(one)
    groups = []
    for group in _by_owner(batch, power, visible) if by is By.OWNER else _by_name(members, batch.time, power):
        found = members.get(group.key)
        words = all(word in group.searched for word in shown.words)
        if found is None:
            wanted = group.owner is not None and shown.of_name(group.owner.user) and words
        else:
            wanted = any(shown.of_user(one) for one in found) and (words or any(shown(one) for one in found))
        if wanted:
            groups.append(group)
    groups.sort(key=lambda group: group.key)
    groups.sort(key=_KEYS[order.sort], reverse=(order.sort is not Sort.USER) is not order.turned)
    return groups


def _by_owner(batch: Batch, power: GpuPower, visible: Visible | None) -> list[GpuGroup]:
    return [
        GpuGroup(
            one.owner.key if one.owner.id or one.rows else (*one.owner.key, one.owner.namespace, one.owner.name),
            printable(_name(one.owner)), searched(one.owner), one.use, age(batch.time, one.use.start_time), one.owner,
            one.given, one.empty,
        )
        for one in owners_on(batch, power, visible)
    ]  # fmt: skip


def _by_name(members: dict[Key, list[OnGpu]], now: float, power: GpuPower) -> list[GpuGroup]:
    groups = []
    for key, found in members.items():
        use = use_of([one.row for one in found], power)
        groups.append(GpuGroup(key, printable(key[0]) or "unknown", key[0].lower(), use, age(now, use.start_time)))
    return groups


def _name(owner: Owner) -> str:
    return called(owner) + (f" {owner.name}" if owner.kind is OwnerKind.SLURM and owner.name else "")


def document(group: GpuGroup) -> dict[str, Any]:
    """A line by owner as a program reads it: base units, null for what is not known."""
    use = group.use
    return {
        "owner": None if group.owner is None else keys(group.owner), "processes": use.processes, "gpus": use.gpus,
        "gpus_given": group.held, "gpus_empty": group.empty, "memory_bytes": use.memory_bytes, "sm_ratio": use.sm_ratio,
        "power_watts": use.watts, "energy_joules": use.joules, "oldest_process_start_time": use.start_time,
        "oldest_age_seconds": group.age,
    }  # fmt: skip


def heading(width: int, by: By, order: Order) -> Text:
    """The line of titles."""
    return ruled.heading(_COLUMNS, by.name, width, order.sort)


def line(group: GpuGroup, width: int, *, selected: bool = False) -> Text:
    """One group on one line of exactly ``width`` cells; nothing in it can steer the terminal."""
    return ruled.line(_COLUMNS, group, group.name, width, _style, selected=selected)


def plain(groups: Iterable[GpuGroup], width: int | None, by: By, order: Order) -> list[str]:
    """The table as plain lines; as wide as it needs where ``width`` is None."""
    shown = list(groups)
    if width is None:
        width = 140 + max((cell_len(group.name) for group in shown), default=0)
    return [text.plain.rstrip() for text in (heading(width, by, order), *(line(group, width) for group in shown))]


def ranges(gpus: Sequence[str], room: int) -> str:
    """Devices in a row as one, and how many there is no room for: ``0-3,5,7_1_0``, ``7_1_0 +6``."""
    found: list[tuple[str, int]] = []  # with how many it stands for
    run: list[int] = []
    for gpu in (*gpus, ""):
        if gpu.isdigit() and (not run or int(gpu) == run[-1] + 1):
            run.append(int(gpu))
            continue
        if run:
            found.append((str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}", len(run)))
        run = [int(gpu)] if gpu.isdigit() else []
        if gpu and not run:
            found.append((printable(gpu), 1))
    words = ",".join(word for word, _ in found)
    left = 0
    while len(words) > room and found:
        left += found.pop()[1]
        words = ",".join(word for word, _ in found) + f" +{left}"
    return words.lstrip()


_KEYS: dict[Sort, Callable[[GpuGroup], Any]] = {
    Sort.CPU: lambda g: rank(g.use.sm_ratio),
    Sort.MEMORY: lambda g: rank(g.use.memory_bytes),
    Sort.IO: lambda g: rank(g.use.watts),
    Sort.THREADS: lambda g: len(g.use.gpus),
    Sort.PID: lambda g: rank(g.use.processes),
    Sort.USER: lambda g: g.user,
}

_ROOM = 14
_COLUMNS: tuple[Column[GpuGroup], ...] = (
    Column("PROC", 4, 40, lambda g: UNKNOWN if g.use.processes is None else str(g.use.processes), sort=Sort.PID),
    Column("USER", 8, 72, lambda g: g.user, left=True, sort=Sort.USER),
    Column("GPUS", 4, 0, lambda g: UNKNOWN if g.use.processes is None else str(len(g.use.gpus)), sort=Sort.THREADS),
    Column("OF", 3, 48, lambda g: str(len(g.held)) if g.held else ""),
    Column("MEM", 5, 24, lambda g: short_bytes(g.use.memory_bytes), sort=Sort.MEMORY),
    Column("SM %", 4, 32, lambda g: percent(g.use.sm_ratio), sort=Sort.CPU),
    Column("W", 5, 60, lambda g: UNKNOWN if g.use.watts is None else f"{g.use.watts:.0f}", sort=Sort.IO),
    Column("AGE", 4, 54, lambda g: age_text(g.age) if g.use.processes else ""),
    Column("ON", _ROOM, 96, lambda g: ranges(g.use.gpus, _ROOM), left=True),
    Column("KIND", 9, 130, lambda g: "" if g.owner is None else g.owner.kind.value, left=True),
)


def _style(column: Column[GpuGroup], group: GpuGroup) -> str:
    if column.title == "OF" and group.empty:
        return "bold yellow"  # it holds a GPU on which it does nothing
    if column.sort is Sort.CPU and (group.use.sm_ratio or 0.0) >= 0.5:
        return "bold green"
    return "dim" if column.title in {"PROC", "OF", "AGE", "KIND"} else ""
