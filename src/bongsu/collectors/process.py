"""Processes: a live table of each, and series folded by user and executable."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.collectors.process_groups import KERNEL, REST, Group, Groups, OwnIO, seconds
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.process import ProcessRow
from bongsu.owners.census import Census, censuses_of
from bongsu.sources.names import Users
from bongsu.sources.redact import masked_line
from bongsu.sources.root import Machine

_LABELS = ("user", "executable", "kind")
_GROUP = (
    "by user, program and kind (program; kernel for threads of the kernel; rest for all groups beyond the "
    "budget, folded into one)."
)
_SINCE = "Counted since the agent first looked; what a process did after the last look before its end is missing"

PROCESSES = MetricSpec("process_group_processes", Kind.GAUGE, f"Processes, zombies too, {_GROUP}", _LABELS)
THREADS = MetricSpec("process_group_threads", Kind.GAUGE, f"Threads, {_GROUP}", _LABELS)
CPU_SECONDS = MetricSpec(
    "process_group_cpu_seconds_total", Kind.COUNTER,
    f"CPU time, {_GROUP} {_SINCE}, as are processes that lived between two looks: see "
    "process_group_unseen_children_cpu_seconds_total.",
    _LABELS, "seconds",
)  # fmt: skip
UNSEEN_CPU_SECONDS = MetricSpec(
    "process_group_unseen_children_cpu_seconds_total", Kind.COUNTER,
    "CPU time that processes of the group were told of when their children ended, less what was seen of those "
    "children: the CPU time of processes too short to be seen, booked on the group that started them.",
    _LABELS, "seconds",
)  # fmt: skip
RESIDENT_BYTES = MetricSpec(
    "process_group_resident_memory_bytes", Kind.GAUGE,
    f"Sum of resident memory, {_GROUP} Pages shared by processes count once for each of them.",
    _LABELS, "bytes",
)  # fmt: skip
READ_BYTES = MetricSpec(
    "process_group_read_bytes_total", Kind.COUNTER,
    f"Bytes read from storage, {_GROUP} {_SINCE} unless its parent waits for it: then it is the parent's. "
    "Only of processes whose IO we may read.",
    _LABELS, "bytes",
)  # fmt: skip
WRITTEN_BYTES = MetricSpec(
    "process_group_written_bytes_total", Kind.COUNTER,
    f"Bytes that were to be written to storage, {_GROUP} {_SINCE} unless its parent waits for it: then it is "
    "the parent's. Only of processes whose IO we may read.",
    _LABELS, "bytes",
)  # fmt: skip
OLDEST = MetricSpec(
    "process_group_oldest_start_time_seconds", Kind.GAUGE,
    "Unix time at which the group's oldest process started; absent for a group without a process, and for the rest.",
    _LABELS, "seconds",
)  # fmt: skip
GROUPS = MetricSpec("process_groups", Kind.GAUGE, "Groups of user and executable that have a process now.")
FOLDED_GROUPS = MetricSpec(
    "process_groups_folded", Kind.GAUGE,
    "Groups that have a process now but no series of their own: they are beyond the budget and in the rest.",
)  # fmt: skip


class ProcessCollector:
    """Processes: a live table, and their use of CPU, memory and storage folded by user and program.

    ``groups`` is the number of groups that get series of their own; ``arguments`` puts the command
    line, with what looks like a secret masked, into the live table (never into series).

    Raises:
        BadInput: ``groups`` is negative.
    """

    name = "process"
    specs = (
        PROCESSES, THREADS, CPU_SECONDS, UNSEEN_CPU_SECONDS, RESIDENT_BYTES, READ_BYTES, WRITTEN_BYTES, OLDEST,
        GROUPS, FOLDED_GROUPS,
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, arguments: bool = False, groups: int = 100) -> None:
        if groups < 0:
            raise BadInput(
                Message("{option}: {groups} is negative; give 0 or more",
                        option="--collector.process.groups", groups=groups)
            )  # fmt: skip
        self._path = machine.proc.path
        self._censuses = censuses_of(machine)
        self._arguments = arguments
        if arguments:
            self._censuses.with_arguments()
        self._users = Users(machine.rootfs)
        self._names: dict[int, str] = {}
        self._groups = Groups(self._user, groups)
        self._lines: dict[tuple[int, int], tuple[bytes, str]] = {}

    def collect(self) -> Iterator[Sample | Absence | Table]:
        """The table ``processes``, then the groups."""
        census = self._censuses.take(self)
        processes = census.processes
        if not processes:
            raise NoData(
                Message("there are no processes in {path}", path=self._path),
                Message("give the machine's own proc file system as --procfs"),
            )
        self._names = {uid: user.name for uid, user in self._users.look_up({p.uid for p in processes}).items()}
        io = self._groups.take(processes)
        yield Table("processes", self._rows(census, io))
        for group in self._groups.shown:
            yield from _samples(group)
        yield from _samples(self._groups.rest)
        yield Sample(GROUPS, (), self._groups.alive)
        yield Sample(FOLDED_GROUPS, (), self._groups.folded)
        yield from _absences(census, self._path)

    def _user(self, uid: int) -> str:
        return self._names[uid]

    def _rows(self, census: Census, io: dict[tuple[int, int], OwnIO]) -> tuple[ProcessRow, ...]:
        rows = []
        lines: dict[tuple[int, int], tuple[bytes, str]] = {}
        for p in census.processes:
            identity = (p.pid, p.start_ticks)
            where = census.placed.get(identity)
            line = None
            if self._arguments and p.arguments is not None:
                known = self._lines.get(identity)
                if known is None or known[0] != p.arguments:
                    known = (p.arguments, masked_line(p.arguments))
                lines[identity] = known
                line = known[1]
            own = io[identity]
            rows.append(
                ProcessRow(
                    p.pid, p.ppid, self._names[p.uid], p.uid, p.executable, p.state, p.start_time, p.start_ticks,
                    p.threads, seconds(p.cpu_ticks), p.resident_bytes, p.virtual_bytes, own.read, own.written,
                    p.kernel, p.comm, line, where.owner if where is not None else None,
                )
            )  # fmt: skip
        self._lines = lines
        return tuple(rows)


def _samples(group: Group) -> Iterator[Sample]:
    key = group.key
    yield Sample(PROCESSES, key, group.processes)
    yield Sample(THREADS, key, group.threads)
    yield Sample(CPU_SECONDS, key, seconds(group.cpu_ticks))
    yield Sample(UNSEEN_CPU_SECONDS, key, seconds(group.unseen_ticks))
    if key[2] != KERNEL:  # threads of the kernel have no memory of their own
        yield Sample(RESIDENT_BYTES, key, group.resident_bytes)
    if group.io_known:
        yield Sample(READ_BYTES, key, group.read_bytes)
        yield Sample(WRITTEN_BYTES, key, group.written_bytes)
    if group.processes and key[2] != REST:
        yield Sample(OLDEST, key, group.oldest)


def _absences(census: Census, path: str) -> Iterator[Absence]:
    processes = census.processes
    unknown = sum(p.read_bytes is None for p in processes)
    if unknown:
        reason = Message("the IO of {count} of {all} processes may not be read", count=unknown, all=len(processes))
        cure = Message("run as root or with the capability CAP_SYS_PTRACE to see other users' IO")
        for spec in (READ_BYTES, WRITTEN_BYTES):
            yield Absence(spec, ("", "", ""), Why.FORBIDDEN, reason, cure)
    if census.refused:
        yield Absence(
            PROCESSES, ("", "", ""), Why.FORBIDDEN,
            Message("{count} processes may not be read at all", count=census.refused),
            Message("run as root, or mount {path} without hidepid", path=path),
        )  # fmt: skip
    if census.unreadable:
        yield Absence(
            PROCESSES, ("", "", ""), Why.FAILED,
            Message("the files of {count} processes hold no sense", count=census.unreadable),
        )  # fmt: skip
