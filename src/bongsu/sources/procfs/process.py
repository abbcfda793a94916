"""/proc/PID: what each process is and has used (proc_pid_stat(5), proc_pid_statm(5), proc_pid_io(5))."""

from __future__ import annotations

import errno
import os
import time
from typing import NamedTuple

import msgspec

from bongsu.sources.procfs.pid_texts import (
    PAGE_BYTES,
    TICKS_PER_SECOND,
    parse_io,
    parse_uid,
    program_name,
    start_ticks,
    stat_fields,
)
from bongsu.sources.root import Root

__all__ = [
    "KERNEL_THREAD", "PAGE_BYTES", "TICKS_PER_SECOND", "Process", "Processes", "Stat", "boot_time", "parse_io",
    "parse_stat", "parse_uid", "program_name", "start_ticks",
]  # fmt: skip

KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD in the kernel's include/linux/sched.h
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENOTDIR})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC
_CHUNK = 4096  # stat, statm and io are each far shorter
_LONGEST_ARGUMENTS = 4096


class Stat(NamedTuple):
    """What one line of /proc/PID/stat says; times in clock ticks, memory in pages."""

    comm: bytes
    state: str
    ppid: int
    flags: int
    cpu_ticks: int
    children_ticks: int  # of children that it has waited for
    threads: int
    start_ticks: int
    virtual_bytes: int
    resident_pages: int
    system_ticks: int  # what of cpu_ticks it spent in the kernel
    children_system_ticks: int  # the same of children_ticks


class Process(msgspec.Struct, frozen=True, gc=False):
    """One process as read once. ``read_bytes`` and ``write_bytes`` are None where we may not know them.

    They hold what children did that the process has waited for, too (the kernel adds it in
    ``wait_task_zombie``).
    """

    pid: int
    start_ticks: int
    start_time: float  # Unix s
    ppid: int
    uid: int  # effective
    comm: str  # what it calls itself, at most 15 bytes
    executable: str  # base name of its program; of a kernel thread, its own name
    kernel: bool
    state: str
    threads: int
    cpu_ticks: int
    children_ticks: int  # CPU of children that it has waited for
    resident_bytes: int
    virtual_bytes: int
    read_bytes: int | None
    write_bytes: int | None
    arguments: bytes | None  # as it lies in memory, ended by NULs; None unless asked for
    system_ticks: int = 0  # what of cpu_ticks it spent in the kernel
    children_system_ticks: int = 0  # the same of children_ticks


class _Known:
    """What is remembered of a process from one scan to the next."""

    __slots__ = ("comm", "comm_text", "exe", "executable", "may_read_io", "may_read_link", "start_time", "uid")

    def __init__(self, start_time: float) -> None:
        self.start_time = start_time
        self.comm = b""
        self.comm_text = ""
        self.exe = b""
        self.executable = ""
        self.uid = -1
        self.may_read_io = True
        self.may_read_link = True


