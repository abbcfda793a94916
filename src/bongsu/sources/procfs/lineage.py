"""From whom a process descends, and what a daemon of root among its ancestors calls itself (proc_pid_stat(5))."""

from __future__ import annotations

import os
from typing import NamedTuple

from bongsu.sources.procfs.process import parse_stat, parse_uid
from bongsu.sources.root import Root

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC
_CHUNK = 4096
_LONGEST_TITLE = 512  # bytes that are looked at


class Relative(NamedTuple):
    """One process as a link in a chain of ancestors."""

    pid: int
    ppid: int  # 0 if its parent is not seen from here
    start_ticks: int
    comm: bytes


def relative(proc: Root, pid: int) -> Relative | None:
    """The process of this number; None if there is none, or we may not see it."""
    try:
        fd = os.open(proc.join(f"{pid}/stat"), _FILE)
        try:
            stat = parse_stat(os.read(fd, _CHUNK))
        finally:
            os.close(fd)
    except (OSError, ValueError, IndexError):
        return None
    return Relative(pid, stat.ppid, stat.start_ticks, stat.comm)


def title_of_roots(proc: Root, one: Relative) -> bytes | None:
    """What a process shows as its command line, if root runs it and nobody else could have.

    None if its real user is not root (an effective one may come from a set-user-ID program), if it is
    in a PID namespace of its own (root of a container), or if its number is another's by now.
    """
    try:
        directory = os.open(proc.join(str(one.pid)), _DIRECTORY)
    except OSError:
        return None
    try:
        if parse_stat(_read(directory, "stat")).start_ticks != one.start_ticks:
            return None
        return _read(directory, "cmdline")[:_LONGEST_TITLE] if _is_roots(_read(directory, "status")) else None
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(directory)


def user_of(proc: Root, pid: int) -> int | None:
    """The effective user of a process; None if it has gone."""
    try:
        if proc.live:
            return os.stat(proc.join(str(pid))).st_uid
        return parse_uid(proc.read(f"{pid}/status"))
    except (OSError, ValueError):
        return None


def _is_roots(status: bytes) -> bool:
    users = _line(status, b"\nUid:")
    namespaces = _line(status, b"\nNSpid:")  # as seen from here inwards; missing before Linux 4.1
    return len(users) == 4 and users[0] == b"0" and len(namespaces) < 2


def _line(status: bytes, name: bytes) -> list[bytes]:
    start = status.find(name)
    return [] if start < 0 else status[start + len(name) :].split(b"\n", 1)[0].split()


def _read(directory: int, name: str) -> bytes:
    fd = os.open(name, _FILE, dir_fd=directory)
    try:
        return os.read(fd, _CHUNK)
    finally:
        os.close(fd)
