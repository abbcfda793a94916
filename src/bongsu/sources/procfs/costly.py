"""What of one process takes long to read or is read seldom: shares of memory, switches, open files, its command.

Each is found by its number: the caller makes sure afterwards that the process still has it.
Standard library only, as all that the monitor of a run imports.
"""

from __future__ import annotations

import os

from bongsu.sources.procfs.pid_texts import stat_fields

_FILE = os.O_RDONLY | os.O_CLOEXEC
LONGEST_COMMAND = 4096


def flow(pid: int) -> tuple[int, int, int, int, int, int]:
    """Chars read and written, calls of each, bytes from and to storage, also of children it has waited for.

    Raises:
        OSError: it has ended, or may not be read.
        ValueError: it is not what the kernel writes (proc_pid_io(5)).
    """
    return parse_flow(_read(f"/proc/{pid}/io"))


def ending(pid: int) -> bool:
    """Whether a process is at its end or over: it has no memory any more, and newer kernels (6.18) refuse then what older ones tell."""
    try:
        return stat_fields(_read(f"/proc/{pid}/stat"), 21)[1][20] == b"0"
    except (OSError, ValueError, IndexError):
        return True


def own_children_flow() -> tuple[int, int, int, int, int, int]:
    """The same of all children that this process has waited for: all that it has, less what its threads did.

    Raises:
        OSError: as `flow`.
    """
    every = flow(os.getpid())
    for thread in os.listdir("/proc/self/task"):
        mine = parse_flow(_read(f"/proc/self/task/{thread}/io"))
        every = tuple(a - b for a, b in zip(every, mine, strict=True))  # type: ignore[assignment]  # six stay six
    return every


def own_children() -> list[int]:
    """The processes that the first thread of this one made and that are there yet; none where the kernel lists them not."""
    try:
        return [int(word) for word in _read(f"/proc/self/task/{os.getpid()}/children", 1 << 16).split()]
    except OSError:
        return []  # a kernel without CONFIG_PROC_CHILDREN


def parse_flow(text: bytes) -> tuple[int, int, int, int, int, int]:
    """The first six numbers of an io file.

    Raises:
        ValueError: it is not what the kernel writes.
    """
    words = text.split(None, 12)
    if len(words) < 12 or words[0] != b"rchar:" or words[10] != b"write_bytes:":
        raise ValueError("io of a process has unexpected lines")
    return int(words[1]), int(words[3]), int(words[5]), int(words[7]), int(words[9]), int(words[11])


def shares(pid: int) -> tuple[int, int]:
    """Its proportional share of memory, and what is its alone, in bytes (PSS and USS). The kernel walks all its pages.

    Raises:
        OSError: it has ended, or may not be read, or this kernel (before 4.14) has no smaps_rollup.
        ValueError: it is not what the kernel writes.
    """
    text = _read(f"/proc/{pid}/smaps_rollup")
    if not text:
        return 0, 0  # ended, but not waited for: it has no memory
    return _kilobytes(text, b"\nPss:"), _kilobytes(text, b"\nPrivate_Clean:") + _kilobytes(text, b"\nPrivate_Dirty:")


def switches(pid: int) -> tuple[int, int]:
    """Voluntary and involuntary context switches of all threads that live.

    Raises:
        OSError: the process has ended.
        ValueError: it is not what the kernel writes.
    """
    voluntary = involuntary = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            text = _read(f"/proc/{pid}/task/{thread}/status")
        except (FileNotFoundError, ProcessLookupError):
            continue
        before, found, after = text.rpartition(b"\nnonvoluntary_ctxt_switches:")
        if not found:
            raise ValueError("status of a thread has no switches")
        involuntary += int(after)
        voluntary += int(before.rpartition(b":")[2])
    return voluntary, involuntary


def open_files(pid: int) -> int:
    """How many descriptors it has.

    Raises:
        OSError: it has ended, or may not be read.
    """
    path = f"/proc/{pid}/fd"
    return os.stat(path).st_size or len(os.listdir(path))  # the size is their number since Linux 6.2


def executable(pid: int, comm: bytes) -> str:
    """The path of its program; its short name where that may not be known."""
    try:
        return os.fsdecode(os.readlink(b"/proc/%d/exe" % pid))
    except OSError:
        return comm.decode("utf-8", "surrogateescape")


def arguments(pid: int) -> bytes:
    """Its command line as it lies in its memory, secrets and all; empty where it has none or has ended."""
    try:
        return _read(f"/proc/{pid}/cmdline", LONGEST_COMMAND)
    except OSError:
        return b""


def owner(pid: int) -> int | None:
    """Its effective user; None once it has ended."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _kilobytes(text: bytes, name: bytes) -> int:
    at = text.find(name)
    if at < 0:
        raise ValueError(f"smaps_rollup has no {name[1:-1].decode()} line")
    return int(text[at + len(name) :].split(None, 1)[0]) * 1024


def _read(path: str, longest: int = 4096) -> bytes:
    fd = os.open(path, _FILE)
    try:
        return os.read(fd, longest)
    finally:
        os.close(fd)
