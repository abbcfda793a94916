"""Joins the processes that a driver lists with those of this machine and with their owners; nothing is guessed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.owners.numbered import Numbered
from bongsu.owners.resolver import Seen, resolver_of
from bongsu.sources.nvml.reading import Gap, Gpu, GpuProcess, Snapshot
from bongsu.sources.procfs.namespace import has_open, shows_whole_machine
from bongsu.sources.procfs.process import TICKS_PER_SECOND
from bongsu.sources.redact import masked_line
from bongsu.sources.root import Machine

_SLACK_SECONDS = 0.1  # between the two clocks
_DEVICES = "/dev/nvidia"

Identity = tuple[int, int]  # pid, start ticks; -1 where no process of that number is seen here


class Unit(NamedTuple):
    """What runs processes: a device, or an instance of a divided one."""

    gpu: str  # the label
    uuid: str  # the label
    device: str  # UUID of the device
    memory_total: float | None


class Member:
    """One process on one device or instance, with the labels of its series. A figure is None where the driver gives none."""

    __slots__ = (
        "command", "identity", "info", "key", "labels", "memory", "memory_ratio", "owner", "process", "seen", "short",
        "sm", "unit",
    )  # fmt: skip

    def __init__(
        self, process: GpuProcess, unit: Unit, identity: Identity, seen: Seen | None, owner: Owner, command: str
    ) -> None:
        self.unit = unit
        self.identity = identity
        self.seen = seen
        self.owner = owner
        self.key = owner.key
        self.command = command
        pod, namespace, container = within(owner)
        self.short = (unit.gpu, unit.uuid, str(process.pid))
        named = (unit.gpu, str(process.pid), command, pod, namespace)
        self.labels = (*named, unit.uuid)
        status = "active" if identity[1] >= 0 or process.played is not None else "unseen"
        self.info = (*named, container, status, unit.uuid)
        self.update(process)

    def update(self, process: GpuProcess) -> None:
        """Take the figures of a newer look."""
        self.process = process
        self.memory = memory = _number(process.memory_bytes)  # bytes that it holds
        total = self.unit.memory_total
        self.memory_ratio = memory / total if memory is not None and total else None  # of its device or GPU instance
        self.sm = _number(process.sm_ratio)  # the share of time in which a kernel of it ran

    @property
    def start_time(self) -> float | None:
        """Unix s; None where no process of that number is seen here."""
        if self.seen is not None:
            return self.seen.process.start_time
        return None if self.process.played is None else self.process.played.start_time

    def row(self, *, figures: bool = True) -> GpuProcessRow:
        """For people; without ``figures`` only who it is."""
        process, seen = self.process, self.seen
        row = GpuProcessRow(
            pid=process.pid, start_ticks=seen.process.start_ticks if seen is not None else None,
            start_time=self.start_time, user=self.owner.user, owner=self.owner,
            command=self.command, gpu=self.unit.gpu, uuid=self.unit.uuid, kinds=process.kinds,
        )  # fmt: skip
        if not figures:
            return row
        return msgspec.structs.replace(
            row, memory_bytes=None if self.memory is None else int(self.memory), memory_ratio=self.memory_ratio,
            sm_ratio=self.sm, memory_bandwidth_ratio=_number(process.memory_bandwidth_ratio),
            encoder_ratio=_number(process.encoder_ratio), decoder_ratio=_number(process.decoder_ratio),
        )  # fmt: skip


class Members:
    """The members of one snapshot after the other. One thread may use it.

    A driver speaks of numbers of the machine's first pid namespace. Where the proc file system shows another one, a
    number is believed to be a process of ours only if that has a device of NVIDIA open.
    """

    def __init__(self, machine: Machine, *, command_lines: bool = False) -> None:
        self._proc = machine.proc
        self._numbered = Numbered(machine, resolver_of(machine), arguments=command_lines)
        self.whole = shows_whole_machine(machine.proc)
        self._command_lines = command_lines
        self._verified: dict[Identity, bool] = {}
        self._before: set[int] = set()  # pids seen at the last look
        self._gone: set[int] = set()  # pids that ended since the snapshot
        self._time = 0.0
        self._known: dict[tuple[Unit, int], Member] = {}
        self._commands: dict[Identity, str] = {}
        self.unseen = 0  # members of which no process is seen here

    def take(self, snapshot: Snapshot) -> list[Member]:
        """What is on the devices now; a process that has ended since the snapshot is not."""
        if snapshot.time != self._time:
            self._time = snapshot.time
            self._gone.clear()
        seen = self._seen(snapshot)
        units = {gpu.uuid: _Units(gpu) for gpu in snapshot.gpus}
        known: dict[tuple[Unit, int], Member] = {}
        commands: dict[Identity, str] = {}
        for process in snapshot.processes:
            if process.pid in self._gone or process.uuid not in units:
                continue
            unit = units[process.uuid].of(process)
            if (unit, process.pid) not in known:
                known[unit, process.pid] = self._member(process, unit, seen.get(process.pid), commands)
        self._known, self._commands = known, commands
        self.unseen = sum(member.identity[1] < 0 for member in known.values())
        return list(known.values())

    def _seen(self, snapshot: Snapshot) -> dict[int, Seen]:
        if snapshot.demo:
            return {}  # the numbers of a played scenario are nobody's
        pids = {process.pid for process in snapshot.processes} - self._gone
        found = self._numbered.resolve(pids)
        if self._proc.live:
            # A process that started after the driver was asked is another one, of the same number.
            asked = time.clock_gettime(time.CLOCK_BOOTTIME) - (time.time() - snapshot.time)
            latest = asked + snapshot.library_seconds + _SLACK_SECONDS
            for pid, one in list(found.items()):
                if one.process.start_ticks / TICKS_PER_SECOND > latest:
                    del found[pid]
                    if self.whole:
                        self._gone.add(pid)
        if not self.whole:
            found = self._verify(found)
        self._gone |= (self._before & pids) - found.keys()
        self._before = set(found)
        return found

    def _verify(self, found: dict[int, Seen]) -> dict[int, Seen]:
        verified: dict[Identity, bool] = {}
        for pid, one in found.items():
            identity = (pid, one.process.start_ticks)
            before = self._verified.get(identity)
            verified[identity] = has_open(self._proc, pid, _DEVICES) if before is None else before
        self._verified = verified
        return {pid: one for pid, one in found.items() if verified[pid, one.process.start_ticks]}

    def _member(self, process: GpuProcess, unit: Unit, seen: Seen | None, commands: dict[Identity, str]) -> Member:
        before = self._known.get((unit, process.pid))
        if seen is None:
            identity, owner, command = (process.pid, -1), _UNSEEN, ""
            if process.played is not None:
                owner, command = process.played.owner, process.played.command
        else:
            identity, owner = (process.pid, seen.process.start_ticks), seen.placed.owner
            command = commands[identity] = self._commands.get(identity) or self._command(seen)
        if before is not None and before.identity == identity and before.owner is owner and before.command == command:
            before.update(process)  # the labels stay
            return before
        return Member(process, unit, identity, seen, owner, command)

    def _command(self, seen: Seen) -> str:
        if self._command_lines and seen.process.arguments:
            return masked_line(seen.process.arguments)
        return seen.process.executable


class _Units:
    """A device and its instances."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._made: dict[tuple[int | None, int | None], Unit] = {}

    def of(self, process: GpuProcess) -> Unit:
        key = (process.gpu_instance, process.compute_instance)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(*key)
        return made

    def _make(self, gpu_instance: int | None, compute_instance: int | None) -> Unit:
        if gpu_instance is None:
            return device_unit(self._gpu)
        for unit, gi, ci in instance_units(self._gpu):
            if (gi, ci) == (gpu_instance, compute_instance):
                return unit
        label = "_".join(str(n) for n in (self._gpu.index, gpu_instance, compute_instance) if n is not None)
        return Unit(label, "", self._gpu.uuid, None)  # it was made or removed a moment ago


def device_unit(gpu: Gpu) -> Unit:
    """The device as a whole."""
    total = next((_number(v.value) for v in gpu.values if v.name == "gpu_memory_total_bytes"), None)
    return Unit(str(gpu.index), gpu.uuid, gpu.uuid, total)


def instance_units(gpu: Gpu) -> Iterator[tuple[Unit, int, int]]:
    """Its instances, with their numbers."""
    for one in gpu.instances:
        gi, ci = one.gpu_instance, one.compute_instance
        yield Unit(f"{gpu.index}_{gi}_{ci}", one.uuid, gpu.uuid, _number(one.memory_total_bytes)), gi, ci


def within(owner: Owner) -> tuple[str, str, str]:
    """The pod, its namespace, and the container that an owner names."""
    if owner.kind is OwnerKind.POD:
        return owner.name or owner.id, owner.namespace, owner.container
    if owner.kind is OwnerKind.CONTAINER:
        return "", "", owner.name or owner.id
    return "", "", owner.container


def _number(value: float | Gap) -> float | None:
    return None if isinstance(value, Gap) else value


_UNSEEN = Owner(
    OwnerKind.UNKNOWN, "", evidence=(Evidence(By.NOTHING, "no process of this number can be seen from here"),)
)
