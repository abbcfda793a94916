"""What the cgroups of one owner say of it, read together: v1 hierarchy by hierarchy, v2 in one directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from bongsu.model.usage import DeviceUse, Waits
from bongsu.owners.placement import Place
from bongsu.owners.rising import Numbers, Rising, highest
from bongsu.owners.surroundings import Limits, Surroundings
from bongsu.sources import cgroup_v1, cgroup_v2
from bongsu.sources.cgroup import UNIFIED, Hierarchies
from bongsu.sources.cgroup_use import Cpu, DeviceIO, Directory, Gone, Memory, Throttling, Waited, count, lone
from bongsu.sources.root import Root

_CONTROLLERS = ("cpuacct", "cpu", "memory", "blkio", "pids", "cpuset", UNIFIED)
_NO_WAITS = (None, None, None)
_RESOURCES = ("cpu", "memory", "io")
_LOOK_AGAIN_SECONDS = 15.0  # on average, at limits and CPU sets
N = TypeVar("N", int, float)


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
    waits: Sequence[Waits | None] = _NO_WAITS  # cpu, memory, io


class _Cgroup:
    """One directory with what it said last."""

    __slots__ = (
        "_cpu_rises", "_due", "_io_rises", "_kills_rise", "_last_cpu", "_last_memory", "_throttling_rises", "_waits_rise", "alive", "base", "cpu", "cpus",
        "io", "kind", "limits", "memory", "path", "rested", "shared", "tasks", "throttling", "waits",
    )  # fmt: skip

    def __init__(self, kind: str, path: str, base: str) -> None:
        self.kind, self.path, self.base = kind, path, base
        self._cpu_rises, self._throttling_rises, self._kills_rise = Rising(), Rising(), Rising()
        self._io_rises: dict[str, Rising] = {}
        self._waits_rise = (Rising(), Rising(), Rising())
        self._last_cpu: Cpu | None = None
        self._last_memory: Memory | None = None  # as it was read
        self.rested = False  # whether it used no CPU time since it was read before
        self._due = 0.0  # when what seldom changes is read again, monotonic s
        self.alive = False
        self.shared = False  # whether another owner's was ever below it: then its sums are not one owner's
        self.cpu: Numbers | None = None
        self.throttling: Numbers | None = None
        self.io: dict[str, Numbers] | None = None
        self.waits: tuple[Waits | None, ...] = _NO_WAITS
        self.memory: Memory | None = None
        self.forget_now()

    def forget_now(self) -> None:
        """What is no longer true once the cgroup is gone; what was counted stays."""
        self.cpus: int | None = None
        self.tasks: int | None = None
        self.limits = Limits()
        if self.memory is not None:
            self.memory = Memory(None, peak=self.memory.peak, oom_kills=self.memory.oom_kills)

    def share(self) -> None:
        """Another owner's cgroup is below this one: it tells no more, and what it had counted stays."""
        self.shared = True
        self.alive = self.rested = False
        self.forget_now()

    def read(self, around: Surroundings) -> None:
        if self.shared:
            return
        due = around.now >= self._due
        if self.alive and not due and self._may_rest(around):
            return
        try:
            if self.kind == "pids" and not due:
                self.tasks = count(lone(f"{self.path}/pids.current"))
                return
            with Directory(self.path) as directory:
                _READERS[self.kind](self, directory, around)
                if due:
                    self._settle(directory, around)
            self.alive = True
        except (Gone, OSError):  # if we may not or cannot, it tells nothing, as if it were gone
            self.alive = False
            self._due = 0.0
            self.forget_now()

    def _may_rest(self, around: Surroundings) -> bool:
        """Whether there is nothing here that changes from pass to pass."""
        if self.kind == "cpu":  # without a limit no periods are counted
            return self.limits.cores is None and (self.throttling is None or not self.throttling[0])
        return self.kind == "cpuset" or (self.kind == "blkio" and around.io_policy(self.base) is None)

    def _settle(self, directory: Directory, around: Surroundings) -> None:
        if self.kind in _LIMITED:
            self.limits = around.limits(self.kind, self.path, self.base)
        if self.kind == UNIFIED:
            self.cpus = cgroup_v2.cpus(directory)
        # Not all at the same pass.
        self._due = around.now + _LOOK_AGAIN_SECONDS * (0.5 + hash(self.path) % 1024 / 1024)

    def v2(self, directory: Directory, around: Surroundings) -> None:
        cpu, throttling = cgroup_v2.cpu(directory)
        self.rested = cpu is not None and cpu == self._last_cpu
        self._last_cpu = cpu
        if cpu is not None:
            self.cpu = self._cpu_rises.take(*cpu)
        self._throttled(throttling)
        # A controller that is off is asked for again when limits are.
        seldom = around.now >= self._due
        if seldom or self.memory is not None:
            self._memory(cgroup_v2.memory(directory, self._if_unchanged(around)))
        if seldom or self.io is not None:
            self._io(cgroup_v2.io(directory), around)
        if seldom or self.tasks is not None:
            self.tasks = cgroup_v2.pids(directory)
        self.waits = tuple(
            self._waited(place, cgroup_v2.pressure(directory, resource)) for place, resource in enumerate(_RESOURCES)
        )

    def cpuacct(self, directory: Directory, _: Surroundings) -> None:
        cpu = cgroup_v1.cpu(directory, self._last_cpu)
        self.rested = cpu is not None and cpu == self._last_cpu
        self._last_cpu = cpu
        if cpu is not None:
            self.cpu = self._cpu_rises.take(*cpu)

    def cfs(self, directory: Directory, _: Surroundings) -> None:
        self._throttled(cgroup_v1.throttling(directory))

    def v1_memory(self, directory: Directory, around: Surroundings) -> None:
        self._memory(cgroup_v1.memory(directory, self._if_unchanged(around)))
        self.limits = Limits(memory=None if self.memory is None else self.memory.limit)

    def blkio(self, directory: Directory, around: Surroundings) -> None:
        policy = around.io_policy(self.base)
        if policy is not None:
            self._io(cgroup_v1.io(directory, policy), around)

    def v1_tasks(self, directory: Directory, _: Surroundings) -> None:
        self.tasks = cgroup_v1.pids(directory)

    def cpuset(self, directory: Directory, _: Surroundings) -> None:
        self.cpus = cgroup_v1.cpus(directory)

    def _if_unchanged(self, around: Surroundings) -> Memory | None:
        """What memory was, where it is so still if the sum is: nothing ran that could have changed its parts."""
        return self._last_memory if self.rested and around.now < self._due else None

    def _throttled(self, now: Throttling | None) -> None:
        if now is not None:
            self.throttling = self._throttling_rises.take(*now)

    def _memory(self, now: Memory | None) -> None:
        if now is not None and now is self._last_memory and self.memory is not None:
            return
        self._last_memory = now
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

    def _waited(self, place: int, now: Waited | None) -> Waits | None:
        if now is None:
            return self.waits[place]
        some, full = self._waits_rise[place].take(*now)
        return Waits(some or 0.0, full)


