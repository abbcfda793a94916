"""What the parts of this room hand each other: a process that is asked about, its owner, and that one's own cgroups."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bongsu.model.owner import Owner


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


class Place(msgspec.Struct, frozen=True, gc=False):
    """One of an owner's own cgroups: the job's, not the step's; the pod's, not the container's."""

    controllers: tuple[str, ...]  # of v1; empty for cgroup v2
    path: str  # as in /proc/PID/cgroup


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An owner, and the cgroups that hold all of it and nothing else.

    A v1 hierarchy in which the owner has no cgroup of its own (Slurm's jobs have none for ``cpu``
    under systemd) is not among the places: what is counted there is somebody else's too.
    """

    owner: Owner
    places: tuple[Place, ...] = ()
    others: tuple[Place, ...] = ()  # cgroups of others with these processes in them: slurmd's has its jobs'
