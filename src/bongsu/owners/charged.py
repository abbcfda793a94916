"""What the cgroups of one owner say of it, read together: v1 hierarchy by hierarchy, v2 in one directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from bongsu.model.usage import DeviceUse, Waits
from bongsu.owners.placement import Place
from bongsu.owners.rising import Numbers, Rising, highest, least
from bongsu.sources import cgroup_v1, cgroup_v2
from bongsu.sources.cgroup import UNIFIED, Hierarchies
from bongsu.sources.cgroup_use import DeviceIO, Directory, Gone, Memory, Throttling, Waited
from bongsu.sources.root import Root

_CONTROLLERS = frozenset({"cpuacct", "cpu", "memory", "blkio", "pids", "cpuset"})
_RESOURCES = ("cpu", "memory", "io")
N = TypeVar("N", int, float)


class Limits(NamedTuple):
    """Limits of one cgroup or of a way up; None is none."""

    cores: float | None = None
    memory: int | None = None
    swap: int | None = None
    tasks: int | None = None

    def and_those(self, other: Limits) -> Limits:
        """What both allow."""
        return Limits(
            least(self.cores, other.cores), least(self.memory, other.memory), least(self.swap, other.swap),
            least(self.tasks, other.tasks),
        )  # fmt: skip


class Covered(NamedTuple):
    """Which uses of a process are in what its owner's cgroups say."""

    cpu: bool
    memory: bool
    io: bool


class Charge(NamedTuple):
    """What the cgroups say: counters as far as they ever counted, the rest as it is now."""

    alive: bool  # whether any of the cgroups is still there
    cpu: Numbers | None = None  # all, user, system: seconds
    throttling: Numbers | None = None  # periods, throttled periods, seconds
    cpus: int | None = None
    memory: Memory | None = None
    io: tuple[DeviceUse, ...] | None = None
    tasks: int | None = None
    limits: Limits = Limits()
    waits: tuple[Waits | None, ...] = (None, None, None)  # cpu, memory, io


class Surroundings:
    """What the owners of one pass share: the limits above them, names of disks, which counts the kernel keeps."""

    def __init__(self, sys: Root) -> None:
        self._sys = sys
        self._limits: dict[tuple[str, str], Limits] = {}
        self._names: dict[str, str] = {}
        self._policy: dict[str, str | None] = {}

    def limits(self, kind: str, path: str, base: str) -> Limits:
        """What this cgroup and all above it allow. A cgroup that cannot be read sets no limit."""
        if len(path) < len(base):
            return Limits()
        known = self._limits.get((kind, path))
        if known is None:
            try:
                with Directory(path) as directory:
                    own = _own_limits(kind, directory)
            except (Gone, OSError):
                own = Limits()
            known = own.and_those(self.limits(kind, os.path.dirname(path), base))
            self._limits[kind, path] = known
        return known

    def disk(self, device: str) -> str:
        """The name of a block device by its numbers; the numbers where it has none."""
        name = self._names.get(device)
        if name is None:
            link = self._sys.link(f"dev/block/{device}")
            # A slash in a device's name is a `!` in sysfs (drivers/base/core.c).
            name = self._names[device] = device if link is None else os.path.basename(link).replace("!", "/")
        return name

    def io_policy(self, base: str) -> str | None:
        """As `cgroup_v1.io_policy` of the root of a hierarchy."""
        if base not in self._policy:
            try:
                with Directory(base) as root:
                    self._policy[base] = cgroup_v1.io_policy(root)
            except (Gone, OSError):
                self._policy[base] = None
        return self._policy[base]


