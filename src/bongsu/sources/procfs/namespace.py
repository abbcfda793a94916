"""Whether a proc file system shows the whole machine, or the processes of one container (pid_namespaces(7))."""

from __future__ import annotations

import os

from bongsu.sources.procfs.process import KERNEL_THREAD, parse_stat
from bongsu.sources.root import Root

_FIRST = "pid:[4026531836]"  # PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
_MOST_FILES = 4096


def shows_whole_machine(proc: Root) -> bool:
    """Whether the numbers here are those of the machine's first pid namespace, which a driver speaks of.

    Threads of the kernel are in the first namespace only, and its second process is one (kthreadd).
    """
    try:
        return parse_stat(proc.read_once("2/stat")).flags & KERNEL_THREAD != 0
    except (OSError, ValueError, IndexError):
        return proc.link("self/ns/pid") == _FIRST  # hidepid hides other users' processes


def has_open(proc: Root, pid: int, beginning: str) -> bool:
    """Whether the process is seen to have a file open whose path begins so; no if we may not look."""
    try:
        names = os.listdir(proc.join(f"{pid}/fd"))[:_MOST_FILES]
    except OSError:
        return False
    return any((proc.link(f"{pid}/fd/{name}") or "").startswith(beginning) for name in names)
