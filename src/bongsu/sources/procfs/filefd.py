"""/proc/sys/fs/file-nr: how many open files the kernel holds (Documentation/admin-guide/sysctl/fs.rst)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import counts
from bongsu.sources.root import Root


class FileHandles(NamedTuple):
    """Open file handles of the whole machine, and how many there may be."""

    allocated: int
    maximum: int


def read(proc: Root) -> FileHandles:
    """Read /proc/sys/fs/file-nr.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    numbers = counts(proc.read("sys/fs/file-nr").split())
    if len(numbers) != 3:
        raise ValueError(f"file-nr has {len(numbers)} numbers, expected 3")
    return FileHandles(numbers[0], numbers[2])
