"""From processes to owners: asks each way of knowing in turn, and remembers by (pid, start time)."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.model.settings import OwnerSettings
from bongsu.owners import kubernetes, slurm
from bongsu.owners.cgroup import Belief, Grouped, grouped
from bongsu.owners.container import ContainerNames
from bongsu.owners.each_machine import one_for_each
from bongsu.owners.placement import Known, Placed
from bongsu.sources.cgroup import memberships
from bongsu.sources.kubelet_client import Allocation
from bongsu.sources.names import Users
from bongsu.sources.procfs.process import TICKS_PER_SECOND, Process, Processes, parse_stat
from bongsu.sources.root import Machine, may_not_read

_YOUNG_SECONDS = 10.0  # how old a process is that is looked at again each time
_LOOK_AGAIN_SECONDS = 30.0  # on average; it is spread from half of it to one and a half
_FORGET_SECONDS = 60.0
_MOST = 250_000  # processes, and as many sets of lines, before half are forgotten early


class PodName(Protocol):
    """What a pod and the container in it are called."""

    @property
    def uid(self) -> str: ...  # noqa: D102  as the API has it
    @property
    def name(self) -> str: ...  # noqa: D102  of the pod
    @property
    def namespace(self) -> str: ...  # noqa: D102  of the pod
    @property
    def container(self) -> str: ...  # noqa: D102  "" where that is not known
    @property
    def evidence(self) -> tuple[Evidence, ...]: ...  # noqa: D102  what told the names


class PodNames(Protocol):
    """Who knows the names of pods. It answers at once or within its patience; None is "not known (yet)"."""

    def names(self, uid: str, container_id: str) -> PodName | None: ...  # noqa: D102  see above
    def pod_of_container(self, container_id: str) -> PodName | None: ...  # noqa: D102  see above
    @property
    def awaited(self) -> bool: ...  # noqa: D102  an answer is still to come
    def tend(self) -> None: ...  # noqa: D102  once in a pass: to take an answer that came late
    def state(self) -> tuple[kubernetes.Way, ...]: ...  # noqa: D102  which ways of knowing work
    def devices(self) -> Allocation | None: ...  # noqa: D102  which containers were given devices, if that is known


class Jobs(Protocol):
    """Who knows Slurm's jobs beyond the cgroup path."""

    def claimed(self, process: Known) -> Owner | None: ...  # noqa: D102  by its ancestors or its environment, verified
    def job_of_sluid(self, path: str) -> tuple[str, Evidence] | None: ...  # noqa: D102  the job's id
    def name(self, process: Known, job: str) -> str: ...  # noqa: D102  of a job that the process is known to be of


class Seen(NamedTuple):
    """One process and its owner, as `Resolver.one` read them."""

    process: Process
    placed: Placed


class _Group:
    """All processes with the same lines in /proc/PID/cgroup."""

    __slots__ = ("due", "grouped", "lines", "placed", "pod", "pod_asked", "version")

    def __init__(self, lines: bytes, found: Grouped, due: float) -> None:
        self.lines = lines
        self.grouped = found
        self.due = due  # when it is to be looked at again
        self.pod: PodName | None = None
        self.pod_asked = -1  # the pass in which its names were asked for
        self.version = 0  # counts changes of what is known
        self.placed: dict[int, Placed] = {}  # by user, of this version

    def changed(self) -> None:
        self.version += 1
        self.placed.clear()


class _Entry:
    """One process."""

    __slots__ = ("due", "group", "placed", "uid", "version")

    def __init__(self) -> None:
        self.due = 0.0
        self.uid = -1
        self.group: _Group | None = None  # None of a thread of the kernel, and where the lines could not be read
        self.version = -1
        self.placed = Placed(Owner(OwnerKind.UNKNOWN, ""))


