"""Which GPUs are held by whom, with or without a process on them; what cannot be known is not said."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bongsu.collectors.gpu_member import Unit, device_unit, instance_units, within
from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.owner import By, Owner, OwnerKind
from bongsu.owners.census import censuses_of
from bongsu.owners.each_machine import one_for_each
from bongsu.owners.placement import Placed
from bongsu.owners.resolver import resolver_of, settings_of
from bongsu.sources.cgroup import Hierarchies
from bongsu.sources.kubelet_client import Allocation
from bongsu.sources.nvml.reading import Gpu, Snapshot
from bongsu.sources.procfs import nvidia_caps
from bongsu.sources.procfs.environ import environment
from bongsu.sources.procfs.process import Process
from bongsu.sources.root import Machine

ALLOCATION = MetricSpec(
    "gpu_allocation", Kind.GAUGE,
    "1 for each GPU or MIG instance that was given to a Slurm job or a pod, whether a process of it is there or not, "
    "and who told: the kubelet, the job's devices cgroup, or the environment of its processes.",
    ("gpu", "uuid", "kind", "id", "name", "namespace", "container", "user", "source"),
)  # fmt: skip

_JOBS_SECONDS = 15.0  # how often jobs are looked for: that reads all processes
_PODS_SECONDS = 30.0  # how often the kubelet is asked: each time a child with gRPC starts
_PODS_GOOD_SECONDS = 120.0  # how long an answer is repeated when the kubelet gives no other
_DEVICES_CGROUP = "devices cgroup"
_MAJOR = 195  # of /dev/nvidiaN, in the kernel's Documentation/admin-guide/devices.txt
_MOST_MINOR = 127  # 254 and 255 are nvidia-modeset and nvidiactl
_PLUGIN = "nvidia.com/"
# NVIDIA's device plugin: GPU-…, GPU-…::3 of a shared one, MIG-…, before driver 470 MIG-GPU-…/GI/CI; GKE's: nvidia0,
# nvidia0/gi7, nvidia0/vgpu1.
_OLD_MIG = re.compile(r"MIG-(GPU-[0-9a-f-]+)/(\d{1,3})/(\d{1,3})", re.ASCII)
_GKE = re.compile(r"nvidia(\d{1,3})(?:/(?:gi(\d{1,3})|vgpu\d+))?", re.ASCII)


class Holders:
    """Who holds each device wholly and alone, as last found; read by other collectors, from any thread."""

    def __init__(self, _: Machine) -> None:
        self.by_device: Mapping[str, Owner] = {}  # replaced, never changed

    def of(self, uuid: str) -> Owner | None:
        """Whose the whole device is; None where it is nobody's, of several, or not known."""
        return self.by_device.get(uuid)


holders_of = one_for_each(Holders)


class Allocations:
    """Looks for holders now and then. One thread may use it."""

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc
        self._sys = machine.sys
        self._hierarchies = Hierarchies(machine.sys)
        self._resolver = resolver_of(machine)
        self._environment = settings_of(machine).environment
        self._censuses = censuses_of(machine)
        self._holders = holders_of(machine)
        self._jobs: list[_Job] = []
        self._jobs_due = 0.0
        self._pods: Allocation | None = None
        self._told: Allocation | None = None
        self._pods_due = self._pods_until = 0.0

    def take(self, snapshot: Snapshot) -> Iterator[Sample]:
        """One sample for each unit and holder."""
        given: set[tuple[str, ...]] = set()
        holding: dict[str, dict[tuple[str, ...], Owner]] = {}
        for unit, owner, source in self._given(snapshot) if snapshot.gpus else ():
            who = _who(owner) if unit.uuid == unit.device else ("instance", unit.uuid)
            others = holding.setdefault(unit.device, {})
            before = others.get(who)
            if before is not None and before.container != owner.container:  # containers of one pod share it
                others[who] = msgspec.structs.replace(owner, container="")
            else:
                others[who] = owner
            labels = (
                unit.gpu, unit.uuid, owner.kind.value, owner.label_id, owner.name, owner.namespace, within(owner)[2],
                owner.user, source,
            )  # fmt: skip
            if labels not in given:
                given.add(labels)
                yield Sample(ALLOCATION, labels, 1.0)
        self._holders.by_device = {
            device: owner
            for device, of in holding.items()
            for who, owner in of.items()
            if len(of) == 1 and who[0] != "instance"
        }

    def _given(self, snapshot: Snapshot) -> Iterator[tuple[Unit, Owner, str]]:
        units = _Units(snapshot.gpus)
        if snapshot.demo:
            for gpu in snapshot.gpus:
                for owner in gpu.held_by:
                    yield device_unit(gpu), owner, "scenario"
            return
        now = time.monotonic()
        self._ask_kubelet(now)
        if self._pods is not None:
            for one in self._pods.containers:
                # Its UID is not told, and a pod may be replaced by another of its name: so none is said.
                owner = Owner(OwnerKind.POD, "", one.pod, one.namespace, one.container)
                for devices in one.devices:
                    if devices.resource.startswith(_PLUGIN):
                        for identity in devices.ids:
                            for unit in units.named(identity):
                                yield unit, owner, By.POD_RESOURCES.value
        if now >= self._jobs_due:
            self._jobs_due = now + _JOBS_SECONDS
            self._jobs = self._look_for_jobs()
        for job in self._jobs:
            for unit in units.of_job(job):
                yield unit, job.owner, job.source

    def _ask_kubelet(self, now: float) -> None:
        if now >= self._pods_due:
            told = self._resolver.devices()
            if told is not self._told:  # an answer that is still awaited is fetched at the next look
                self._told = self._pods = told
                self._pods_due, self._pods_until = now + _PODS_SECONDS, now + _PODS_GOOD_SECONDS
        if now >= self._pods_until:
            self._pods = None

    def _look_for_jobs(self) -> list[_Job]:
        census = self._censuses.take(self)
        processes: dict[tuple[OwnerKind, str, str], list[tuple[Process, Placed]]] = {}
        for process in census.processes:
            placed = census.placed.get((process.pid, process.start_ticks))
            if placed is not None and placed.owner.kind is OwnerKind.SLURM:
                processes.setdefault(placed.owner.key, []).append((process, placed))
        return [job for mine in processes.values() if (job := self._job(mine)) is not None]

    def _job(self, processes: list[tuple[Process, Placed]]) -> _Job | None:
        """What a job was given: by its devices cgroup, which its user cannot change, else as its processes were told."""
        users = [pair for pair in processes if pair[0].uid != 0] or processes  # Slurm's own are root's
        first, placed = min(users, key=lambda pair: pair[0].start_ticks)
        for place in placed.places:
            if "devices" in place.controllers:
                listed = self._listed(place.path)
                minors = None if listed is None else allowed_minors(listed)
                if listed is not None and minors is not None:
                    return _Job(placed.owner, _DEVICES_CGROUP, minors=minors, opens=self._opens(listed))
        if not self._environment:
            return None
        variables = environment(self._proc, first.pid, first.start_ticks) or {}
        words = variables.get("CUDA_VISIBLE_DEVICES", "").split(",")
        uuids = frozenset(
            word for word in words if word.startswith(("GPU-", "MIG-"))
        )  # an index would be of who knows what
        return _Job(placed.owner, By.ENVIRONMENT.value, uuids=uuids) if uuids else None

    def _listed(self, path: str) -> bytes | None:
        """The devices that a cgroup v1 allows, as it lists them."""
        directory = self._hierarchies.directory("devices", path)
        if directory is None:
            return None
        try:
            return self._sys.read_once(f"{directory}/devices.list")
        except OSError:
            return None

    def _opens(self, listed: bytes) -> frozenset[nvidia_caps.Opens]:
        """The instances of divided GPUs that may be opened; none where all may, since then none was given."""
        try:
            major = nvidia_caps.major(self._proc)
            minors = None if major is None else allowed_minors(listed, major)
            return nvidia_caps.opened_by(self._proc, minors) if minors else frozenset()
        except OSError:  # no such driver, or its files are hidden in a container
            return frozenset()


