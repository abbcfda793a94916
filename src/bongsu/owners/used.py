"""One owner's usage, put together of what its cgroups say and what its processes add up to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import DeviceUse, From, InterfaceUse, Usage
from bongsu.owners.charged import Charge, Covered
from bongsu.owners.rising import Numbers
from bongsu.owners.summed import Tally
from bongsu.sources.cgroup_use import Memory
from bongsu.sources.procfs.process import Process

_ROOT = frozenset({"root", "0", ""})


class Present:
    """The processes that an owner has now."""

    __slots__ = ("count", "oldest", "outside", "outside_bytes", "resident_bytes")

    def __init__(self) -> None:
        self.count = self.resident_bytes = self.outside_bytes = 0
        self.outside = False  # whether the memory of any of them is in none of the owner's cgroups
        self.oldest = float("inf")  # Unix s at which the oldest started

    def add(self, processes: Sequence[Process], covered: Covered) -> None:
        """Take in some of which the same is covered by cgroups."""
        self.count += len(processes)
        resident = sum([process.resident_bytes for process in processes])
        self.resident_bytes += resident
        if not covered.memory:
            self.outside = True
            self.outside_bytes += resident
        self.oldest = min(self.oldest, *[process.start_time for process in processes])


def usage_of(present: Present, charge: Charge, tally: Tally, network: tuple[InterfaceUse, ...] | None) -> Usage:
    """Put the parts together. What is counted stays when the processes or the cgroup it came from have gone."""
    memory = charge.memory or Memory(None)
    cpu = _both(charge.cpu, tally.cpu_seconds if tally.cpu_known else None) or (None, None, None)
    throttling = charge.throttling or (None, None, None)
    in_memory = memory.current if not present.outside else (memory.current or 0) + present.outside_bytes
    working_set = None
    if memory.current is not None and memory.inactive_file is not None:
        working_set = max(0, memory.current - memory.inactive_file) + present.outside_bytes
    waits_cpu, waits_memory, waits_io = charge.waits
    return Usage(
        processes=present.count,
        since=present.oldest,
        cpu_from=_from(
            cgroup=charge.cpu is not None,
            processes=tally.cpu_known and (charge.cpu is None or tally.cpu_seconds[0] > 0),
        ),
        cpu_seconds=cpu[0],
        cpu_user_seconds=cpu[1],
        cpu_system_seconds=cpu[2],
        cpu_periods=_count(throttling[0]),
        cpu_throttled_periods=_count(throttling[1]),
        cpu_throttled_seconds=throttling[2],
        cpu_limit_cores=charge.limits.cores,
        cpus=charge.cpus,
        memory_from=_from(cgroup=memory.current is not None, processes=present.outside),
        memory_bytes=in_memory,
        working_set_bytes=working_set,
        anon_bytes=memory.anon,
        file_bytes=memory.file,
        shmem_bytes=memory.shmem,
        kernel_bytes=memory.kernel,
        memory_peak_bytes=memory.peak,
        memory_limit_bytes=charge.limits.memory,
        swap_bytes=memory.swap,
        swap_limit_bytes=charge.limits.swap,
        oom_kills=memory.oom_kills,
        resident_bytes=present.resident_bytes,
        io_from=_from(cgroup=charge.io is not None, processes=_sums_io(charge, tally)),
        io=_io(charge, tally),
        tasks=charge.tasks,
        tasks_limit=charge.limits.tasks,
        cpu_waits=waits_cpu,
        memory_waits=waits_memory,
        io_waits=waits_io,
        network=network,
    )


def of_all(said: Sequence[Owner]) -> Owner:
    """One owner as its processes' placements say it: what they do not agree on is left out.

    The user is the one that is not root, since what starts a job or a container for somebody is root's.
    """
    first = said[0]
    if len(said) == 1:
        return first
    users = {owner.user for owner in said}
    users = users - _ROOT or users
    agreed = {
        name: getattr(first, name) if all(getattr(owner, name) == getattr(first, name) for owner in said) else ""
        for name in ("container", "step", "runtime", "unit")
    }
    if first.kind is OwnerKind.UNKNOWN:  # nothing of one of them is true of the next
        return msgspec.structs.replace(
            first, name=first.name if len({owner.name for owner in said}) == 1 else "", user="", evidence=()
        )
    best = {
        name: max((getattr(owner, name) for owner in said), key=lambda text: (text != "", text))
        for name in ("name", "namespace")
    }
    user = next(iter(users)) if len(users) == 1 else ""
    return msgspec.structs.replace(first, user=user, **agreed, **best)


def _io(charge: Charge, tally: Tally) -> tuple[DeviceUse, ...] | None:
    if not _sums_io(charge, tally):
        return charge.io
    return (*(charge.io or ()), DeviceUse("", tally.read_bytes, tally.written_bytes))


def _sums_io(charge: Charge, tally: Tally) -> bool:
    """Whether IO of processes outside of the cgroups is in the answer: not where that is nothing beside the cgroups'."""
    return tally.io_known and (charge.io is None or tally.read_bytes + tally.written_bytes > 0)


def _both(one: Numbers | None, other: Numbers | None) -> Numbers | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(None if a is None or b is None else a + b for a, b in zip(one, other, strict=True))


def _from(*, cgroup: bool, processes: bool) -> From:
    if cgroup:
        return From.BOTH if processes else From.CGROUP
    return From.PROCESSES if processes else From.UNKNOWN


def _count(number: float | None) -> int | None:
    return None if number is None else int(number)
