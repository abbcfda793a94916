"""/proc/schedstat: how long tasks ran and waited on each CPU (Documentation/scheduler/sched-stats.rst)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import counts
from bongsu.sources.root import Root


class CpuSchedule(NamedTuple):
    """One CPU since boot; the times are nanoseconds."""

    cpu: bytes  # its number, in ASCII
    running: int
    waiting: int
    timeslices: int


def read(proc: Root) -> list[CpuSchedule]:
    """Each CPU that is online.

    Raises:
        FileNotFoundError: the kernel was built without CONFIG_SCHEDSTATS.
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    found = []
    for line in proc.read("schedstat").split(b"\n"):
        if line[:3] == b"cpu":
            fields = line.split()
            if len(fields) < 10 or not fields[0][3:].isdigit():
                raise ValueError(f"schedstat: {line[:40]!r} is not a line of a CPU")
            found.append(CpuSchedule(fields[0][3:], *counts(fields[7:10])))
    return found
