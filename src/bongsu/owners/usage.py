"""What each owner uses: from its own cgroups where it has them, by summing its processes where not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import DeviceUse, InterfaceUse, OwnerRow, Usage, Waits
from bongsu.owners.charged import Charged, part
from bongsu.owners.each_machine import one_for_each
from bongsu.owners.networks import Networks
from bongsu.owners.placement import Place, Placed
from bongsu.owners.summed import Identity, Sums, Tally
from bongsu.owners.surroundings import Surroundings
from bongsu.owners.used import Present, of_all, usage_of
from bongsu.sources.cgroup import UNIFIED, Hierarchies
from bongsu.sources.procfs.process import Process, boot_time
from bongsu.sources.procfs.smaps import pss_bytes
from bongsu.sources.root import Machine

Key = tuple[OwnerKind, str, str]
_MOST_OTHERS = 10_000  # before they are forgotten, and found again


class _State:
    """What is kept of one owner from pass to pass."""

    __slots__ = ("charged", "latest", "members", "names", "owner", "places", "tally")

    def __init__(self, owner: Owner, charged: Charged) -> None:
        self.owner = owner
        self.charged = charged
        self.tally = Tally()
        self.names: dict[int, Owner] = {}  # what its processes' placements say, by identity of the object
        self.places: dict[tuple[Place, ...], list[Process]] = {}
        self.members: list[Process] = []
        self.latest: OwnerRow | None = None

    def is_called(self, said: dict[int, Owner]) -> None:
        if said.keys() != self.names.keys():
            self.names = said
            self.owner = of_all(list(said.values()))


class Usages:
    """The use of every owner of a machine. Any thread may ask; one `take` at a time.

    How others use it:

    - A collector calls `take` with what it scanned and what `Resolver.resolve` made of it, and gets
      each owner's use; an owner whose last process has ended comes once more, with ``ended``.
    - What measures something of its own by process (GPU memory, a fabric's queue pairs) looks up
      ``resolver.resolve(processes)[pid, start_ticks].owner.key`` and sums by that key; the same key
      finds the owner here (`latest`).
    - A recorder uses `follow`: it keeps an owner's last use after its end, and `since` gives what
      was used between two moments.
    """

    def __init__(self, machine: Machine) -> None:
        self._proc, self._sys = machine.proc, machine.sys
        self._hierarchies = Hierarchies(machine.sys)
        self._lock = threading.Lock()
        self._states: dict[Key, _State] = {}
        self._followed: dict[Key, int] = {}
        self._kept: dict[Key, OwnerRow] = {}  # of those that are followed
        self._sums = Sums()
        self._networks: Networks[Key] = Networks(machine.proc)
        self._new_places = False  # whether any owner got a cgroup in this pass
        self._others: set[tuple[Place, ...]] = set()  # cgroups that were seen with processes of more than one owner
        self._crowded: set[tuple[str, str]] = set()  # these by controller and full path

    def take(self, processes: Sequence[Process], placed: Mapping[Identity, Placed]) -> list[OwnerRow]:
        """One pass: the use of each owner of these processes, and the last of those that have ended since.

        A process that is not in ``placed`` belongs to no one here.

        Raises:
            OSError, ValueError: a captured tree does not say when the machine started.
        """
        with self._lock:
            return self._take(processes, placed)

    def latest(self, key: Key) -> OwnerRow | None:
        """An owner at the last pass; None if it had no process then and nobody follows it."""
        with self._lock:
            state = self._states.get(key)
            return state.latest if state is not None else self._kept.get(key)

    def followed(self) -> frozenset[Key]:
        """Who is followed now: a view that has room for some only shows these first."""
        with self._lock:
            return frozenset(self._followed)

    @contextmanager
    def follow(self, key: Key) -> Iterator[None]:
        """Keep what `latest` says of this owner, after its end too, as long as the block lasts."""
        with self._lock:
            self._followed[key] = self._followed.get(key, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._followed[key] -= 1
                if not self._followed[key]:
                    del self._followed[key]
                    self._kept.pop(key, None)

    def pss_bytes(self, key: Key) -> int | None:
        """Memory of an owner's processes with what they share counted once; None if one may not be asked.

        Costs milliseconds for each gigabyte: for a person who asks, not for each pass.
        """
        with self._lock:
            state = self._states.get(key)
            members = [] if state is None else [process for process in state.members if not process.kernel]
        if not members:
            return None
        total = 0
        for process in members:
            try:
                total += pss_bytes(self._proc, process.pid, process.start_ticks) or 0
            except (OSError, ValueError):
                return None
        return total

    def _take(self, processes: Sequence[Process], placed: Mapping[Identity, Placed]) -> list[OwnerRow]:
        self._sums.begin({(process.pid, process.start_ticks): process for process in processes})
        self._sort(processes, placed)
        if self._new_places:
            part((state.charged for state in self._states.values()), self._crowded)
            self._new_places = False
        around = Surroundings(self._sys, time.monotonic())
        uptime = time.time() - boot_time(self._proc)
        networks = self._networks.read({key: state.members for key, state in self._states.items()}, uptime)
        found = []
        ended = []
        for key, state in self._states.items():
            state.latest = self._used(state, around, networks.get(key))
            found.append(state.latest)
            if key in self._followed:
                self._kept[key] = state.latest
            if state.latest.ended:
                ended.append(key)
        for key in ended:
            del self._states[key]
        return found

    def _sort(self, processes: Sequence[Process], placed: Mapping[Identity, Placed]) -> None:
        """Give each process to its owner's state."""
        for known in self._states.values():
            known.places = {}
        said: dict[Key, dict[int, Owner]] = {}
        groups: dict[int, list[Process]] = {}  # by identity of the placement: processes of a cgroup share one
        for process in processes:
            where = placed.get((process.pid, process.start_ticks))
            if where is not None:
                group = groups.get(id(where))
                if group is None:
                    group = groups[id(where)] = self._group(where, said)
                group.append(process)
        for key, owners in said.items():
            self._states[key].is_called(owners)
        for known in self._states.values():
            known.members = [process for members in known.places.values() for process in members]

    def _group(self, where: Placed, said: dict[Key, dict[int, Owner]]) -> list[Process]:
        """The list to which processes of this placement are added."""
        owner = where.owner
        key = owner.key
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(owner, Charged(self._sys, self._hierarchies))
        said.setdefault(key, {})[id(owner)] = owner
        if where.others and where.others not in self._others:
            self._crowd(where.others)
        if where.places not in state.places:
            self._new_places |= state.charged.include(where.places)
            state.places[where.places] = []
        return state.places[where.places]

    def _crowd(self, others: tuple[Place, ...]) -> None:
        """Remember that these cgroups have processes of somebody else in them."""
        if len(self._others) >= _MOST_OTHERS:
            self._others.clear()
            self._crowded.clear()
        self._others.add(others)
        for place in others:
            for kind in place.controllers or (UNIFIED,):
                where = self._hierarchies.directory(kind, place.path)
                if where is not None:
                    self._crowded.add((kind, self._sys.join(where)))
        self._new_places = True

    def _used(self, state: _State, around: Surroundings, network: tuple[InterfaceUse, ...] | None) -> OwnerRow:
        charge = state.charged.read(around)
        present = Present()
        for places, members in state.places.items():
            covered = state.charged.covers(places)
            present.add(members, covered)
            if not (covered.cpu and covered.io):
                for process in members:
                    self._sums.add(process, state.tally, cpu=not covered.cpu, io=not covered.io)
        ended = not state.members
        if ended and state.latest is not None:
            present.oldest, network = state.latest.usage.since, state.latest.usage.network
        return OwnerRow(state.owner, usage_of(present, charge, state.tally, network), ended)


usages_of = one_for_each(Usages)


def since(now: Usage, mark: Usage) -> Usage:
    """What was used between two readings of one owner: counters less what they were; all else as it is now.

    A counter that is not known at both moments is None: it is not known what of it was used between them.
    """
    changed: dict[str, object] = {name: _less(getattr(now, name), getattr(mark, name)) for name in _COUNTERS}
    for name in ("cpu_waits", "memory_waits", "io_waits"):
        later, earlier = getattr(now, name), getattr(mark, name)
        changed[name] = None if later is None or earlier is None else Waits(
            later.some_seconds - earlier.some_seconds, _less(later.full_seconds, earlier.full_seconds)
        )  # fmt: skip
    changed["io"] = _io_since(now.io, mark.io)
    changed["network"] = _network_since(now.network, mark.network)
    return msgspec.structs.replace(now, **changed)


_COUNTERS = (
    "cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "cpu_periods", "cpu_throttled_periods",
    "cpu_throttled_seconds", "oom_kills",
)  # fmt: skip
N = TypeVar("N", int, float)


def _less(now: N | None, mark: N | None) -> N | None:
    return None if now is None or mark is None else now - mark


def _io_since(now: tuple[DeviceUse, ...] | None, mark: tuple[DeviceUse, ...] | None) -> tuple[DeviceUse, ...] | None:
    if now is None or mark is None:
        return None
    before = {one.device: one for one in mark}
    none = DeviceUse("", 0, 0, 0, 0)  # a device that was not yet used at the mark
    return tuple(
        DeviceUse(
            one.device, one.read_bytes - was.read_bytes, one.written_bytes - was.written_bytes,
            _less(one.reads, was.reads), _less(one.writes, was.writes),
        )
        for one in now
        for was in (before.get(one.device, none),)
    )  # fmt: skip


def _network_since(
    now: tuple[InterfaceUse, ...] | None, mark: tuple[InterfaceUse, ...] | None
) -> tuple[InterfaceUse, ...] | None:
    if now is None or mark is None:
        return None
    before = {one.device: one for one in mark}
    none = InterfaceUse("", 0, 0)
    return tuple(
        InterfaceUse(one.device, one.received_bytes - was.received_bytes, one.sent_bytes - was.sent_bytes)
        for one in now
        for was in (before.get(one.device, none),)
    )
