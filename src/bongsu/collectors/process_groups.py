"""Folds processes into (user, executable) groups whose counters never fall, within a budget of groups."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bongsu.sources.procfs.ledger import Ledger
from bongsu.sources.procfs.process import TICKS_PER_SECOND, Process

PROGRAM, KERNEL, REST = "program", "kernel", "rest"
Key = tuple[str, str, str]  # user, executable, kind: the values of the labels
REST_KEY: Key = ("other", "other", REST)
_LINGER_SECONDS = 300.0  # Prometheus looks back so far; a group without a process is shown as long
_MOST_REMEMBERED = 4096
_SMOOTHING = 0.2
_CLEARLY = 2.0  # how much more a group must use than the least one shown, to take its place
_DEEPEST = 64  # ancestors looked at for the heir of an ended process


class Group:
    """One group: counters since we first saw it, and what its processes are now."""

    __slots__ = (
        "cpu_ticks", "empty_since", "gain_cpu", "gain_io", "gain_read", "gain_unseen", "gain_written", "io_known",
        "key", "oldest", "processes", "read_bytes", "resident_bytes", "score", "shown", "threads", "unseen_ticks",
        "written_bytes",
    )  # fmt: skip

    def __init__(self, key: Key) -> None:
        self.key = key
        self.cpu_ticks = self.unseen_ticks = self.read_bytes = self.written_bytes = 0
        self.io_known = False  # whether the IO of any of its processes was ever known to us
        self.shown = False
        self.score = 0.0
        self.empty_since: float | None = None
        self.begin()

    def begin(self) -> None:
        """Forget what is now, keep what was counted."""
        self.processes = self.threads = self.resident_bytes = 0
        self.oldest = 0.0
        self.gain_cpu = self.gain_unseen = self.gain_read = self.gain_written = 0

    def add(self, other: Group) -> None:
        """Take in what another group is and gained in this scan."""
        self.processes += other.processes
        self.threads += other.threads
        self.resident_bytes += other.resident_bytes
        self.gain_cpu += other.gain_cpu
        self.gain_unseen += other.gain_unseen
        self.gain_read += other.gain_read
        self.gain_written += other.gain_written
        self.io_known |= other.io_known
        if other.processes and (not self.oldest or other.oldest < self.oldest):
            self.oldest = other.oldest

    def count(self) -> None:
        """Add this scan's gains to the counters."""
        self.cpu_ticks += self.gain_cpu
        self.unseen_ticks += self.gain_unseen
        self.read_bytes += self.gain_read
        self.written_bytes += self.gain_written


class _Seen:
    """What the newest scan knew of one process."""

    __slots__ = ("children", "cpu_ticks", "pid", "ppid", "read", "written")

    def __init__(self, process: Process, *, from_zero: bool) -> None:
        self.pid = process.pid
        self.ppid = process.ppid
        self.cpu_ticks = 0 if from_zero else process.cpu_ticks
        self.children = Ledger(0 if from_zero else process.children_ticks)
        self.read: Ledger | None = None
        self.written: Ledger | None = None
        if process.read_bytes is not None and process.write_bytes is not None:
            self.read = Ledger(0 if from_zero else process.read_bytes)
            self.written = Ledger(0 if from_zero else process.write_bytes)


class OwnIO(NamedTuple):
    """Bytes read from and sent to storage by a process, without those of children that were seen themselves."""

    read: int | None
    written: int | None


