"""From processes to owners: asks each way of knowing in turn, and remembers by (pid, start time)."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Protocol

from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.owners.placement import Placed
from bongsu.sources.names import Users
from bongsu.sources.root import Machine


class Known(Protocol):
    """What a caller that has read a process knows of it; sources.procfs.process.Process is one."""

    @property
    def pid(self) -> int: ...  # noqa: D102  as in Process
    @property
    def ppid(self) -> int: ...  # noqa: D102  as in Process
    @property
    def start_ticks(self) -> int: ...  # noqa: D102  as in Process
    @property
    def uid(self) -> int: ...  # noqa: D102  as in Process
    @property
    def kernel(self) -> bool: ...  # noqa: D102  as in Process


class Resolver:
    """Owners of processes of one machine. Any thread may ask."""

    def __init__(self, machine: Machine, *, environment: bool = True) -> None:
        self._machine = machine
        self._environment = environment
        self._users = Users(machine.rootfs)
        self._lock = threading.Lock()
        self._known: dict[tuple[int, int], Placed] = {}

    def resolve(self, processes: Iterable[Known]) -> dict[tuple[int, int], Placed]:
        """The owner of each process, by (pid, start ticks). Those not asked about again are forgotten."""
        with self._lock:
            found = {}
            for process in processes:
                identity = (process.pid, process.start_ticks)
                found[identity] = self._known.get(identity) or self._placed(process)
            self._known = found
            return dict(found)

    def _placed(self, process: Known) -> Placed:
        if process.kernel:
            return Placed(Owner(OwnerKind.UNKNOWN, "", "kernel", evidence=(Evidence(By.KERNEL, ""),)))
        name = self._users.name(process.uid)
        evidence = (Evidence(By.UID, str(process.uid)),)
        return Placed(Owner(OwnerKind.USER, str(process.uid), name, user=name, evidence=evidence))


_RESOLVERS: weakref.WeakKeyDictionary[Machine, Resolver] = weakref.WeakKeyDictionary()


def resolver_of(machine: Machine) -> Resolver:
    """The one resolver of a machine, so that what one collector found out the next one knows."""
    found = _RESOLVERS.get(machine)
    if found is None:
        found = _RESOLVERS[machine] = Resolver(machine)
    return found
