"""What the kernel writes down of every process of a tree: its fork, its names and its end, however short it was.

Imported by the monitor of a run, which must stay small: the standard library only.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from bongsu.sources.perf_event import (
    DISABLED,
    ENABLE_ON_EXEC,
    EXCLUDE_KERNEL,
    INHERIT,
    NOT_PERMITTED,
    NOT_SUPPORTED,
    NoCounter,
    attributes,
    open_event,
)

MOST_CPUS: Final = 32
# include/uapi/linux/perf_event.h: bits of struct perf_event_attr, kinds of records, struct perf_event_mmap_page
_DUMMY = 9  # PERF_COUNT_SW_DUMMY: counts nothing
_COMM, _TASK, _WATERMARK = 1 << 9, 1 << 13, 1 << 14
_SAMPLE_ID_ALL, _COMM_EXEC, _USE_CLOCK = 1 << 18, 1 << 24, 1 << 25
_SAMPLE_TID, _SAMPLE_TIME = 1 << 1, 1 << 2
_LOST, _NAMED, _EXIT, _FORK = 2, 3, 4, 7
_BY_EXEC = 1 << 13
_HEADER, _TASKS, _NUMBER = struct.Struct("=IHH"), struct.Struct("=IIII"), struct.Struct("=Q")
_HEAD, _TAIL = 1024, 1032
_TRAILER = 16  # pid, tid and time at the end of each record
_LARGEST = 48  # bytes: of a fork and of an end; a name takes no more
_PAGE: Final = mmap.PAGESIZE
_SIZES: Final = (32, 8, 2)  # pages a CPU; fewer where the user's share of locked memory is used up


class Forked(NamedTuple):
    """A process began, or (``pid == parent``) a thread of one. Times are those of CLOCK_BOOTTIME, in s."""

    at_seconds: float
    pid: int
    tid: int
    parent: int


class Named(NamedTuple):
    """A task took a name, of at most 15 bytes: of the program that it became, or of its own choice."""

    at_seconds: float
    pid: int
    tid: int
    name: str
    by_exec: bool


class Ended(NamedTuple):
    """A task ended; of a process, when the last of its threads did."""

    at_seconds: float
    pid: int
    tid: int
    parent: int


Happened = Forked | Named | Ended


class TaskEvents:
    """Reads the records of one tree from a ring in memory for each CPU that it may run on.

    The kernel keeps an event per CPU for each task: 1.6 µs per CPU for the life of a process, next to nothing for a
    context switch (measured), so it is refused above ``MOST_CPUS`` unless asked for. Where the kernel ends a count
    (`TaskClock`) it also ends these records.

    The kernel could add each process's CPU time (``inherit_stat``), but writes that into the rings of all CPUs from
    one of them: on two CPUs, one in some ten thousand ends stopped a ring for good without a word. It is not used.

    Attributes:
        lost: records that found no room, as far as the kernel has told: it does so with the next one that finds some.
        full: times that a ring had no room left when it was read; what came after that may be lost without a word.
        damaged: times that a ring made no sense and was passed over.
    """

    def __init__(self, descriptors: list[int], rings: list[mmap.mmap]) -> None:
        self._descriptors = descriptors
        self._rings = rings
        self._size = len(rings[0]) - _PAGE
        self._behind = _namespace_seconds()
        self._early: list[tuple[int, int, int, bytes]] = []  # records younger than the last drain
        self.lost = 0
        self.full = 0
        self.damaged = 0

    @classmethod
    def open(cls, pid: int, *, cpus: Iterable[int] | None = None, most_cpus: int = MOST_CPUS) -> TaskEvents:
        """Record a task that has no children yet from its next execve(2) on, on these CPUs (those it may run on).

        Raises:
            NoCounter: not on this machine, not for this user or process, more than ``most_cpus`` CPUs, or no room.
            OSError: no descriptor or no memory is left.
        """
        wanted_cpus = sorted(os.sched_getaffinity(pid) if cpus is None else cpus)
        if len(wanted_cpus) > most_cpus:
            raise NoCounter(NOT_SUPPORTED, f"on {len(wanted_cpus)} CPUs each fork would cost too much")
        flags = DISABLED | INHERIT | EXCLUDE_KERNEL | ENABLE_ON_EXEC | _COMM | _COMM_EXEC
        flags |= _TASK | _WATERMARK | _SAMPLE_ID_ALL | _USE_CLOCK
        for pages in _SIZES:
            wanted = attributes(
                _DUMMY, flags, sample_type=_SAMPLE_TID | _SAMPLE_TIME, wakeup=pages * _PAGE // 2,
                clock=time.CLOCK_BOOTTIME,
            )  # fmt: skip
            descriptors: list[int] = []
            rings: list[mmap.mmap] = []
            try:
                for cpu in wanted_cpus:
                    descriptors.append(open_event(wanted, pid, cpu))
                    rings.append(mmap.mmap(descriptors[-1], (1 + pages) * _PAGE))
                return cls(descriptors, rings)
            except PermissionError:  # no more locked memory for this user (kernel.perf_event_mlock_kb)
                _close(descriptors, rings)
            except BaseException:
                _close(descriptors, rings)
                raise
        raise NoCounter(NOT_PERMITTED, "kernel.perf_event_mlock_kb leaves this user no room for a ring of records")

    def filenos(self) -> list[int]:
        """Descriptors that poll(2) finds readable when a ring is half full."""
        return list(self._descriptors)

    def drain(self, *, last: bool = False) -> list[Happened]:
        """What happened since the last time, oldest first; ``last``: nothing more will come, keep nothing back."""
        until = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - int(self._behind * 1e9)
        records = self._early
        for ring in self._rings:
            records += self._records(ring)
        records.sort(key=lambda record: record[0])
        self._early = []
        if not last:  # another ring may get a record yet that is older than these
            while records and records[-1][0] > until:
                self._early.append(records.pop())
        return [self._happened(*record) for record in records]

    def close(self) -> None:
        """Stop recording."""
        _close(self._descriptors, self._rings)

    def _records(self, ring: mmap.mmap) -> list[tuple[int, int, int, bytes]]:
        """Time (ns), kind, flags and body of each new record of a ring, and the ring emptied."""
        head, tail = _NUMBER.unpack_from(ring, _HEAD)[0], _NUMBER.unpack_from(ring, _TAIL)[0]
        length = head - tail
        if not length:
            return []
        if self._size - length <= _LARGEST:
            self.full += 1
        start = _PAGE + tail % self._size
        data = ring[start : start + length]
        data += ring[_PAGE : _PAGE + length - len(data)]
        _NUMBER.pack_into(ring, _TAIL, head)
        found = []
        place = 0
        while place < length:
            kind, flags, size = _HEADER.unpack_from(data, place)
            if size < _HEADER.size + _TRAILER or size % 8 or place + size > length:
                self.damaged += 1
                break
            place += size
            if kind == _LOST:
                self.lost += _NUMBER.unpack_from(data, place - size + 16)[0]
            elif kind in {_NAMED, _EXIT, _FORK}:
                at = _NUMBER.unpack_from(data, place - 8)[0]
                found.append((at, kind, flags, data[place - size + _HEADER.size : place - _TRAILER]))
        return found

    def _happened(self, at_ns: int, kind: int, flags: int, body: bytes) -> Happened:
        at = at_ns / 1e9 + self._behind
        pid, parent_or_tid, tid, _ = _TASKS.unpack_from(body)
        if kind == _NAMED:
            name = body[8:].partition(b"\0")[0].decode("utf-8", "surrogateescape")
            return Named(at, pid, parent_or_tid, name, bool(flags & _BY_EXEC))
        return (Forked if kind == _FORK else Ended)(at, pid, tid, parent_or_tid)


def _close(descriptors: list[int], rings: list[mmap.mmap]) -> None:
    while rings:
        rings.pop().close()
    while descriptors:
        os.close(descriptors.pop())


def _namespace_seconds() -> float:
    """How far CLOCK_BOOTTIME is ahead of the kernel's own in this time namespace (time_namespaces(7))."""
    try:
        with open("/proc/self/timens_offsets", "rb") as file:
            for line in file:
                name, seconds, nanoseconds = line.split()
                if name == b"boottime":
                    return int(seconds) + int(nanoseconds) / 1e9
    except (OSError, ValueError):
        pass
    return 0.0
