"""GPU processes: which process is on which GPU, whose it is, and what it uses."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import msgspec

from bongsu.collectors.gpu_allocation import ALLOCATION, Allocations
from bongsu.collectors.gpu_budget import Budget, Rest
from bongsu.collectors.gpu_counted import Reader, counted_of
from bongsu.collectors.gpu_gaps import ASLEEP, FRESH_SECONDS, absence, cure, reason
from bongsu.collectors.gpu_known import known_of
from bongsu.collectors.gpu_member import Member, Members, Unit, device_unit, instance_units
from bongsu.collectors.gpu_none import WhyNone
from bongsu.collectors.gpu_selection import Selection
from bongsu.collectors.gpu_workload import SPECS as WORKLOADS
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.owner import OwnerKind
from bongsu.sources.nvml.reader import reader_of
from bongsu.sources.nvml.reading import Gap, Gpu, GpuProcess, Snapshot
from bongsu.sources.root import Machine

_UNIT = ("gpu", "uuid")
_SHORT = (*_UNIT, "pid")
_NAMED = ("gpu", "pid", "command", "pod", "namespace")
_OTHER = "other"  # pid and command of the rest


def _gauge(name: str, text: str, labels: tuple[str, ...], unit: str = "") -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, labels, unit)


_INFO_TEXT = (
    "A process on a GPU or MIG instance. status is active, or unseen where no process of that number can be seen from "
    "here; pod is the name or, while that is not known, the UID; empty where it is of none, or nothing is known."
)
COUNT = _gauge(
    "gpu_process_count", "Processes on each GPU or MIG instance; 0 is an idle one. Absent where they cannot be listed.",
    _UNIT,
)  # fmt: skip
TOTAL = MetricSpec(
    "gpu_total_processes", Kind.GAUGE,
    "Processes that are on a GPU; one that is on two is counted once. Absent where those of a GPU cannot be listed.",
)  # fmt: skip
INFO = MetricSpec("gpu_process_info", Kind.INFO, _INFO_TEXT, (*_NAMED, "container", "status", "uuid"))
INFO_WITH_MEMORY = MetricSpec(INFO.name, Kind.INFO, _INFO_TEXT, (*INFO.labels, "gpu_memory"))
UTILIZATION = _gauge(
    "gpu_process_utilization",
    "Share of time in which a kernel of the process ran, from 0 to 100. Absent on MIG, of which the driver does not say it.",
    (*_NAMED, "uuid"),
)  # fmt: skip
MEMORY_UTILIZATION = _gauge(
    "gpu_process_memory_utilization",
    "Memory that the process holds, of that of its GPU or MIG instance, from 0 to 100.",
    (*_NAMED, "uuid"),
)  # fmt: skip
MEMORY = _gauge("gpu_process_memory_bytes", "Memory of the GPU that the process holds.", _SHORT, "bytes")
SM = _gauge("gpu_process_sm_ratio", "Share of time in which a kernel of the process ran.", _SHORT, "ratio")
BANDWIDTH = _gauge(
    "gpu_process_memory_bandwidth_ratio", "Share of time in which the process read or wrote memory of the GPU.", _SHORT,
    "ratio",
)  # fmt: skip
ENCODER = _gauge("gpu_process_encoder_ratio", "Share of time in which the encoder worked for the process.", _SHORT, "ratio")  # fmt: skip
DECODER = _gauge("gpu_process_decoder_ratio", "Share of time in which the decoder worked for the process.", _SHORT, "ratio")  # fmt: skip
START = _gauge("gpu_process_start_time_seconds", "Unix time at which the process started.", _SHORT, "seconds")
ENERGY = MetricSpec(
    "gpu_process_energy_joules_total", Kind.COUNTER,
    "Energy of the GPU that went to the process since the agent first looked, by method: sole (no other process was "
    "there: all of it, also what an idle GPU uses), sm_share (by the share of time in which a kernel of it ran).",
    (*_SHORT, "method"), "joules",
)  # fmt: skip
UNATTRIBUTED_ENERGY = MetricSpec(
    "gpu_unattributed_energy_joules_total", Kind.COUNTER,
    "Energy of the GPU that went to no process: idle (no kernel ran), unknown (processes came or went meanwhile, or the "
    "driver does not say what they did).",
    (*_UNIT, "reason"), "joules",
)  # fmt: skip
FOLDED = _gauge(
    "gpu_processes_folded",
    "Processes that have no series of their own: they are beyond the budget and together as pid other.", _UNIT,
)  # fmt: skip
DROPPED = MetricSpec(
    "gpu_exporter_series_dropped_total", Kind.COUNTER,
    "Series of single processes that were left out because of the budget, summed over looks.",
)  # fmt: skip
UNATTRIBUTED = MetricSpec(
    "gpu_exporter_unattributed_processes", Kind.GAUGE, "Processes on a GPU of which it is not known whose they are."
)
NAMESPACE = MetricSpec(
    "gpu_exporter_pid_namespace_host", Kind.GAUGE,
    "1 if process numbers here are those of the machine, which the driver speaks of; 0 in a container without them.",
)  # fmt: skip

_RATIOS = (
    (BANDWIDTH, "memory_bandwidth_ratio"), (ENCODER, "encoder_ratio"), (DECODER, "decoder_ratio"),
)  # fmt: skip
_GAPS = ((MEMORY, "memory_bytes"), (SM, "sm_ratio"), *_RATIOS)
_SERIES_EACH = 8  # of a process that has none of its own, about


class GpuProcessCollector:
    """GPU processes: each process on each GPU, whose it is, and what it uses; by owner; and who holds which GPU.

    ``devices`` are those whose processes are read, as `0,2` or by UUID; without it all. ``processes`` is the number of
    processes of each GPU that get series of their own: those that hold most memory, the rest is summed.
    ``command_lines`` shows the command line, with what looks like a secret masked, in place of the program's name.
    ``compat_labels`` adds the memory as a label of gpu_process_info, which makes a new series each time it changes.

    Raises:
        BadInput: an option cannot be used.
    """

    name = "gpu_process"
    specs: tuple[MetricSpec, ...] = (
        COUNT, TOTAL, INFO, UTILIZATION, MEMORY_UTILIZATION, MEMORY, SM, BANDWIDTH, ENCODER, DECODER, START, ENERGY,
        UNATTRIBUTED_ENERGY, FOLDED, *WORKLOADS, ALLOCATION, DROPPED, UNATTRIBUTED, NAMESPACE,
    )  # fmt: skip
    may_block = True
    on_by_default = True

    def __init__(
        self, machine: Machine, reader: Reader | None = None, *, compat_labels: bool = False, command_lines: bool = False,
        devices: str = "", processes: int = 50,
    ) -> None:  # fmt: skip
        if processes < 0:
            raise BadInput(
                Message("{option}: {processes} is negative; give 0 or more",
                        option="--collector.gpu_process.processes", processes=processes)
            )  # fmt: skip
        self._reader: Reader = reader or reader_of(machine)
        self._selection = Selection(devices, "--collector.gpu_process.devices")
        self._members = Members(machine, command_lines=command_lines)
        self._why_none = WhyNone(machine)
        self._budget = Budget(processes)
        self._counted = counted_of(self._reader)
        self._allocations = Allocations(machine)
        self._known = known_of(self._reader)
        self._compat = compat_labels
        if compat_labels:
            self.specs = tuple(INFO_WITH_MEMORY if spec is INFO else spec for spec in self.specs)

    def collect(self) -> Iterator[Sample | Absence | Table]:
        """The table ``gpu_processes``, then the series.

        Raises:
            NoData: there is no GPU, driver or package to read it; says which, as the collector gpu does.
            NotKnown: the driver fails or hangs. Of one that hangs, the table still has the processes that are alive,
                without figures.
        """
        with self._counted.lock:
            yield from self._look()

    def _look(self) -> Iterator[Sample | Absence | Table]:
        whole = self._reader.read()
        self._known.see(whole)
        snapshot = self._selected(whole)
        if snapshot.error is not None:
            self._refuse(snapshot, snapshot.error)
        members = self._members.take(snapshot)
        hangs = snapshot.stale_seconds > FRESH_SECONDS
        yield Table("gpu_processes", tuple(member.row(figures=not hangs) for member in members))
        if hangs:
            yield from self._allocations.take(snapshot)
            raise _hanging(snapshot)
        yield from _counts(snapshot, members)
        self._counted.energy.take(snapshot, members)
        chosen = self._budget.choose(members)
        for member in chosen:
            yield from self._of(member)
        for rest in self._budget.rests:
            self._counted.dropped += rest.processes * _SERIES_EACH
            yield from _of_rest(rest)
        yield from self._energies(snapshot, chosen)
        yield from self._counted.workloads.take(snapshot, members, self._counted.energy)
        yield from self._allocations.take(snapshot)
        yield Sample(DROPPED, (), self._counted.dropped)
        yield Sample(UNATTRIBUTED, (), sum(member.owner.kind is OwnerKind.UNKNOWN for member in members))
        yield Sample(NAMESPACE, (), int(self._members.whole))
        yield from self._absences(snapshot)

    def _refuse(self, snapshot: Snapshot, gap: Gap) -> None:
        because, helps = snapshot.finding or reason(gap), snapshot.cure or cure(gap)
        if gap.why is Why.MISSING and not self._known.any:
            raise self._why_none.of(gap, because, helps)
        raise NotKnown(because if helps is None else Message("{what}; {cure}", what=because, cure=helps))

    def _selected(self, snapshot: Snapshot) -> Snapshot:
        gpus = tuple(gpu for gpu in snapshot.gpus if gpu in self._selection)
        if len(gpus) == len(snapshot.gpus):
            return snapshot
        uuids = {gpu.uuid for gpu in gpus}
        return msgspec.structs.replace(
            snapshot, gpus=gpus, processes=tuple(one for one in snapshot.processes if one.uuid in uuids),
            processes_gaps=tuple(one for one in snapshot.processes_gaps if one[0] in uuids),
            ended=tuple(one for one in snapshot.ended if one.uuid in uuids),
        )  # fmt: skip

    def _of(self, member: Member) -> Iterator[Sample]:
        memory, sm, short = member.memory, member.sm, member.short
        if self._compat:
            size = "" if memory is None else f"{memory / 2**20:.0f}MiB"
            yield Sample(INFO_WITH_MEMORY, (*member.info, size), 1.0)
        else:
            yield Sample(INFO, member.info, 1.0)
        if sm is not None:
            yield Sample(UTILIZATION, member.labels, sm * 100)
            yield Sample(SM, short, sm)
        if memory is not None:
            yield Sample(MEMORY, short, memory)
            ratio = member.memory_ratio
            if ratio is not None:
                yield Sample(MEMORY_UTILIZATION, member.labels, ratio * 100)
        for spec, name in _RATIOS:
            value = getattr(member.process, name)
            if not isinstance(value, Gap):
                yield Sample(spec, short, value)
        if (start := member.start_time) is not None:
            yield Sample(START, short, start)

    def _energies(self, snapshot: Snapshot, chosen: list[Member]) -> Iterator[Sample]:
        index = {gpu.uuid: str(gpu.index) for gpu in snapshot.gpus}
        for device, identity in dict.fromkeys((member.unit.device, member.identity) for member in chosen):
            for method, joules in self._counted.energy.of_process.get((device, identity), {}).items():
                yield Sample(ENERGY, (index[device], device, str(identity[0]), method), joules)
        for device, reasons in self._counted.energy.unattributed.items():
            if device in index:
                for reason, joules in reasons.items():
                    yield Sample(UNATTRIBUTED_ENERGY, (index[device], device, reason), joules)

    def _absences(self, snapshot: Snapshot) -> Iterator[Absence]:
        gpus = {gpu.uuid: gpu for gpu in snapshot.gpus}
        for uuid, gap in snapshot.processes_gaps:
            index = str(gpus[uuid].index) if uuid in gpus else ""
            yield absence(COUNT, (index, uuid), gap)
        asleep = [gpu for gpu in snapshot.gpus if gpu.asleep]
        for gpu in asleep:
            yield Absence(COUNT, (str(gpu.index), gpu.uuid), Why.MISSING, ASLEEP)
        if snapshot.processes_gaps:
            uuid, gap = snapshot.processes_gaps[0]
            yield Absence(TOTAL, (), gap.why, Message("the processes of {uuid} cannot be listed", uuid=uuid))
        elif asleep:
            yield Absence(TOTAL, (), Why.MISSING, ASLEEP)
        told: set[tuple[MetricSpec, str]] = set()
        for process in snapshot.processes:
            if Gap not in _figure_types(process):
                continue
            for spec, name in _GAPS:
                value = getattr(process, name)
                if isinstance(value, Gap) and (spec, process.uuid) not in told and process.uuid in gpus:
                    told.add((spec, process.uuid))
                    yield absence(spec, (str(gpus[process.uuid].index), process.uuid, ""), value)
        if self._members.unseen and not snapshot.demo:
            yield self._unseen()

    def _unseen(self) -> Absence:
        labels = ("",) * len(INFO.labels)
        if self._members.whole and os.geteuid() == 0:  # nothing is hidden from root
            return Absence(
                INFO, labels, Why.MISSING,
                Message("processes that the driver lists on GPUs and that are not there: {count}; they have ended, or "
                        "count in another system, as on WSL", count=self._members.unseen),
                Message("if it lasts, see what holds the devices open: fuser -v /dev/nvidia*"),
            )  # fmt: skip
        if self._members.whole:
            return Absence(
                INFO, labels, Why.FORBIDDEN,
                Message("processes on GPUs that cannot be seen: {count}", count=self._members.unseen),
                Message("run as root, or mount the proc file system without hidepid"),
            )  # fmt: skip
        return Absence(
            INFO, labels, Why.FORBIDDEN,
            Message("processes on GPUs that are outside of this container, or not seen to use a GPU: {count}",
                    count=self._members.unseen),
            Message("give the container the machine's pid namespace: hostPID: true in Kubernetes, --pid=host in Docker"),
        )  # fmt: skip


def _figure_types(process: GpuProcess) -> tuple[type, ...]:
    return (
        type(process.memory_bytes), type(process.sm_ratio), type(process.memory_bandwidth_ratio),
        type(process.encoder_ratio), type(process.decoder_ratio),
    )  # fmt: skip


def _hanging(snapshot: Snapshot) -> NotKnown:
    because = snapshot.finding or Message("the driver does not answer: it hangs")
    return NotKnown(because if snapshot.cure is None else Message("{what}; {cure}", what=because, cure=snapshot.cure))


def _counts(snapshot: Snapshot, members: list[Member]) -> Iterator[Sample]:
    counted = Counter(member.unit for member in members)
    unlisted = {uuid for uuid, _ in snapshot.processes_gaps} | {gpu.uuid for gpu in snapshot.gpus if gpu.asleep}
    for gpu in snapshot.gpus:
        if gpu.uuid not in unlisted:
            for unit in _units(gpu):
                yield Sample(COUNT, (unit.gpu, unit.uuid), counted.pop(unit, 0))
    for unit, count in counted.items():  # the divided device itself, or an instance that was just made
        if unit.device not in unlisted:  # else some of its processes are known, and how many there are is not
            yield Sample(COUNT, (unit.gpu, unit.uuid), count)
    if not unlisted:
        yield Sample(TOTAL, (), len({member.identity for member in members}))


def _units(gpu: Gpu) -> list[Unit]:
    """What can run processes: of a divided device its instances."""
    return [unit for unit, _, _ in instance_units(gpu)] or [device_unit(gpu)]


def _of_rest(rest: Rest) -> Iterator[Sample]:
    unit = rest.unit
    labels, short = (unit.gpu, _OTHER, _OTHER, "", "", unit.uuid), (unit.gpu, unit.uuid, _OTHER)
    yield Sample(FOLDED, (unit.gpu, unit.uuid), rest.processes)
    for spec, where, value, factor in (
        (MEMORY, short, rest.memory, 1), (SM, short, rest.sm, 1), (UTILIZATION, labels, rest.sm, 100),
        (MEMORY_UTILIZATION, labels, rest.memory_ratio, 100),
    ):  # fmt: skip
        if value is not None:
            yield Sample(spec, where, value * factor)