class Resolver:
    """Owners of processes of one machine. Any thread may ask; one is answered at a time.

    What was found is remembered as long as it is asked for at least once a minute. A process that
    changes its cgroup afterwards (pam_slurm_adopt, systemd-run --scope, cgclassify) is noticed at the
    next call in its first 10 s of life, later within 45 s; another user id at once. A directory
    that becomes another user's, and a container that is renamed, are noticed within 90 s.
    """

    def __init__(self, machine: Machine, *, pods: PodNames | None = None, jobs: Jobs | None = None) -> None:
        self._proc = machine.proc
        self._live = machine.proc.live
        self._pods = pods
        self._jobs = jobs
        self._users = Users(machine.rootfs)
        self._belief = Belief(machine.sys)
        self._containers = ContainerNames(machine.rootfs)
        self._reader = Processes(machine.proc)
        self._lock = threading.Lock()
        self._entries: dict[tuple[int, int], _Entry] = {}
        self._older_entries: dict[tuple[int, int], _Entry] = {}
        self._groups: dict[bytes, _Group] = {}
        self._older_groups: dict[bytes, _Group] = {}
        self._turned = time.monotonic()
        self._pass = 0

    def resolve(self, processes: Iterable[Known]) -> dict[tuple[int, int], Placed]:
        """The owner of each process, by (pid, start ticks). Never raises for what a process or a runtime does."""
        with self._lock:
            now = time.monotonic()
            self._pass += 1
            if self._pods is not None:
                self._pods.tend()
            if now - self._turned > _FORGET_SECONDS or len(self._entries) > _MOST:
                self._turn(now)
            entries, found = self._entries, {}
            for process in processes:
                identity = (process.pid, process.start_ticks)
                entry = entries.get(identity)
                if entry is None:
                    entry = self._older_entries.pop(identity, None)
                    entry = entries[identity] = _Entry() if entry is None else entry
                if now >= entry.due or process.uid != entry.uid:
                    self._look(process, entry, now)
                elif (group := entry.group) is not None and (
                    group.version != entry.version or self._nameless(group)
                ):  # its names came
                    self._place(process, entry, group)
                found[identity] = entry.placed
            return found

    def one(self, pid: int, *, patience: float = 0.0) -> Seen | None:
        """One process, read now, and its owner; None if there is none of that number.

        Waits up to ``patience`` seconds for the names of its pod, if the kubelet has been asked for them.

        Raises:
            PermissionError: it may not be looked at.
        """
        with self._lock:
            process = self._reader.one(pid)
        if process is None:
            return None
        until = time.monotonic() + patience
        while True:
            placed = self.resolve((process,))[process.pid, process.start_ticks]
            named = placed.owner.kind is not OwnerKind.POD or placed.owner.name
            if named or self._pods is None or not self._pods.awaited or time.monotonic() >= until:
                return Seen(process, placed)
            time.sleep(0.05)

    def ways_to_name_pods(self) -> tuple[kubernetes.Way, ...]:
        """Which ways of knowing the names of pods work, and why the others do not; none if the kubelet is off limits."""
        with self._lock:
            return self._pods.state() if self._pods is not None else ()

    def devices(self) -> Allocation | None:
        """The devices that the kubelet gave to containers; None where that is not known (yet), or it is off limits."""
        with self._lock:
            return self._pods.devices() if self._pods is not None else None

    def _turn(self, now: float) -> None:
        """Forget what was not asked about since the last turn."""
        self._turned = now
        self._older_entries, self._entries = self._entries, {}
        self._older_groups, self._groups = self._groups, {}

    def _look(self, process: Known, entry: _Entry, now: float) -> None:
        young = (
            self._live
            and time.clock_gettime(time.CLOCK_BOOTTIME) - process.start_ticks / TICKS_PER_SECOND < _YOUNG_SECONDS
        )
        entry.due = now if young else now + _spread(process.pid)
        if process.kernel:
            entry.uid = process.uid
            entry.placed = _KERNEL
            return
        lines, why = self._lines(process, entry.group.lines if entry.group is not None else None)
        if lines is None:
            if entry.group is None or entry.uid != process.uid:  # else it has ended since, and what was known stays
                entry.uid = process.uid
                entry.placed = _unknown(self._users.name(process.uid), f"/proc/{process.pid}/cgroup: {why}")
            return
        entry.uid = process.uid
        group = self._group(lines, now)
        self._place(process, entry, group)

    def _lines(self, process: Known, before: bytes | None) -> tuple[bytes | None, str]:
        """What the process's cgroup file holds, or None and why it is not known."""
        try:
            lines = self._proc.read_once(f"{process.pid}/cgroup")
        except FileNotFoundError:
            lines = b""  # it ended, or this kernel has no cgroups
        except OSError as error:
            return None, "not allowed to read" if may_not_read(error) else "the process has ended"
        if lines == before and lines:
            return lines, ""
        try:
            # The number may have been given to another process since the caller read it: it still had its
            # start time after its lines were read, so the lines are its own.
            started = parse_stat(self._proc.read_once(f"{process.pid}/stat")).start_ticks
        except (OSError, ValueError, IndexError):
            return None, "the process has ended"
        return (lines, "") if started == process.start_ticks else (None, "the process has ended")

    def _group(self, lines: bytes, now: float) -> _Group:
        group = self._groups.get(lines)
        if group is None:
            group = self._older_groups.pop(lines, None)
            if group is None:
                group = _Group(lines, grouped(memberships(lines), self._belief), now + _spread(hash(lines)))
            self._groups[lines] = group
        if now >= group.due:
            group.due = now + _spread(hash(lines))
            group.placed.clear()  # a container may have been renamed, a user too
            told = grouped(memberships(lines), self._belief)
            if told != group.grouped:
                group.grouped, group.pod = told, None
                group.changed()
        return group

    def _nameless(self, group: _Group) -> bool:
        """Ask for the names of a pod and its container, once in a pass, until both are known; whether any came."""
        told = group.grouped
        if self._pods is None or group.pod_asked == self._pass or told.inside:
            return False
        if group.pod is not None and (group.pod.container or not told.container):
            return False
        group.pod_asked = self._pass
        found = None
        if told.kind is OwnerKind.POD:
            found = self._pods.names(told.id, told.container)
        elif told.kind is OwnerKind.CONTAINER and told.hidden and told.user is None:
            found = self._pods.pod_of_container(told.id)
        if found is None or found == group.pod:
            return False
        group.pod = found
        group.changed()
        return True

    def _place(self, process: Known, entry: _Entry, group: _Group) -> None:
        self._nameless(group)
        entry.group = group
        entry.version = group.version
        told = group.grouped
        if self._jobs is not None and group.pod is None and told.kind not in _SCHEDULED:
            job = self._jobs.claimed(process)
            if job is not None:
                container = job.container or (told.id if told.kind is OwnerKind.CONTAINER else "")
                job = msgspec.structs.replace(job, user=self._users.name(process.uid), container=container)
                theirs = Placed(job, (), told.places + told.others)
                if theirs != entry.placed:
                    entry.placed = theirs
                return
        placed = group.placed.get(process.uid)
        if placed is None:
            placed = Placed(self._owner(process, group), told.places, told.others)
            if placed.owner.name or told.kind is not OwnerKind.SLURM:  # another process of the job may know its name
                group.placed[process.uid] = placed
        if placed != entry.placed:
            entry.placed = placed

    def _owner(self, process: Known, group: _Group) -> Owner:
        """The owner of the user's processes in this group."""
        told, pod = group.grouped, group.pod
        user = self._users.name(process.uid)
        seen = (Evidence(By.CGROUP, told.saw),)
        if told.kind is OwnerKind.SLURM:
            return self._job(process, told, user, seen)
        if pod is not None:
            container = told.container if told.kind is OwnerKind.POD else told.id
            return Owner(
                OwnerKind.POD, told.id if told.kind is OwnerKind.POD else pod.uid.replace("_", "-"), pod.name,
                pod.namespace, pod.container or container, user=user, runtime=told.runtime, evidence=seen + pod.evidence,
            )  # fmt: skip
        if told.kind is OwnerKind.POD:
            return Owner(
                OwnerKind.POD, told.id, container=told.container, user=user, runtime=told.runtime, inside=told.inside,
                evidence=seen,
            )  # fmt: skip
        return self._lesser(process, told, user, seen)

    def _job(self, process: Known, told: Grouped, user: str, seen: tuple[Evidence, ...]) -> Owner:
        """A job by its cgroup. Its name is looked up only where its number means the same to us as to Slurm."""
        job, name, more = told.id, "", ()  # type: str, str, tuple[Evidence, ...]
        if self._jobs is not None and told.sluid:
            known = self._jobs.job_of_sluid(told.sluid)
            if known is not None:
                job, more = known[0], (known[1],)
            elif (claimed := self._jobs.claimed(process)) is not None:
                job, more = claimed.id, claimed.evidence
        if self._jobs is not None and not told.inside and job.isdigit():
            name = self._jobs.name(process, job)
        return Owner(
            OwnerKind.SLURM, job, name, container=told.container, step=told.step, user=user, runtime=told.runtime,
            inside=told.inside, evidence=seen + more,
        )  # fmt: skip

    def _lesser(self, process: Known, told: Grouped, user: str, seen: tuple[Evidence, ...]) -> Owner:
        """The owner where no scheduler has the process."""
        if told.kind is OwnerKind.CONTAINER:
            whose = process.uid if told.user == -1 else told.user
            named = self._containers.name(told.runtime, told.id, whose)
            return Owner(
                OwnerKind.CONTAINER, told.id, named.name, user=user, runtime=told.runtime, unit=told.unit,
                inside="" if whose is None else f"user {whose}",
                evidence=seen if named.evidence is None else (*seen, named.evidence),
            )  # fmt: skip
        if told.kind is OwnerKind.UNIT:
            return Owner(OwnerKind.UNIT, told.id, told.id, user=user, evidence=seen)
        if told.kind is OwnerKind.USER and told.user is not None and told.user >= 0:
            return Owner(OwnerKind.USER, told.id, self._users.name(told.user), user=user, unit=told.unit, evidence=seen)
        evidence = (Evidence(By.UID, str(process.uid)),)
        return Owner(OwnerKind.USER, str(process.uid), user, user=user, unit=told.unit, evidence=evidence)