class Processes:
    """Reads all processes, again and again; keeps names between scans but no descriptor.

    Each process is read through a descriptor of its directory, which the kernel ties to that very
    process: if it ends and its number is given to another, the rest of the reading fails instead
    of mixing the two.
    """

    def __init__(self, proc: Root, *, arguments: bool = False) -> None:
        self._proc = proc
        self._arguments = arguments
        self._known: dict[tuple[int, int], _Known] = {}
        self.refused = 0  # processes in the newest scan that we may not read at all
        self.unreadable = 0  # processes in the newest scan whose files made no sense

    def scan(self) -> list[Process]:
        """Every process that lived through its reading, in no order.

        Raises:
            OSError: the directory cannot be listed, or no descriptor is left.
        """
        self.refused = self.unreadable = 0
        boot = boot_time(self._proc)
        known: dict[tuple[int, int], _Known] = {}
        found: list[Process] = []
        top = os.open(self._proc.path, _DIRECTORY)
        try:
            for name in os.listdir(self._proc.path):
                if name[0] > "9" or not (name.isascii() and name.isdigit()):
                    continue
                try:
                    directory = os.open(name, _DIRECTORY, dir_fd=top)
                except OSError as error:
                    self._missed(error)
                    continue
                try:
                    found.append(self._process(int(name), directory, boot, known))
                except OSError as error:
                    self._missed(error)
                except (ValueError, IndexError):
                    self.unreadable += 1
                finally:
                    os.close(directory)
        finally:
            os.close(top)
        self._known = known
        return found

    def one(self, pid: int) -> Process | None:
        """One process, read now; None if there is none of that number, or it ended meanwhile.

        Raises:
            PermissionError: it may not be read.
        """
        try:
            directory = os.open(self._proc.join(str(pid)), _DIRECTORY)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        try:
            return self._process(pid, directory, boot_time(self._proc), {})
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        except (ValueError, IndexError):
            return None
        finally:
            os.close(directory)

    def _missed(self, error: OSError) -> None:
        if error.errno in _REFUSED:
            self.refused += 1
        elif error.errno not in _GONE:
            raise error

    def _process(self, pid: int, directory: int, boot: float, known: dict[tuple[int, int], _Known]) -> Process:
        stat = parse_stat(_read(directory, "stat"))
        identity = (pid, stat.start_ticks)
        kernel = stat.flags & KERNEL_THREAD != 0
        memory = self._known.get(identity)
        if memory is None:
            memory = _Known(boot + stat.start_ticks / TICKS_PER_SECOND)
        uid = os.fstat(directory).st_uid if self._proc.live else parse_uid(_read(directory, "status"))
        if uid != memory.uid:
            memory.uid = uid
            memory.may_read_io = memory.may_read_link = True
        self._name(memory, stat.comm, directory, kernel=kernel)
        resident = 0 if kernel else int(_read(directory, "statm").split(None, 2)[1]) * PAGE_BYTES
        read_bytes = write_bytes = None
        if memory.may_read_io:
            try:
                read_bytes, write_bytes = parse_io(_read(directory, "io"))
            except OSError as error:
                if error.errno not in _REFUSED and error.errno != errno.ENOENT:
                    raise
                memory.may_read_io = False  # not ours, or a kernel without CONFIG_TASK_IO_ACCOUNTING
        known[identity] = memory
        return Process(
            pid, stat.start_ticks, memory.start_time, stat.ppid, uid, memory.comm_text, memory.executable, kernel,
            stat.state, stat.threads, stat.cpu_ticks, stat.children_ticks, resident, stat.virtual_bytes, read_bytes, write_bytes,
            _arguments(directory) if self._arguments and not kernel else None,
            stat.system_ticks, stat.children_system_ticks,
        )  # fmt: skip

    def _name(self, memory: _Known, comm: bytes, directory: int, *, kernel: bool) -> None:
        """Bring the remembered names up to date. The link is read each time: exec may keep the short name."""
        renamed = comm != memory.comm
        if renamed:
            memory.comm = comm
            memory.comm_text = comm.decode("utf-8", "surrogateescape")
            memory.may_read_link = True
        if kernel:
            if renamed:
                memory.executable = memory.comm_text
            return
        exe = b""
        if memory.may_read_link:
            try:
                exe = os.readlink(b"exe", dir_fd=directory)
            except OSError:
                memory.may_read_link = False  # another user's, or a zombie
        if exe != memory.exe or renamed or not memory.executable:
            memory.exe = exe
            program = program_name(comm, exe, b"" if exe else _arguments(directory) or b"")
            memory.executable = program.decode("utf-8", "surrogateescape")


def parse_stat(line: bytes) -> Stat:
    """Read one /proc/PID/stat.

    Raises:
        ValueError: it is not what the kernel writes.
    """
    comm, fields = stat_fields(line, 22)
    system, children_system = int(fields[12]), int(fields[14])
    return Stat(
        comm,
        fields[0].decode("ascii"),
        int(fields[1]),
        int(fields[6]),
        int(fields[11]) + system,
        int(fields[13]) + children_system,
        int(fields[17]),
        int(fields[19]),
        int(fields[20]),
        int(fields[21]),
        system,
        children_system,
    )


def boot_time(proc: Root) -> float:
    """Unix time at which the machine started, in s; on a captured tree, as its /proc/stat says.

    On a live machine it is taken from the clocks, since /proc/stat rounds it to a second and is
    long where there are many cores.

    Raises:
        OSError, ValueError: a captured tree has no such line.
    """
    if proc.live:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    text = b"\n" + proc.read("stat")
    start = text.find(b"\nbtime ")
    if start < 0:
        raise ValueError("stat has no btime line")
    return float(text[start + 7 :].split(None, 1)[0])


def _arguments(directory: int) -> bytes | None:
    try:
        return _read(directory, "cmdline", _LONGEST_ARGUMENTS)
    except OSError:
        return None


def _read(directory: int, name: str, longest: int = _CHUNK) -> bytes:
    fd = os.open(name, _FILE, dir_fd=directory)
    try:
        return os.read(fd, longest)
    finally:
        os.close(fd)