_READERS: dict[str, Callable[[_Cgroup, Directory, Surroundings], None]] = {
    UNIFIED: _Cgroup.v2, "cpuacct": _Cgroup.cpuacct, "cpu": _Cgroup.cfs, "memory": _Cgroup.v1_memory,
    "blkio": _Cgroup.blkio, "pids": _Cgroup.v1_tasks, "cpuset": _Cgroup.cpuset,
}  # fmt: skip
_LIMITED = frozenset({UNIFIED, "cpu", "pids"})  # whose limits must be asked level by level


class Charged:
    """The cgroups of one owner, with counters that do not fall when one is made again or removed.

    Limits and CPU sets are read again after 8 to 23 s, as are the parts of the memory of an owner
    that rests: one that used no CPU time and whose sum is as it was.
    """

    def __init__(self, sys: Root, hierarchies: Hierarchies) -> None:
        self._sys = sys
        self._hierarchies = hierarchies
        self._cgroups: list[_Cgroup] = []
        self._telling: dict[str, list[_Cgroup]] = {}
        self._timed: list[_Cgroup] = []  # those that tell CPU time
        self._included: set[Place] = set()
        self._covering: dict[tuple[Place, ...], list[_Cgroup]] = {}

    def include(self, places: Iterable[Place]) -> bool:
        """Take these cgroups in, once each; one below another is in what that one says. Whether any was new."""
        new = [place for place in places if place not in self._included]
        if not new:
            return False
        self._included.update(new)
        for place in new:
            for kind in place.controllers or (UNIFIED,):
                if kind in _READERS and (where := self._hierarchies.directory(kind, place.path)) is not None:
                    base = self._hierarchies.directory(kind, "/") or where
                    self._add(_Cgroup(kind, self._sys.join(where), self._sys.join(base)))
        self._covering.clear()
        self._timed = [one for one in self._cgroups if one.kind in {"cpuacct", UNIFIED}]
        # A controller is in one hierarchy only, but CPU time is in v2 always.
        self._telling = {
            controller: [one for one in self._cgroups if one.kind == controller]
            or [one for one in self._cgroups if one.kind == UNIFIED]
            for controller in _CONTROLLERS
        }
        return True

    def directories(self) -> Mapping[tuple[str, str], _Cgroup]:
        """The cgroups by controller and full path."""
        return {(one.kind, one.path): one for one in self._cgroups}

    def _add(self, new: _Cgroup) -> None:
        alike = [one for one in self._cgroups if one.kind == new.kind]
        if any(f"{new.path}/".startswith(f"{one.path}/") for one in alike):
            return
        inner = [one for one in alike if one.path.startswith(f"{new.path}/")]
        self._cgroups = [*(one for one in self._cgroups if one not in inner), new]

    def read(self, around: Surroundings) -> Charge:
        """Ask each of them now."""
        cgroups, telling = self._cgroups, self._telling
        if not cgroups:
            return Charge(alive=False)
        alive = False
        rested = bool(self._timed)
        for one in self._timed:
            one.read(around)
            rested &= one.rested
        for one in cgroups:
            if one not in self._timed:
                one.rested = rested
                one.read(around)
            alive |= one.alive
        of = [telling[controller] for controller in _CONTROLLERS]
        if max(map(len, of)) > 1:
            return _together(alive, *of)
        cpuacct, cpu, memory, blkio, pids, cpuset, v2 = (ones[0] if ones else _NONE for ones in of)
        return Charge(
            alive, cpuacct.cpu, cpu.throttling, cpuset.cpus, memory.memory, _io([blkio.io] if blkio.io is not None else []),
            pids.tasks, Limits(cpu.limits.cores, memory.limits.memory, v2.limits.swap, pids.limits.tasks), v2.waits,
        )  # fmt: skip

    def covers(self, places: tuple[Place, ...]) -> Covered:
        """What of a process with these places is in what the cgroups said at the last reading."""
        cgroups = self._covering.get(places)
        if cgroups is None:
            kinds = {kind for place in places for kind in place.controllers or (UNIFIED,)}
            cgroups = self._covering[places] = [one for one in self._cgroups if one.kind in kinds]
        cpu = memory = io = False
        for one in cgroups:
            if one.alive:
                cpu |= one.cpu is not None
                memory |= one.memory is not None
                io |= one.io is not None
        return Covered(cpu, memory, io)


