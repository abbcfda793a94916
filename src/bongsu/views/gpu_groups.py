"""The table of who is on GPUs: one line for each owner, user or command, with what its processes use together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from rich.cells import cell_len
from rich.text import Text

from bongsu.collectors import gpu_process as series
from bongsu.collectors.gpu_allocation import ALLOCATION
from bongsu.model.batch import Batch
from bongsu.model.owner import Owner, OwnerKind
from bongsu.views import ruled
from bongsu.views.gpu_entries import OnGpu, Shown, place
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_units import age_text, percent
from bongsu.views.gpu_visible import Visible
from bongsu.views.groups import By, Key
from bongsu.views.owned import called, keys, searched
from bongsu.views.printable import printable
from bongsu.views.processes import Order
from bongsu.views.ruled import Column, Sort
from bongsu.views.units import UNKNOWN, short_bytes

N = TypeVar("N", int, float)


class GpuGroup(NamedTuple):
    """One line of the table. A sum is None where the driver does not tell it of each process."""

    key: Key
    name: str
    searched: str  # in small letters
    owner: Owner | None = None  # of a group by owner
    user: str = ""
    processes: int | None = 0  # one on two GPUs is one; None: who is on what was given to it cannot be listed
    gpus: tuple[str, ...] = ()  # devices and instances with a process of it
    held: tuple[str, ...] = ()  # those that were given to it, with or without a process
    memory_bytes: int | None = 0
    sm_ratio: float | None = 0.0  # 2 is two busy GPUs
    watts: float | None = 0.0  # of the GPUs' power what goes to its processes
    start_time: float | None = None  # Unix s, of the oldest
    age: float | None = None  # s, likewise


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
    given = _Given(batch, visible if by is By.OWNER else Visible(()))
    groups = []
    for key, found in members.items():
        group = _sum(key, found, by, power)
        group = group._replace(held=given.to(group.owner))
        if any(shown.of_user(one) for one in found) and (
            any(shown(one) for one in found) or all(word in group.searched for word in shown.words)
        ):
            groups.append(group)
    for owner, held in given.unused():
        text = searched(owner)
        if shown.of_name(owner.user) and all(word in text for word in shown.words):
            user = printable(owner.user)
            key = owner.key if owner.id else _who(owner)  # the kubelet tells of pods no UID
            group = GpuGroup(key, printable(_name(owner)), text, owner, user, held=held)
            if not given.listed(held):
                group = group._replace(processes=None, memory_bytes=None, sm_ratio=None, watts=None)
            groups.append(group)
    groups.sort(key=lambda group: group.key)
    groups.sort(key=_KEYS[order.sort], reverse=(order.sort is not Sort.USER) is not order.turned)
    return groups


def _sum(key: Key, found: Sequence[OnGpu], by: By, power: GpuPower) -> GpuGroup:
    owner = found[0].row.owner if by is By.OWNER else None
    users = sorted({one.row.user for one in found})
    if owner is not None:  # of the job, not of its step
        owner = msgspec.structs.replace(owner, step="", container="", user=owner.user if len(users) == 1 else "")
    name = key[0] if owner is None else _name(owner)
    starts = [one.row.start_time for one in found if one.row.start_time is not None]
    ages = [one.age for one in found if one.age is not None]
    return GpuGroup(
        key, printable(name) or "unknown", name.lower() if owner is None else searched(owner), owner,
        printable(users[0]) if len(users) == 1 else f"{len(users)} users",
        len({(one.row.pid, one.row.start_ticks) for one in found}),
        tuple(sorted({one.row.gpu for one in found}, key=place)), (), _all([one.row.memory_bytes for one in found]),
        _all([one.row.sm_ratio for one in found]), _all([power.of(one.row) for one in found]),
        min(starts, default=None), max(ages, default=None),
    )  # fmt: skip


def _all(values: Sequence[N | None]) -> N | None:
    """Their sum; None where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _name(owner: Owner) -> str:
    return called(owner) + (f" {owner.name}" if owner.kind is OwnerKind.SLURM and owner.name else "")


