"""Owners of processes of which only the numbers are told: by a driver, a cgroup's list, a person."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from bongsu.owners.resolver import Resolver, Seen
from bongsu.sources.procfs.process import Process, Processes, start_ticks
from bongsu.sources.root import Machine

_MOST_KEPT = 200  # files that are kept open at most; of more, each would push another out
_LONGEST = 4096  # bytes of a stat file


class Numbered:
    """Processes by number, again and again. One thread may use it.

    A number that is given to another process between two calls is noticed by its start time, which
    is read each time (2 µs from a kept descriptor of up to 200 processes, 5 µs of more); all else of a
    process is read once, and its user is the one of that reading. ``arguments`` reads command lines too.
    """

    def __init__(self, machine: Machine, resolver: Resolver, *, arguments: bool = False) -> None:
        self._proc = machine.proc
        self._reader = Processes(machine.proc, arguments=arguments)
        self._resolver = resolver
        self._known: dict[int, Process] = {}

    def resolve(self, pids: Iterable[int]) -> dict[int, Seen]:
        """The process and owner of each number; numbers that no process has, or that may not be read, are left out."""
        pids = set(pids)
        read = self._read_once if len(pids) > _MOST_KEPT else self._proc.read
        known = {pid: process for pid in pids if (process := self._process(pid, read)) is not None}
        self._known = known
        placed = self._resolver.resolve(known.values())
        return {pid: Seen(process, placed[pid, process.start_ticks]) for pid, process in known.items()}

    def _process(self, pid: int, read: Callable[[str], bytes]) -> Process | None:
        before = self._known.get(pid)
        try:
            if before is not None and start_ticks(read(f"{pid}/stat")) == before.start_ticks:
                return before
            return self._reader.one(pid)
        except (OSError, ValueError, IndexError):
            return None

    def _read_once(self, relative: str) -> bytes:
        fd = os.open(self._proc.join(relative), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _LONGEST)
        finally:
            os.close(fd)
