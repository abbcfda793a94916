"""/proc/loadavg: how many tasks ran or waited, averaged."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root


class LoadAverage(NamedTuple):
    """Runnable plus uninterruptible tasks, exponentially averaged over 1, 5 and 15 minutes."""

    one: float
    five: float
    fifteen: float


def read(proc: Root) -> LoadAverage:
    """Read /proc/loadavg.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    fields = proc.read("loadavg").split()
    if len(fields) < 3:
        raise ValueError(f"loadavg has {len(fields)} fields, expected 3 or more")
    return LoadAverage(float(fields[0]), float(fields[1]), float(fields[2]))