class Groups:
    """Counts what processes use into groups, scan after scan.

    A process is known by pid and start, so a reused pid is another process. What a process had used
    before the first scan is not counted; one born later counts from zero. What a group has counted
    stays when its processes end. At most ``budget`` groups are shown; the rest are folded into one
    row, and what a group counts while folded stays in that row, so neither ever falls. Groups that
    use clearly more than the least one shown take its place.
    """

    def __init__(self, user: Callable[[int], str], budget: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._budget = budget
        self._clock = clock
        self._seen: dict[tuple[int, int], _Seen] = {}
        self._identity_of: dict[int, tuple[int, int]] = {}
        self._newest_start: int | None = None  # of the first scan; later starts are births that we could see
        self._groups: dict[Key, Group] = {}
        self.rest = Group(REST_KEY)
        self.shown: list[Group] = []
        self.alive = 0  # groups that have a process now
        self.folded = 0  # of these, how many are in the row of the rest

    def take(self, processes: Iterable[Process]) -> dict[tuple[int, int], OwnIO]:
        """Count one scan; returns each process's own IO since its start, as far as it was seen."""
        present = {(p.pid, p.start_ticks): p for p in processes}
        self._credit_parents(present)
        for group in self._groups.values():
            group.begin()
        io = self._count(present)
        self._share_out()
        return io

    def _credit_parents(self, present: dict[tuple[int, int], Process]) -> None:
        for identity, gone in self._seen.items():
            if identity in present:
                continue
            heir = self._heir(gone, present)
            if heir is None:
                continue
            heir.children.owe(gone.cpu_ticks + gone.children.raw)
            if gone.read and gone.written and heir.read and heir.written:
                heir.read.owe(gone.read.raw)
                heir.written.owe(gone.written.raw)

    def _heir(self, gone: _Seen, present: dict[tuple[int, int], Process]) -> _Seen | None:
        """The nearest ancestor that still lives: to it the kernel has added what the ended process was."""
        for _ in range(_DEEPEST):
            parent = self._identity_of.get(gone.ppid)
            if parent is None:
                return None
            gone = self._seen[parent]
            if parent in present:
                return gone
        return None

    def _count(self, present: dict[tuple[int, int], Process]) -> dict[tuple[int, int], OwnIO]:
        first = self._newest_start
        if first is None:
            self._newest_start = max((start for _, start in present), default=0)
        seen: dict[tuple[int, int], _Seen] = {}
        io: dict[tuple[int, int], OwnIO] = {}
        groups = self._groups
        for identity, process in present.items():
            known = self._seen.get(identity)
            if known is None:
                known = _Seen(process, from_zero=first is not None and process.start_ticks >= first)
            seen[identity] = known
            known.ppid = process.ppid
            key = (
                self._user(process.uid),
                kernel_thread_name(process.executable) if process.kernel else process.executable,
                KERNEL if process.kernel else PROGRAM,
            )
            group = groups.get(key)
            if group is None:
                group = groups[key] = Group(key)
            group.processes += 1
            group.threads += process.threads
            group.resident_bytes += process.resident_bytes
            if not group.oldest or process.start_time < group.oldest:
                group.oldest = process.start_time
            if process.cpu_ticks > known.cpu_ticks:
                group.gain_cpu += process.cpu_ticks - known.cpu_ticks
                known.cpu_ticks = process.cpu_ticks
            group.gain_unseen += known.children.gain(process.children_ticks)
            io[identity] = _count_io(process, known, group)
        self._seen = seen
        self._identity_of = {pid: (pid, start) for pid, start in seen}
        return io

    def _share_out(self) -> None:
        """Decide which groups are shown, then count this scan's gains where they belong."""
        now = self._clock()
        alive = [group for group in self._groups.values() if group.processes]
        self.alive = len(alive)
        _score(alive, 1.0 if not self.shown else _SMOOTHING)
        for group in self.shown:
            if group.processes:
                group.empty_since = None
            elif group.empty_since is None:
                group.empty_since = now
        self.shown = [g for g in self.shown if g.empty_since is None or now - g.empty_since < _LINGER_SECONDS]
        shown = set(self.shown)
        waiting = sorted((g for g in alive if g not in shown), key=lambda g: -g.score)
        if waiting:
            self._admit(waiting)
            shown = set(self.shown)
        self.rest.begin()
        self.folded = 0
        for group in alive:
            if group not in shown:
                self.rest.add(group)
                self.folded += 1
        self.rest.count()
        for group in self.shown:
            group.shown = True
            group.count()
        self._forget(shown)

    def _admit(self, waiting: list[Group]) -> None:
        """Fill free places, then those of groups without a process, then those of groups that use far less."""
        # The most wanted place to give away stands last: the longest empty, then the least used.
        places = sorted(self.shown, key=lambda g: (g.empty_since is None, g.empty_since or g.score), reverse=True)
        for group in waiting:
            if len(places) < self._budget:
                places.insert(0, group)
                continue
            if not places:
                break
            least = places[-1]
            if least.empty_since is None and group.score <= least.score * _CLEARLY:
                break
            places.pop()
            least.empty_since = None
            places.insert(0, group)
        kept = set(places)
        was = set(self.shown)
        self.shown = [g for g in self.shown if g in kept] + [g for g in reversed(places) if g not in was]

    def _forget(self, shown: set[Group]) -> None:
        """Drop groups that have ended; of those that were shown, keep the counters for their return."""
        idle = [key for key, group in self._groups.items() if not group.processes and group not in shown]
        spare = len(idle) - _MOST_REMEMBERED
        for place, key in enumerate(idle):
            if not self._groups[key].shown or place < spare:
                del self._groups[key]


def kernel_thread_name(name: str) -> str:
    """One name for the threads of a kind: ``kworker/3:1H-kblockd`` is ``kworker``, ``kswapd0`` is ``kswapd``."""
    for mark in "/:":
        cut = name.find(mark)
        if cut > 0:
            return name[:cut]
    return name.rstrip("0123456789").rstrip("_-") or name


def seconds(ticks: int) -> float:
    """Clock ticks as seconds."""
    return ticks / TICKS_PER_SECOND


def _count_io(process: Process, known: _Seen, group: Group) -> OwnIO:
    if process.read_bytes is None or process.write_bytes is None:
        return OwnIO(None, None)
    if known.read is None or known.written is None:  # now we may know it; what was before is not ours to count
        known.read, known.written = Ledger(process.read_bytes), Ledger(process.write_bytes)
    group.io_known = True
    group.gain_read += known.read.gain(process.read_bytes)
    group.gain_written += known.written.gain(process.write_bytes)
    return OwnIO(known.read.own, known.written.own)


def _score(alive: list[Group], weight: float) -> None:
    """Move each group's score towards its shares of CPU time, memory and IO in this scan."""
    cpu = sum(g.gain_cpu for g in alive) or 1
    memory = sum(g.resident_bytes for g in alive) or 1
    io = sum(g.gain_read + g.gain_written for g in alive) or 1
    for group in alive:
        share = group.gain_cpu / cpu + group.resident_bytes / memory + (group.gain_read + group.gain_written) / io
        group.score += weight * (share - group.score)
