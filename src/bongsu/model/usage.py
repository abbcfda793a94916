"""What an owner has used and may use, and from what each part is known."""

from __future__ import annotations

import enum

import msgspec

from bongsu.model.owner import Owner


class From(enum.StrEnum):
    """Where a part of a usage comes from; the value stands in labels."""

    CGROUP = "cgroup"  # the owner's own control groups: exact, ended processes included
    PROCESSES = "processes"  # a sum over its processes, ended ones as they were last seen
    BOTH = "cgroup and processes"  # some of its processes are outside of its cgroups
    UNKNOWN = ""


class DeviceUse(msgspec.Struct, frozen=True, gc=False):
    """What went to and came from one block device; ``device`` is "" where only the sum over all is known."""

    device: str
    read_bytes: int
    written_bytes: int
    reads: int | None = None
    writes: int | None = None


class InterfaceUse(msgspec.Struct, frozen=True, gc=False):
    """What one network interface of the owner's own network namespace received and sent."""

    device: str
    received_bytes: int
    sent_bytes: int


class Waits(msgspec.Struct, frozen=True, gc=False):
    """Seconds in which some task, or all that had work, waited for one resource."""

    some_seconds: float
    full_seconds: float | None = None


class Usage(msgspec.Struct, frozen=True):
    """What one owner has used (counters, that never fall while it lives) and holds now.

    None is not known, or not measured here; of a limit it is also: there is none. Seconds, bytes, cores, counts.
    """

    processes: int
    since: float  # Unix s at which the oldest of its processes that was seen started
    cpu_from: From = From.UNKNOWN
    cpu_seconds: float | None = None
    cpu_user_seconds: float | None = None
    cpu_system_seconds: float | None = None
    cpu_periods: int | None = None
    cpu_throttled_periods: int | None = None
    cpu_throttled_seconds: float | None = None
    cpu_limit_cores: float | None = None  # the smallest of the way up
    cpus: int | None = None  # that it may run on
    memory_from: From = From.UNKNOWN
    memory_bytes: int | None = None  # charged to its cgroups; by processes the sum of resident memory
    working_set_bytes: int | None = None  # of these, without page cache that is given up first
    anon_bytes: int | None = None
    file_bytes: int | None = None  # page cache without shmem
    shmem_bytes: int | None = None
    kernel_bytes: int | None = None
    memory_peak_bytes: int | None = None
    memory_limit_bytes: int | None = None  # the smallest of the way up
    swap_bytes: int | None = None
    swap_limit_bytes: int | None = None
    oom_kills: int | None = None
    resident_bytes: int = 0  # summed over processes; pages that they share count once for each
    io_from: From = From.UNKNOWN
    io: tuple[DeviceUse, ...] | None = None
    tasks: int | None = None  # processes and threads
    tasks_limit: int | None = None
    cpu_waits: Waits | None = None
    memory_waits: Waits | None = None
    io_waits: Waits | None = None
    network: tuple[InterfaceUse, ...] | None = None  # None where the owner has no network namespace of its own

    @property
    def read_bytes(self) -> int | None:
        """From all block devices."""
        return None if self.io is None else sum(one.read_bytes for one in self.io)

    @property
    def written_bytes(self) -> int | None:
        """To all block devices."""
        return None if self.io is None else sum(one.written_bytes for one in self.io)


class OwnerRow(msgspec.Struct, frozen=True):
    """One owner in the live table ``owners``. ``ended``: its last process has gone, and this is what it had used."""

    owner: Owner
    usage: Usage
    ended: bool = False