class _Given:
    """Which devices and instances were given to whom."""

    def __init__(self, batch: Batch, visible: Visible | None) -> None:
        self._held: dict[tuple[str, ...], list[str]] = {}
        self._owners: dict[tuple[str, ...], Owner] = {}
        self._asked: set[tuple[str, ...]] = set()
        self._listed: set[str] = set()
        for sample in batch.samples:
            if sample.spec is series.COUNT:
                self._listed |= {sample.labels[0], sample.labels[0].partition("_")[0]}
            elif sample.spec is ALLOCATION and (visible is None or visible.shows(sample.labels[0])):
                gpu, _, kind, identity, name, namespace, _, user, _ = sample.labels
                owner = Owner(OwnerKind(kind), identity, name, namespace, user=user)
                self._owners.setdefault(_who(owner), owner)
                self._held.setdefault(_who(owner), []).append(gpu)

    def to(self, owner: Owner | None) -> tuple[str, ...]:
        """What this owner holds, in order."""
        if owner is None:
            return ()
        who = _who(owner)
        self._asked.add(who)
        return tuple(sorted(set(self._held.get(who, ())), key=place))

    def listed(self, held: Iterable[str]) -> bool:
        """Whether it is known which processes are on these."""
        return self._listed.issuperset(held)

    def unused(self) -> list[tuple[Owner, tuple[str, ...]]]:
        """Who was not asked about, with what they hold."""
        return [(owner, self.to(owner)) for who, owner in self._owners.items() if who not in self._asked]


def _who(owner: Owner) -> tuple[str, ...]:
    """A pod by its name, since who tells what it was given does not tell its UID."""
    if owner.kind is OwnerKind.POD and owner.name:
        return owner.kind, owner.namespace, owner.name
    return owner.kind, f"{owner.id} in {owner.inside}" if owner.inside else owner.id


def document(group: GpuGroup) -> dict[str, Any]:
    """A line by owner as a program reads it: base units, null for what is not known."""
    return {
        "owner": None if group.owner is None else keys(group.owner), "processes": group.processes, "gpus": group.gpus,
        "gpus_given": group.held, "memory_bytes": group.memory_bytes, "sm_ratio": group.sm_ratio,
        "power_watts": group.watts, "oldest_process_start_time": group.start_time, "oldest_age_seconds": group.age,
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


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


_KEYS: dict[Sort, Callable[[GpuGroup], Any]] = {
    Sort.CPU: lambda g: _number(g.sm_ratio),
    Sort.MEMORY: lambda g: _number(g.memory_bytes),
    Sort.IO: lambda g: _number(g.watts),
    Sort.THREADS: lambda g: len(g.gpus),
    Sort.PID: lambda g: _number(g.processes),
    Sort.USER: lambda g: g.user,
}

_ROOM = 14
_COLUMNS: tuple[Column[GpuGroup], ...] = (
    Column("PROC", 4, 40, lambda g: UNKNOWN if g.processes is None else str(g.processes), sort=Sort.PID),
    Column("USER", 8, 72, lambda g: g.user, left=True, sort=Sort.USER),
    Column("GPUS", 4, 0, lambda g: UNKNOWN if g.processes is None else str(len(g.gpus)), sort=Sort.THREADS),
    Column("OF", 3, 48, lambda g: str(len(g.held)) if g.held else ""),
    Column("MEM", 5, 24, lambda g: short_bytes(g.memory_bytes), sort=Sort.MEMORY),
    Column("SM %", 4, 32, lambda g: percent(g.sm_ratio), sort=Sort.CPU),
    Column("W", 5, 60, lambda g: UNKNOWN if g.watts is None else f"{g.watts:.0f}", sort=Sort.IO),
    Column("AGE", 4, 54, lambda g: age_text(g.age) if g.processes else ""),
    Column("ON", _ROOM, 96, lambda g: ranges(g.gpus, _ROOM), left=True),
    Column("KIND", 9, 130, lambda g: "" if g.owner is None else g.owner.kind.value, left=True),
)


def _style(column: Column[GpuGroup], group: GpuGroup) -> str:
    if column.title == "OF" and group.processes is not None and len(group.held) > len(group.gpus):
        return "bold yellow"  # it holds a GPU on which it does nothing
    if column.sort is Sort.CPU and (group.sm_ratio or 0.0) >= 0.5:
        return "bold green"
    return "dim" if column.title in {"PROC", "OF", "AGE", "KIND"} else ""
