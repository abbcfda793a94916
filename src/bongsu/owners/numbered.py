"""Owners of processes of which only the numbers are told: by a driver, a cgroup's list, a person."""

from __future__ import annotations

from collections.abc import Iterable

from bongsu.owners.resolver import Resolver, Seen
from bongsu.sources.procfs.process import Process, Processes, start_ticks
from bongsu.sources.root import Machine


class Numbered:
    """Processes by number, again and again. One thread may use it.

    A number that is given to another process between two calls is noticed by its start time, which
    is read each time (2 µs from a kept descriptor of some hundred processes, 9 µs of more); all else of a
    process is read once, and its user is the one of that reading. ``arguments`` reads command lines too.
    """

    def __init__(self, machine: Machine, resolver: Resolver, *, arguments: bool = False) -> None:
        self._proc = machine.proc
        self._reader = Processes(machine.proc, arguments=arguments)
        self._resolver = resolver
        self._known: dict[int, Process] = {}

    def resolve(self, pids: Iterable[int]) -> dict[int, Seen]:
        """The process and owner of each number; numbers that no process has, or that may not be read, are left out."""
        known = {pid: process for pid in pids if (process := self._process(pid)) is not None}
        self._known = known
        placed = self._resolver.resolve(known.values())
        return {pid: Seen(process, placed[pid, process.start_ticks]) for pid, process in known.items()}

    def _process(self, pid: int) -> Process | None:
        before = self._known.get(pid)
        try:
            if before is not None and start_ticks(self._proc.read(f"{pid}/stat")) == before.start_ticks:
                return before
            return self._reader.one(pid)
        except (OSError, ValueError, IndexError):
            return None
