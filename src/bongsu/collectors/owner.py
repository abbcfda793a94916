"""Owners: what each Slurm job, pod, container, unit and user uses, against its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bongsu.collectors.owner_shares import Rest, Shares
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import OwnerRow, Usage, Waits
from bongsu.owners.census import censuses_of
from bongsu.owners.usage import usages_of
from bongsu.sources.root import Machine

_LABELS = ("kind", "id")
_DEVICE = (*_LABELS, "device")
REST = ("other", "other")
_SUMMED = "owner_info says whether this is from the owner's own cgroups or a sum over its processes."


def _gauge(name: str, text: str, labels: tuple[str, ...] = _LABELS, unit: str = "") -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, labels, unit)


def _counter(name: str, text: str, labels: tuple[str, ...] = _LABELS, unit: str = "") -> MetricSpec:
    return MetricSpec(name, Kind.COUNTER, text, labels, unit)


INFO = MetricSpec(
    "owner_info", Kind.INFO,
    "An owner of processes: what it is called, and whether its CPU time, memory and IO are told by its own cgroups "
    "(cgroup), summed over its processes (processes), both, or not known (empty).",
    (*_LABELS, "name", "namespace", "user", "runtime", "inside", "cpu_from", "memory_from", "io_from"),
)  # fmt: skip
PROCESSES = _gauge("owner_processes", "Processes of an owner, zombies too.")
CPU_SECONDS = _counter(
    "owner_cpu_seconds_total",
    f"CPU time of an owner by mode: user, system. Ended processes are in it; by processes, as they were last seen. {_SUMMED}",
    (*_LABELS, "mode"), "seconds",
)  # fmt: skip
CPU_LIMIT = _gauge(
    "owner_cpu_limit_cores",
    "CPU time that an owner may use each second, the smallest of its cgroup and those above. Absent without a limit.",
)
CPUS = _gauge("owner_cpus", "CPUs that an owner's cpuset lets it run on. Absent where it has none.")
PERIODS = _counter("owner_cpu_periods_total", "Periods in which an owner with a CPU limit wanted to run.")
THROTTLED_PERIODS = _counter(
    "owner_cpu_throttled_periods_total", "Periods in which an owner was stopped by its own CPU limit."
)
THROTTLED_SECONDS = _counter(
    "owner_cpu_throttled_seconds_total",
    "Time in which an owner was stopped by its own CPU limit, summed over CPUs.",
    unit="seconds",
)
MEMORY = _gauge(
    "owner_memory_usage_bytes",
    "Memory that an owner's cgroups are charged with, page cache too; by processes the sum of their resident memory, in "
    f"which shared pages count once for each. {_SUMMED}",
    unit="bytes",
)  # fmt: skip
PARTS = _gauge(
    "owner_memory_bytes",
    "Parts of the memory an owner's cgroups are charged with: anon (heaps and stacks), file (page cache without shmem), "
    "shmem (tmpfs and shared memory), kernel.",
    (*_LABELS, "type"), "bytes",
)  # fmt: skip
WORKING_SET = _gauge(
    "owner_memory_working_set_bytes",
    "Memory of an owner without the page cache that is given up first: what stands against its limit.",
    unit="bytes",
)
MEMORY_PEAK = _gauge(
    "owner_memory_peak_bytes",
    "The most memory that an owner's cgroup was ever charged with, page cache too.",
    unit="bytes",
)
MEMORY_LIMIT = _gauge(
    "owner_memory_limit_bytes",
    "Memory that an owner may use, the smallest of its cgroup and those above. Absent without a limit.",
    unit="bytes",
)
SWAP = _gauge("owner_swap_usage_bytes", "Swap that an owner uses.", unit="bytes")
SWAP_LIMIT = _gauge(
    "owner_swap_limit_bytes", "Swap that an owner may use. Absent without a limit, and with cgroup v1.", unit="bytes"
)
OOM_KILLS = _counter(
    "owner_memory_oom_kills_total",
    "Processes of an owner that were killed for lack of memory, by its own limit or the machine's.",
)
READ_BYTES = _counter(
    "owner_io_read_bytes_total",
    f"Bytes that an owner read from a block device; from all (device empty) where its processes are summed. {_SUMMED}",
    _DEVICE, "bytes",
)  # fmt: skip
WRITTEN_BYTES = _counter(
    "owner_io_written_bytes_total",
    f"Bytes that an owner wrote to a block device; to all (device empty) where its processes are summed. {_SUMMED}",
    _DEVICE, "bytes",
)  # fmt: skip
READS = _counter("owner_io_reads_total", "Reads of an owner from a block device, by its cgroups.", _DEVICE)
WRITES = _counter("owner_io_writes_total", "Writes of an owner to a block device, by its cgroups.", _DEVICE)
TASKS = _gauge("owner_tasks", "Processes and threads in an owner's cgroups: what its limit of tasks counts.")
TASKS_LIMIT = _gauge("owner_tasks_limit", "Processes and threads that an owner may have. Absent without a limit.")
WAITING = _counter(
    "owner_pressure_waiting_seconds_total",
    "Time in which some task of an owner waited for a resource: cpu, memory, io. Only with cgroup v2.",
    (*_LABELS, "resource"), "seconds",
)  # fmt: skip
STALLED = _counter(
    "owner_pressure_stalled_seconds_total",
    "Time in which all tasks of an owner that had work waited for a resource: cpu, memory, io. Only with cgroup v2.",
    (*_LABELS, "resource"), "seconds",
)  # fmt: skip
RECEIVED = _counter(
    "owner_network_receive_bytes_total",
    "Bytes received by an interface of a network namespace in which only this owner's processes were seen.",
    _DEVICE,
    "bytes",
)
SENT = _counter(
    "owner_network_transmit_bytes_total",
    "Bytes sent by an interface of a network namespace in which only this owner's processes were seen.",
    _DEVICE,
    "bytes",
)
OWNERS = _gauge("owners", "Owners that have a process now.", ("kind",))
FOLDED = MetricSpec(
    "owners_folded", Kind.GAUGE,
    "Owners that have a process now but no series of their own: they are beyond the budget and together in kind other.",
)  # fmt: skip
DROPPED = MetricSpec(
    "owners_dropped_total", Kind.COUNTER, "Owners that ended without ever having had series of their own."
)


class OwnerCollector:
    """Owners: what each Slurm job, pod, container, unit and user uses, against its limits.

    ``owners`` is the number of owners that get series of their own: those that use most of CPU and
    memory, the rest are folded into one of kind other. An owner that ends is there once more, with
    what it had used.

    Raises:
        BadInput: ``owners`` is negative.
    """

    name = "owner"
    specs = (
        INFO, PROCESSES, CPU_SECONDS, CPU_LIMIT, CPUS, PERIODS, THROTTLED_PERIODS, THROTTLED_SECONDS, MEMORY, PARTS,
        WORKING_SET, MEMORY_PEAK, MEMORY_LIMIT, SWAP, SWAP_LIMIT, OOM_KILLS, READ_BYTES, WRITTEN_BYTES, READS, WRITES,
        TASKS, TASKS_LIMIT, WAITING, STALLED, RECEIVED, SENT, OWNERS, FOLDED, DROPPED,
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, owners: int = 200) -> None:
        if owners < 0:
            raise BadInput(
                Message(
                    "{option}: {owners} is negative; give 0 or more", option="--collector.owner.owners", owners=owners
                )
            )
        self._path = machine.proc.path
        self._censuses = censuses_of(machine)
        self._usages = usages_of(machine)
        self._shares = Shares(owners)
        self._labels: dict[tuple[OwnerKind, str, str], _Labels] = {}

    def collect(self) -> Iterator[Sample | Absence | Table]:
        """The table ``owners``, then the series of those shown and of the rest."""
        census = self._censuses.take(self)
        if not census.processes:
            raise NoData(
                Message("there are no processes in {path}", path=self._path),
                Message("give the machine's own proc file system as --procfs"),
            )
        rows = self._usages.take(census.processes, census.placed)
        yield Table("owners", tuple(rows))
        labels: dict[tuple[OwnerKind, str, str], _Labels] = {}
        taken: set[tuple[str, ...]] = {REST}
        for row in self._shares.choose(rows, self._usages.followed()):
            key = row.owner.key
            mine = labels[key] = self._labels.get(key) or _Labels(row.owner)
            if mine.base in taken:
                continue  # two that cannot be told apart by their labels: a series must not stand twice
            taken.add(mine.base)
            yield Sample(INFO, mine.info(row), 1.0)
            yield from _samples(row.usage, mine)
        self._labels = labels
        yield from _rest(self._shares.rest)
        alive = Counter(row.owner.kind for row in rows if not row.ended)
        for kind in OwnerKind:
            yield Sample(OWNERS, (kind.value,), alive[kind])
        yield Sample(FOLDED, (), self._shares.rest.owners)
        yield Sample(DROPPED, (), self._shares.dropped)
        if census.refused:
            yield Absence(
                PROCESSES, ("", ""), Why.FORBIDDEN,
                Message("{count} processes may not be read at all", count=census.refused),
                Message("run as root, or mount {path} without hidepid", path=self._path),
            )  # fmt: skip


class _Labels:
    """The label tuples of one owner, made once."""

    __slots__ = ("_info", "_said", "base", "more")

    def __init__(self, owner: Owner) -> None:
        self.base = (owner.kind.value, owner.label_id)
        self.more: dict[str, tuple[str, ...]] = {}
        self._said: tuple[object, ...] = ()
        self._info: tuple[str, ...] = ()

    def info(self, row: OwnerRow) -> tuple[str, ...]:
        owner, usage = row.owner, row.usage
        said = (owner, usage.cpu_from, usage.memory_from, usage.io_from)
        if said != self._said:
            self._said = said
            self._info = (
                *self.base, owner.name, owner.namespace, owner.user, owner.runtime, owner.inside,
                usage.cpu_from.value, usage.memory_from.value, usage.io_from.value,
            )  # fmt: skip
        return self._info

    def __getitem__(self, last: str) -> tuple[str, ...]:
        labels = self.more.get(last)
        if labels is None:
            labels = self.more[last] = (*self.base, last)
        return labels


def _samples(usage: Usage, labels: _Labels) -> Iterator[Sample]:
    base = labels.base
    yield Sample(PROCESSES, base, usage.processes)
    if usage.cpu_user_seconds is not None and usage.cpu_system_seconds is not None:
        yield Sample(CPU_SECONDS, labels["user"], usage.cpu_user_seconds)
        yield Sample(CPU_SECONDS, labels["system"], usage.cpu_system_seconds)
    # Without a limit of its own the kernel counts no periods: those zeros say nothing.
    if usage.cpu_periods and usage.cpu_throttled_periods is not None and usage.cpu_throttled_seconds is not None:
        yield Sample(PERIODS, base, usage.cpu_periods)
        yield Sample(THROTTLED_PERIODS, base, usage.cpu_throttled_periods)
        yield Sample(THROTTLED_SECONDS, base, usage.cpu_throttled_seconds)
    for spec, value in (
        (CPU_LIMIT, usage.cpu_limit_cores), (CPUS, usage.cpus), (MEMORY, usage.memory_bytes),
        (WORKING_SET, usage.working_set_bytes), (MEMORY_PEAK, usage.memory_peak_bytes),
        (MEMORY_LIMIT, usage.memory_limit_bytes), (SWAP, usage.swap_bytes), (SWAP_LIMIT, usage.swap_limit_bytes),
        (OOM_KILLS, usage.oom_kills), (TASKS, usage.tasks), (TASKS_LIMIT, usage.tasks_limit),
    ):  # fmt: skip
        if value is not None:
            yield Sample(spec, base, value)
    for part, size in (
        ("anon", usage.anon_bytes), ("file", usage.file_bytes), ("shmem", usage.shmem_bytes),
        ("kernel", usage.kernel_bytes),
    ):  # fmt: skip
        if size is not None:
            yield Sample(PARTS, labels[part], size)
    for disk in usage.io or ():
        device = labels[disk.device]
        yield Sample(READ_BYTES, device, disk.read_bytes)
        yield Sample(WRITTEN_BYTES, device, disk.written_bytes)
        if disk.reads is not None and disk.writes is not None:
            yield Sample(READS, device, disk.reads)
            yield Sample(WRITES, device, disk.writes)
    yield from _pressure(labels["cpu"], usage.cpu_waits)
    yield from _pressure(labels["memory"], usage.memory_waits)
    yield from _pressure(labels["io"], usage.io_waits)
    for interface in usage.network or ():
        yield Sample(RECEIVED, labels[interface.device], interface.received_bytes)
        yield Sample(SENT, labels[interface.device], interface.sent_bytes)


def _pressure(labels: tuple[str, ...], waits: Waits | None) -> Iterator[Sample]:
    if waits is not None:
        yield Sample(WAITING, labels, waits.some_seconds)
        if waits.full_seconds is not None:
            yield Sample(STALLED, labels, waits.full_seconds)


def _rest(rest: Rest) -> Iterator[Sample]:
    yield Sample(PROCESSES, REST, rest.processes)
    yield Sample(CPU_SECONDS, (*REST, "user"), rest.cpu[0])
    yield Sample(CPU_SECONDS, (*REST, "system"), rest.cpu[1])
    yield Sample(MEMORY, REST, rest.memory_bytes)
    yield Sample(OOM_KILLS, REST, rest.oom_kills)
    yield Sample(READ_BYTES, (*REST, ""), rest.read_bytes)
    yield Sample(WRITTEN_BYTES, (*REST, ""), rest.written_bytes)
