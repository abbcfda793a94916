"""/proc/PID/smaps_rollup: a process's fair share of memory (Documentation/filesystems/proc.rst)."""

from __future__ import annotations

import errno
import os

from bongsu.sources.cgroup_use import count
from bongsu.sources.procfs.process import parse_stat
from bongsu.sources.root import Root

_ENDED = frozenset({errno.ENOENT, errno.ESRCH})
_LONGEST = 4096


def pss_bytes(proc: Root, pid: int, start_ticks: int) -> int | None:
    """Proportional set size: its pages, each divided by the number of processes that have it. None once it has ended.

    The kernel walks all its pages: milliseconds for each gigabyte, so this is for what a person asks, not for a scan.

    Raises:
        OSError: it may not be read, or this kernel (before 4.14) has none.
        ValueError: it is not what the kernel writes.
    """
    try:
        directory = os.open(proc.join(str(pid)), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _ENDED:
            return None
        raise
    try:
        if parse_stat(_read(directory, "stat")).start_ticks != start_ticks:
            return None  # the number was given to another
        text = _read(directory, "smaps_rollup")
    except OSError as error:
        if error.errno in _ENDED and not os.path.exists(proc.join(f"{pid}/stat")):
            return None
        raise
    finally:
        os.close(directory)
    if not text:
        return 0  # a thread of the kernel, or one that ends: it has no memory of its own
    at = text.find(b"\nPss:")
    words = text[at + 5 :].split(None, 1) if at >= 0 else []
    kilobytes = count(words[0]) if words else None
    if kilobytes is None:
        raise ValueError("smaps_rollup has no Pss line")
    return kilobytes * 1024


def _read(directory: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(fd, _LONGEST)
    finally:
        os.close(fd)