class _Cgroup:
    """One directory with what it said last."""

    __slots__ = (
        "_cpu_rises", "_io_rises", "_kills_rise", "_throttling_rises", "_waits_rise", "alive", "base", "cpu", "cpus",
        "io", "kind", "limits", "memory", "path", "tasks", "throttling", "waits",
    )  # fmt: skip

    def __init__(self, kind: str, path: str, base: str) -> None:
        self.kind, self.path, self.base = kind, path, base
        self._cpu_rises, self._throttling_rises, self._kills_rise = Rising(), Rising(), Rising()
        self._io_rises: dict[str, Rising] = {}
        self._waits_rise = (Rising(), Rising(), Rising())
        self.alive = False
        self.cpu: Numbers | None = None
        self.throttling: Numbers | None = None
        self.io: dict[str, Numbers] | None = None
        self.waits: list[Waits | None] = [None, None, None]
        self.memory: Memory | None = None
        self.forget_now()

    def forget_now(self) -> None:
        """What is no longer true once the cgroup is gone; what was counted stays."""
        self.cpus: int | None = None
        self.tasks: int | None = None
        self.limits = Limits()
        if self.memory is not None:
            self.memory = Memory(None, peak=self.memory.peak, oom_kills=self.memory.oom_kills)

    def read(self, around: Surroundings) -> None:
        try:
            with Directory(self.path) as directory:
                _READERS[self.kind](self, directory, around)
                if self.kind in _LIMITED:
                    self.limits = around.limits(self.kind, self.path, self.base)
            self.alive = True
        except Gone:
            self.alive = False
            self.forget_now()
        except OSError:  # we may not, or cannot: then it tells nothing
            self.alive = False
            self.forget_now()

    def v2(self, directory: Directory, around: Surroundings) -> None:
        cpu, throttling = cgroup_v2.cpu(directory)
        if cpu is not None:
            self.cpu = self._cpu_rises.take(*cpu)
        self._throttled(throttling)
        self._memory(cgroup_v2.memory(directory))
        self._io(cgroup_v2.io(directory), around)
        self.cpus, self.tasks = cgroup_v2.cpus(directory), cgroup_v2.pids(directory)
        for place, resource in enumerate(_RESOURCES):
            self._waited(place, cgroup_v2.pressure(directory, resource))

    def cpuacct(self, directory: Directory, _: Surroundings) -> None:
        cpu = cgroup_v1.cpu(directory)
        if cpu is not None:
            self.cpu = self._cpu_rises.take(*cpu)

    def cfs(self, directory: Directory, _: Surroundings) -> None:
        self._throttled(cgroup_v1.throttling(directory))

    def v1_memory(self, directory: Directory, _: Surroundings) -> None:
        self._memory(cgroup_v1.memory(directory))
        self.limits = Limits(memory=None if self.memory is None else self.memory.limit)

    def blkio(self, directory: Directory, around: Surroundings) -> None:
        policy = around.io_policy(self.base)
        self._io(None if policy is None else cgroup_v1.io(directory, policy), around)

    def v1_tasks(self, directory: Directory, _: Surroundings) -> None:
        self.tasks = cgroup_v1.pids(directory)

    def cpuset(self, directory: Directory, _: Surroundings) -> None:
        self.cpus = cgroup_v1.cpus(directory)

    def _throttled(self, now: Throttling | None) -> None:
        if now is not None:
            self.throttling = self._throttling_rises.take(*now)

    def _memory(self, now: Memory | None) -> None:
        if now is not None:
            peak = now.peak if self.memory is None else highest(now.peak, self.memory.peak)
            # Kills in a step's cgroup that was removed are no longer in the sum.
            (kills,) = self._kills_rise.take(now.oom_kills)
            now = now._replace(peak=peak, oom_kills=None if kills is None else int(kills))
        self.memory = now

    def _io(self, now: tuple[DeviceIO, ...] | None, around: Surroundings) -> None:
        if now is None:
            return
        if self.io is None:
            self.io = {}
        for device, *numbers in now:
            name = around.disk(device)
            rises = self._io_rises.get(name)
            if rises is None:
                rises = self._io_rises[name] = Rising()
            self.io[name] = rises.take(*numbers)

    def _waited(self, place: int, now: Waited | None) -> None:
        if now is not None:
            some, full = self._waits_rise[place].take(*now)
            self.waits[place] = Waits(some or 0.0, full)


_READERS: dict[str, Callable[[_Cgroup, Directory, Surroundings], None]] = {
    UNIFIED: _Cgroup.v2, "cpuacct": _Cgroup.cpuacct, "cpu": _Cgroup.cfs, "memory": _Cgroup.v1_memory,
    "blkio": _Cgroup.blkio, "pids": _Cgroup.v1_tasks, "cpuset": _Cgroup.cpuset,
}  # fmt: skip
_LIMITED = frozenset({UNIFIED, "cpu", "pids"})  # whose limits must be asked level by level