def part(owners: Iterable[Charged], crowded: Iterable[tuple[str, str]] = ()) -> None:
    """See that no cgroup tells the use of one owner for another.

    One is not read that lies above another owner's, or that has another owner's processes in it: ``crowded``, by
    controller and full path.
    """
    held: dict[tuple[str, str], tuple[Charged, _Cgroup]] = {}
    for owner in owners:
        held.update({where: (owner, one) for where, one in owner.directories().items()})
    for (kind, path), (owner, one) in held.items():
        above = path.rpartition("/")[0]
        while len(above) >= len(one.base):
            found = held.get((kind, above))
            if found is not None and found[0] is not owner and not found[1].shared:
                found[1].share()
            above = above.rpartition("/")[0]
    for where in crowded:
        found = held.get(where)
        if found is not None and not found[1].shared:
            found[1].share()


_NONE = _Cgroup("", "", "")  # what a controller says that is not there: nothing


def _together(
    alive: bool, cpuacct: Sequence[_Cgroup], cpu: Sequence[_Cgroup], memory: Sequence[_Cgroup],
    blkio: Sequence[_Cgroup], pids: Sequence[_Cgroup], cpuset: Sequence[_Cgroup], v2: Sequence[_Cgroup],
) -> Charge:  # fmt: skip
    """What several cgroups of one controller say."""
    return Charge(
        alive,
        _summed([one.cpu for one in cpuacct if one.cpu]),
        _summed([one.throttling for one in cpu if one.throttling]),
        _one_number([one.cpus for one in cpuset if one.alive]),
        _memory([one.memory for one in memory if one.memory]),
        _io([one.io for one in blkio if one.io is not None]),
        _one_number([one.tasks for one in pids if one.alive]),
        # What all may use together: the sum, where each has a limit.
        Limits(
            _one_number([one.limits.cores for one in cpu if one.alive]),
            _one_number([one.limits.memory for one in memory if one.alive]),
            _one_number([one.limits.swap for one in v2 if one.alive]),
            _one_number([one.limits.tasks for one in pids if one.alive]),
        ),
        v2[0].waits if len(v2) == 1 else _NO_WAITS,  # how long either waited does not add up
    )


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
    return tuple(DeviceUse(device, *numbers) for device, numbers in devices.items())  # type: ignore[arg-type]  # the kernel counts in whole numbers
