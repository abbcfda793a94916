"""/proc/net/softnet_stat: what each CPU did with incoming packets (net/core/net-procfs.c)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import hexadecimals
from bongsu.sources.root import Root


class CpuPackets(NamedTuple):
    """One CPU since boot. ``cpu`` is None where the kernel (before 5.14) does not say which it is."""

    cpu: int | None
    processed: int
    dropped: int
    squeezed: int  # times that it stopped with packets left, for lack of budget or time


def read(proc: Root) -> list[CpuPackets]:
    """Each CPU that is online, in order.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    found = []
    for line in proc.read("net/softnet_stat").splitlines():
        fields = line.split()
        if len(fields) < 9:
            raise ValueError(f"softnet_stat has {len(fields)} columns, expected 9 or more")
        found.append(CpuPackets(int(fields[12], 16) if len(fields) > 12 else None, *hexadecimals(fields[:3])))
    return found