class Charged:
    """The cgroups of one owner, with counters that do not fall when one is made again or removed."""

    def __init__(self, sys: Root, hierarchies: Hierarchies) -> None:
        self._sys = sys
        self._hierarchies = hierarchies
        self._cgroups: dict[tuple[str, str], _Cgroup] = {}
        self._included: set[Place] = set()

    def include(self, places: Iterable[Place]) -> None:
        """Take these cgroups in, once each; one below another is in what that one says."""
        for place in places:
            if place in self._included:
                continue
            self._included.add(place)
            for kind in place.controllers or (UNIFIED,):
                if kind in _READERS and (where := self._hierarchies.directory(kind, place.path)) is not None:
                    base = self._hierarchies.directory(kind, "/") or where
                    self._add(_Cgroup(kind, self._sys.join(where), self._sys.join(base)))

    def _add(self, new: _Cgroup) -> None:
        for one in list(self._cgroups.values()):
            if one.kind == new.kind:
                if f"{new.path}/".startswith(f"{one.path}/"):
                    return
                if one.path.startswith(f"{new.path}/"):
                    del self._cgroups[one.kind, one.path]
        self._cgroups[new.kind, new.path] = new

    def read(self, around: Surroundings) -> Charge:
        """Ask each of them now."""
        cgroups = list(self._cgroups.values())
        for one in cgroups:
            one.read(around)
        if not cgroups:
            return Charge(alive=False)
        waits = [next((one.waits[place] for one in cgroups if one.waits[place]), None) for place in range(3)]
        return Charge(
            any(one.alive for one in cgroups),
            _summed([one.cpu for one in _of(cgroups, "cpuacct") if one.cpu]),
            _summed([one.throttling for one in _of(cgroups, "cpu") if one.throttling]),
            _one_number([one.cpus for one in _of(cgroups, "cpuset") if one.alive]),
            _memory([one.memory for one in _of(cgroups, "memory") if one.memory]),
            _io([one.io for one in _of(cgroups, "blkio") if one.io is not None]),
            _one_number([one.tasks for one in _of(cgroups, "pids") if one.alive]),
            _limits(cgroups),
            tuple(waits),
        )

    def covers(self, places: Iterable[Place]) -> Covered:
        """What of a process with these places is in what the cgroups said at the last reading."""
        kinds = {kind for place in places for kind in place.controllers or (UNIFIED,)}
        cgroups = [one for one in self._cgroups.values() if one.alive and one.kind in kinds]
        return Covered(
            any(one.cpu is not None for one in cgroups),
            any(one.memory is not None for one in cgroups),
            any(one.io is not None for one in cgroups),
        )


def _own_limits(kind: str, directory: Directory) -> Limits:
    if kind == "cpu":
        return Limits(cores=cgroup_v1.cpu_limit(directory))
    if kind == "pids":
        return Limits(tasks=cgroup_v1.pids_limit(directory))
    return Limits(
        cgroup_v2.cpu_limit(directory), cgroup_v2.memory_limit(directory), cgroup_v2.swap_limit(directory),
        cgroup_v2.pids_limit(directory),
    )  # fmt: skip


def _of(cgroups: list[_Cgroup], controller: str) -> list[_Cgroup]:
    """Those that can tell of a controller: a controller is in one hierarchy only, but CPU time is in v2 always."""
    return [one for one in cgroups if one.kind == controller] or [one for one in cgroups if one.kind == UNIFIED]


def _summed(numbers: list[Numbers]) -> Numbers | None:
    if len(numbers) < 2:
        return numbers[0] if numbers else None
    return tuple(_one_number(column) for column in zip(*numbers, strict=True))


def _one_number(column: Sequence[N | None]) -> N | None:
    """The sum, if each is known."""
    if len(column) == 1:
        return column[0]
    known = [number for number in column if number is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(column) else None


def _memory(found: list[Memory]) -> Memory | None:
    if len(found) < 2:
        return found[0] if found else None
    # The peaks of two cgroups need not have been at one time: their sum is not known to have been reached.
    now = [one for one in found if one.current is not None]
    if len(now) == 1:
        return now[0]._replace(oom_kills=_one_number([one.oom_kills for one in found]), peak=None)
    return Memory(*(_one_number(column) for column in zip(*found, strict=True)))._replace(peak=None)


def _io(found: list[dict[str, Numbers]]) -> tuple[DeviceUse, ...] | None:
    if not found:
        return None
    devices: dict[str, Numbers] = {}
    for one in found:
        for device, numbers in one.items():
            before = devices.get(device)
            devices[device] = numbers if before is None else (_summed([before, numbers]) or numbers)
    return tuple(DeviceUse(device, *numbers) for device, numbers in devices.items())  # type: ignore[arg-type]  # counts


def _limits(cgroups: list[_Cgroup]) -> Limits:
    """What all may use together: the limits of one, or of several the sum where each has one."""
    alive = [one for one in cgroups if one.alive]
    return Limits(
        _one_number([one.limits.cores for one in _of(alive, "cpu")]),
        _one_number([one.limits.memory for one in _of(alive, "memory")]),
        _one_number([one.limits.swap for one in _of(alive, UNIFIED)]),
        _one_number([one.limits.tasks for one in _of(alive, "pids")]),
    )
