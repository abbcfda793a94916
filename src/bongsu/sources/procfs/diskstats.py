"""/proc/diskstats: what each block device has read and written (Documentation/admin-guide/iostats.rst)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bongsu.sources.counts import counts
from bongsu.sources.root import Root

SECTOR_BYTES = 512  # whatever the device's own block size is
_FEWEST = 11  # columns after the name; discards come with Linux 4.18, flushes with 5.5


class Disk(NamedTuple):
    """One device and its columns after the name: 11, 15 or 17, times in milliseconds."""

    major: int
    minor: int
    name: bytes
    columns: Sequence[int]


def read(proc: Root, wanted: Callable[[bytes], bool]) -> Iterator[Disk]:
    """Each device whose name is wanted, in the kernel's order.

    Partitions of kernels before 2.6.25 have fewer columns, of another meaning, and are left out.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    for line in proc.read("diskstats").split(b"\n"):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 4:
            raise ValueError(f"diskstats: {line[:80]!r} is not a device")
        if not wanted(fields[2]):
            continue
        columns = counts(fields[3:])
        if len(columns) >= _FEWEST:
            major, minor = counts(fields[:2])
            yield Disk(major, minor, fields[2], columns)
