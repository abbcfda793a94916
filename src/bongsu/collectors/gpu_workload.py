"""What each owner's processes use of all GPUs together: the series that are worth keeping for long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bongsu.collectors.gpu_budget import CLEARLY
from bongsu.collectors.gpu_energy import Energy
from bongsu.collectors.gpu_member import Identity, Member
from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.owner import Owner, OwnerKind
from bongsu.sources.nvml.reading import Ended, Snapshot

LABELS = ("kind", "id", "name", "namespace", "user")
REST = ("other", "other", "", "", "")

MEMORY = MetricSpec(
    "gpu_workload_memory_bytes", Kind.GAUGE,
    "Memory that the processes of an owner hold on all GPUs. Absent where the driver does not say it of each of them.",
    LABELS, "bytes",
)  # fmt: skip
SM = MetricSpec(
    "gpu_workload_sm_ratio", Kind.GAUGE,
    "Sum, over the processes of an owner and all GPUs, of the share of time in which a kernel ran: 2 is two busy GPUs. "
    "Absent where the driver does not say it of each of them, as on MIG.",
    LABELS, "ratio",
)  # fmt: skip
PROCESSES = MetricSpec("gpu_workload_processes", Kind.GAUGE, "Processes of an owner that are on a GPU.", LABELS)
ENERGY = MetricSpec(
    "gpu_workload_energy_joules_total", Kind.COUNTER,
    "Energy of GPUs that went to the processes of an owner since the agent first looked, by method as in "
    "gpu_process_energy_joules_total. It stays for 5 min after the last process.",
    (*LABELS, "method"), "joules",
)  # fmt: skip
ENDED = MetricSpec(
    "gpu_workload_ended_processes_total", Kind.COUNTER,
    "Processes of an owner that ended, by the driver's accounting, where that is on. It stays for 5 min after the last process.",
    LABELS,
)  # fmt: skip
UNKNOWN_ENDED = MetricSpec(
    "gpu_ended_processes_total", Kind.COUNTER,
    "Processes that ended before anybody saw whose they were, by the driver's accounting, where that is on.",
    ("gpu", "uuid"),
)  # fmt: skip
FOLDED = MetricSpec(
    "gpu_workloads_folded", Kind.GAUGE,
    "Owners with a process on a GPU that have no series of their own: they are beyond the budget and together in kind other.",
)  # fmt: skip
SPECS = (MEMORY, SM, PROCESSES, ENERGY, ENDED, UNKNOWN_ENDED, FOLDED)

_LINGER_SECONDS = 300.0  # Prometheus looks back so far: whoever asks for the increase up to the end needs it
_REMEMBERED_SECONDS = 900.0  # how long after a process was seen its owner is known for the driver's accounting
_SLACK_SECONDS = 1.0  # the driver's times and ours

Key = tuple[OwnerKind, str, str]


class _Past(NamedTuple):
    """A process that was seen."""

    start_time: float
    last: float  # Unix s
    key: Key


class _Workload:
    """One owner."""

    __slots__ = ("ended", "energy", "last", "memory", "owner", "processes", "sm", "users")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.energy: dict[str, float] = {}
        self.ended = 0
        self.last = 0.0  # Unix s, with a process
        self.begin()

    def begin(self) -> None:
        """Forget what is now, keep what was counted."""
        self.processes: set[Identity] = set()
        self.memory: float | None = 0.0
        self.sm: float | None = 0.0
        self.users: set[str] = set()

    def add(self, memory: float | None, sm: float | None) -> None:
        self.memory = None if self.memory is None or memory is None else self.memory + memory
        self.sm = None if self.sm is None or sm is None else self.sm + sm

    def labels(self) -> tuple[str, ...]:
        owner = self.owner
        user = owner.user if len(self.users) <= 1 else ""  # processes of several
        return (owner.kind.value, owner.label_id, owner.name, owner.namespace, user)


class Workloads:
    """Owners of GPU processes, look after look; ``most`` get series of their own. One thread may use it."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._all: dict[Key, _Workload] = {}
        self._shown: set[Key] = set()
        self._rest_energy: dict[str, float] = {}
        self._rest_ended = 0
        self._past: dict[int, _Past] = {}
        self._counted_ended: dict[str, set[tuple[int, float]]] = {}  # by device
        self._unknown_ended: dict[str, int] = {}

    def take(self, snapshot: Snapshot, members: Sequence[Member], energy: Energy) -> Iterator[Sample]:
        """What each has used and uses now."""
        for workload in self._all.values():
            workload.begin()
        keys: dict[tuple[str, Identity], Key] = {}
        for member in members:
            key = member.key
            workload = self._all.get(key) or self._all.setdefault(key, _Workload(member.owner))
            workload.owner = member.owner
            workload.users.add(member.owner.user)
            workload.last = snapshot.time
            workload.processes.add(member.identity)
            workload.add(member.memory, member.sm)
            keys[member.unit.device, member.identity] = key
            if member.seen is not None:
                self._past[member.process.pid] = _Past(member.seen.process.start_time, snapshot.time, key)
        self._choose()
        self._count_energy(keys, energy)
        self._count_ended(snapshot)
        self._forget(snapshot.time)
        return self._samples(snapshot)

    def _choose(self) -> None:
        alive = {key: workload for key, workload in self._all.items() if workload.processes}
        if len(self._all) <= self._most:
            self._shown = set(self._all)
            return

        def place(key: Key) -> tuple[bool, float, Key]:
            memory = self._all[key].memory or 0.0
            return key not in alive, -memory * (CLEARLY if key in self._shown else 1.0), key

        self._shown = set(sorted(self._all, key=place)[: self._most])

    def _count_energy(self, keys: dict[tuple[str, Identity], Key], energy: Energy) -> None:
        for process, method, joules in energy.gains:
            key = keys[process]
            booked = self._all[key].energy
            booked[method] = booked.get(method, 0.0) + joules
            if key not in self._shown:
                self._rest_energy[method] = self._rest_energy.get(method, 0.0) + joules

    def _count_ended(self, snapshot: Snapshot) -> None:
        """The driver keeps what it told of before, so each is counted when it is new; what ended before our time is not."""
        told: dict[str, dict[tuple[int, float], Ended]] = {gpu.uuid: {} for gpu in snapshot.gpus}
        for one in snapshot.ended:
            if one.uuid in told:
                told[one.uuid][one.pid, one.start_time] = one
        for device, ended in told.items():
            counted = self._counted_ended.get(device)
            if counted is not None:
                for identity, one in ended.items():
                    if identity not in counted:
                        self._count_one(one)
            self._counted_ended[device] = set(ended)

    def _count_one(self, ended: Ended) -> None:
        key = self._whose(ended)
        workload = None if key is None else self._all.get(key)
        if workload is None:
            self._unknown_ended[ended.uuid] = self._unknown_ended.get(ended.uuid, 0) + 1
            return
        workload.ended += 1
        if key not in self._shown:
            self._rest_ended += 1

    def _whose(self, ended: Ended) -> Key | None:
        """The owner of the process with this number that was there when the driver first met it."""
        past = self._past.get(ended.pid)
        if past is None or past.start_time > ended.start_time + _SLACK_SECONDS:
            return None
        return past.key if past.last >= ended.start_time - _SLACK_SECONDS else None

    def _forget(self, now: float) -> None:
        for key in [key for key, one in self._all.items() if now - one.last > _LINGER_SECONDS]:
            del self._all[key]
        for pid in [pid for pid, past in self._past.items() if now - past.last > _REMEMBERED_SECONDS]:
            del self._past[pid]

    def _samples(self, snapshot: Snapshot) -> Iterator[Sample]:
        taken: set[tuple[str, ...]] = {REST}
        rest: list[_Workload] = []
        for key, workload in self._all.items():
            if key not in self._shown:
                rest.append(workload)
                continue
            labels = workload.labels()
            if labels in taken:
                continue  # two that cannot be told apart by their labels: a series must not stand twice
            taken.add(labels)
            yield from _of(workload, labels)
        if rest or self._rest_energy or self._rest_ended:
            yield from self._of_rest(rest)
        yield Sample(FOLDED, (), sum(bool(one.processes) for one in rest))
        for gpu in snapshot.gpus:
            if gpu.uuid in self._unknown_ended:
                yield Sample(UNKNOWN_ENDED, (str(gpu.index), gpu.uuid), self._unknown_ended[gpu.uuid])

    def _of_rest(self, rest: Iterable[_Workload]) -> Iterator[Sample]:
        together = _Workload(_NOBODY)
        for workload in rest:
            together.processes |= workload.processes
            together.add(workload.memory, workload.sm)
        together.energy, together.ended = self._rest_energy, self._rest_ended
        yield from _of(together, REST)


def _of(workload: _Workload, labels: tuple[str, ...]) -> Iterator[Sample]:
    if workload.processes:
        yield Sample(PROCESSES, labels, len(workload.processes))
        if workload.memory is not None:
            yield Sample(MEMORY, labels, workload.memory)
        if workload.sm is not None:
            yield Sample(SM, labels, workload.sm)
    for method, joules in workload.energy.items():
        yield Sample(ENERGY, (*labels, method), joules)
    if workload.ended:
        yield Sample(ENDED, labels, workload.ended)


_NOBODY = Owner(OwnerKind.UNKNOWN, "")
