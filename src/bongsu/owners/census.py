"""All processes and who they belong to, read once for all that need them at one time."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Mapping, Sequence

import msgspec

from bongsu.owners.each_machine import one_for_each
from bongsu.owners.placement import Placed
from bongsu.owners.resolver import resolver_of
from bongsu.sources.procfs.process import Process, Processes
from bongsu.sources.root import Machine

_GOOD_FOR_SECONDS = 1.0


class Census(msgspec.Struct, frozen=True):
    """What one look at all processes gave; ``placed`` is by (pid, start ticks)."""

    processes: Sequence[Process]
    placed: Mapping[tuple[int, int], Placed]
    refused: int  # processes that we may not read at all
    unreadable: int  # processes whose files made no sense


class Censuses:
    """Shares a look among readers that ask within a second of each other. Any thread may ask."""

    def __init__(self, machine: Machine) -> None:
        self._resolver = resolver_of(machine)
        self._proc = machine.proc
        self._processes = Processes(machine.proc)
        self._arguments = False
        self._lock = threading.Lock()
        self._newest: Census | None = None
        self._time = 0.0
        self._readers: weakref.WeakSet[object] = weakref.WeakSet()  # who has had the newest

    def with_arguments(self) -> None:
        """Read command lines too, from now on: somebody wants them."""
        with self._lock:
            if not self._arguments:
                self._arguments = True
                self._processes = Processes(self._proc, arguments=True)
                self._newest = None

    def take(self, reader: object) -> Census:
        """The processes now. Nobody gets one look twice: who asks again wants to know what has changed.

        Raises:
            OSError: the processes cannot be listed, or no descriptor is left.
        """
        with self._lock:
            now = time.monotonic()
            found = self._newest
            if found is None or now - self._time > _GOOD_FOR_SECONDS or reader in self._readers:
                processes = self._processes.scan()
                placed = self._resolver.resolve(processes)
                found = Census(processes, placed, self._processes.refused, self._processes.unreadable)
                self._newest, self._time = found, now
                self._readers = weakref.WeakSet()
            self._readers.add(reader)
            return found


censuses_of = one_for_each(Censuses)