def _spread(number: int) -> float:
    """Seconds until the next look: from 15 to 45, so that one pass does not look again at all that were found in one."""
    return _LOOK_AGAIN_SECONDS * (0.5 + number % 64 / 64)


def _unknown(user: str, why: str) -> Placed:
    return Placed(Owner(OwnerKind.UNKNOWN, "", user=user, evidence=(Evidence(By.NOTHING, why),)))


_SCHEDULED = {OwnerKind.SLURM, OwnerKind.POD}
_KERNEL = Placed(Owner(OwnerKind.UNKNOWN, "kernel", "kernel", evidence=(Evidence(By.KERNEL, ""),)))
_PLAIN = (OwnerSettings(), kubernetes.PATIENCE_SECONDS)
_SETTINGS: weakref.WeakKeyDictionary[Machine, tuple[OwnerSettings, float]] = weakref.WeakKeyDictionary()


def configure(machine: Machine, settings: OwnerSettings, patience: float = kubernetes.PATIENCE_SECONDS) -> None:
    """Say how owners of this machine are found, before anybody asks `resolver_of`.

    A question to the kubelet waits ``patience`` seconds: long where nobody comes back for a late answer.
    """
    _SETTINGS[machine] = (settings, patience)


def settings_of(machine: Machine) -> OwnerSettings:
    """What may be asked about this machine's processes."""
    return _SETTINGS.get(machine, _PLAIN)[0]


def _configured(machine: Machine) -> Resolver:
    settings, patience = _SETTINGS.get(machine, _PLAIN)
    return Resolver(
        machine,
        pods=kubernetes.PodNames(machine, patience=patience) if settings.kubelet else None,
        jobs=slurm.Jobs(machine, settings.environment),
    )


resolver_of = one_for_each(_configured)