def _who(owner: Owner) -> tuple[str, ...]:
    """What tells holders apart: a pod is told by its name here, a job by its id."""
    return (owner.kind.value, owner.id, owner.inside, owner.name, owner.namespace)


class _Job:
    """A job of Slurm, and what it was given."""

    __slots__ = ("minors", "opens", "owner", "source", "uuids")

    def __init__(
        self, owner: Owner, source: str, *, minors: frozenset[int] = frozenset(), uuids: frozenset[str] = frozenset(),
        opens: frozenset[nvidia_caps.Opens] = frozenset(),
    ) -> None:  # fmt: skip
        self.owner = owner
        self.source = source
        self.minors = minors
        self.opens = opens
        self.uuids = uuids


class _Units:
    """Finds devices and instances by what others call them."""

    def __init__(self, gpus: Iterable[Gpu]) -> None:
        self._by_uuid: dict[str, Unit] = {}
        self._by_numbers: dict[tuple[str, int, int], Unit] = {}
        self._by_minor: dict[int, Gpu] = {}
        for gpu in gpus:
            self._by_uuid[gpu.uuid] = device_unit(gpu)
            if gpu.minor is not None:
                self._by_minor[gpu.minor] = gpu
            for unit, gi, ci in instance_units(gpu):
                self._by_uuid[unit.uuid] = unit
                self._by_numbers[gpu.uuid, gi, ci] = unit

    def named(self, identity: str) -> list[Unit]:
        """By a device plugin's word; none where it is not understood."""
        identity = identity.partition("::")[0]
        unit = self._by_uuid.get(identity)
        if unit is not None:
            return [unit]
        if old := _OLD_MIG.fullmatch(identity):
            unit = self._by_numbers.get((old[1], int(old[2]), int(old[3])))
            return [unit] if unit is not None else []
        if (gke := _GKE.fullmatch(identity)) and (gpu := self._by_minor.get(int(gke[1]))) is not None:
            if gke[2] is None:
                return [device_unit(gpu)]
            return [unit for unit, gi, _ in instance_units(gpu) if gi == int(gke[2])]
        return []

    def of_job(self, job: _Job) -> Iterator[Unit]:
        """What a job holds. An instance of a divided device takes three files: the device's, the GPU instance's, its own."""
        for minor in sorted(job.minors):
            gpu = self._by_minor.get(minor)
            if gpu is not None and not gpu.instances:
                yield device_unit(gpu)
            for unit, gi, ci in instance_units(gpu) if gpu is not None else ():
                if {(minor, gi, None), (minor, gi, ci)} <= job.opens:
                    yield unit
        for uuid in sorted(job.uuids):
            yield from self.named(uuid)


def allowed_minors(text: bytes, major: int = _MAJOR) -> frozenset[int] | None:
    """NVIDIA's devices in a devices.list (Documentation/admin-guide/cgroup-v1/devices.rst); None where all are allowed."""
    most = _MOST_MINOR if major == _MAJOR else 2**20
    found = set()
    for line in text.split(b"\n"):
        words = line.replace(b":", b" ").split()
        if len(words) != 4 or words[0] not in {b"a", b"c"}:
            continue
        if words[1] == b"*" or (words[1] == b"%d" % major and words[2] == b"*"):
            return None
        if words[1] == b"%d" % major and words[2].isdigit() and int(words[2]) <= most:
            found.add(int(words[2]))
    return frozenset(found)
