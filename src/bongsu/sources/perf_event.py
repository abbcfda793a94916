"""The kernel's counter of the CPU time that a process and all it starts use, dead or alive (perf_event_open(2)).

Imported by the monitor of a run, which must stay small: the standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
import time
from collections.abc import Iterable
from typing import Final

# include/uapi/linux/perf_event.h: struct perf_event_attr up to its fifth published size. A kernel that knows a
# shorter one takes it as long as the rest is zero, a newer one takes the rest of its own as zero.
_ATTRIBUTES: Final = struct.Struct("=IIQQQQQIIQQQQIiQIHH")
assert _ATTRIBUTES.size == 112  # as the kernel is told
_NUMBERS: Final = {"x86_64": 298, "aarch64": 241, "riscv64": 241}  # of the system call, by machine
_SOFTWARE, TASK_CLOCK = 1, 1  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK
_CLOSE_ON_EXEC = 8  # PERF_FLAG_FD_CLOEXEC
DISABLED, INHERIT, EXCLUDE_KERNEL, ENABLE_ON_EXEC = 1 << 0, 1 << 1, 1 << 5, 1 << 12
_PARANOID = "/proc/sys/kernel/perf_event_paranoid"
_FREE = 2  # the largest value of that at which a user may count what runs in user mode
_PASSES = 5  # over the tasks of a tree that goes on forking

NOT_PERMITTED: Final = "not permitted"
NOT_SUPPORTED: Final = "not supported"
GONE: Final = "gone"


class NoCounter(Exception):  # noqa: N818 - an answer as much as an error: this machine, user or process has none
    """There is no such counter here. ``kind`` is NOT_PERMITTED, NOT_SUPPORTED or GONE; the text says what stands in the way."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def attributes(
    config: int, flags: int, *, sample_type: int = 0, wakeup: int = 0, clock: int = 0
) -> ctypes.Array[ctypes.c_char]:
    """A struct perf_event_attr of a software event; ``wakeup`` in bytes, ``clock`` as of clock_gettime(2)."""
    packed = _ATTRIBUTES.pack(
        _SOFTWARE, _ATTRIBUTES.size, config, 0, sample_type, 0, flags, wakeup, 0, 0, 0, 0, 0, 0, clock, 0, 0, 0, 0
    )
    return ctypes.create_string_buffer(packed, len(packed))


def open_event(wanted: ctypes.Array[ctypes.c_char], pid: int, cpu: int = -1) -> int:
    """The descriptor of an event on one task (0: the caller's own), on one CPU or (-1) on all.

    Raises:
        NoCounter: not on this machine, not for this user, not for this process, or it is gone.
        OSError: no descriptor or no memory is left.
    """
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise NoCounter(NOT_SUPPORTED, f"counters are not known on {os.uname().machine}")
    descriptor = _call(number, wanted, pid, cpu)
    if descriptor >= 0:
        return descriptor
    error = ctypes.get_errno()
    if error == errno.ESRCH:
        raise NoCounter(GONE, f"process {pid} has ended")
    if error in {errno.ENOSYS, errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.E2BIG}:
        raise NoCounter(NOT_SUPPORTED, f"this kernel has no such counter ({errno.errorcode[error]})")
    if error in {errno.EACCES, errno.EPERM}:
        raise NoCounter(NOT_PERMITTED, _refusal(number, wanted, pid, error))
    raise OSError(error, os.strerror(error))


class TaskClock:
    """CPU seconds of processes and of all that they start from now on; a read takes 0.4 µs and more for each living one.

    The kernel ends the count of a process that executes a set-user-ID program or one that its user may not read, and
    of what it starts from then on (``begin_new_exec``). Newer kernels end it before a dying process gives its memory
    back (measured on 6.18: 0.2 ms for each Python). So the number is never too large, and of such trees too small.

    Attributes:
        uncertain: tasks that began while counters were being opened and may not be counted (`attach`).
        refused: tasks of the tree that may not be counted, as they belong to another user (`attach`).
    """

    def __init__(self, descriptors: Iterable[int], *, uncertain: int = 0, refused: int = 0) -> None:
        self._descriptors = list(descriptors)
        self.uncertain = uncertain
        self.refused = refused

    @classmethod
    def open(cls, pid: int, *, from_exec: bool = True) -> TaskClock:
        """Count one task that has neither threads nor children yet, from its next execve(2) or from now.

        Raises:
            NoCounter: see `open_event`.
            OSError: no descriptor is left.
        """
        return cls([open_event(_clock(from_exec=from_exec), pid)])

    @classmethod
    def attach(cls, pid: int) -> TaskClock:
        """Count a running process and all below it from now on; what they used before is not in the count.

        Each thread that is there gets a counter of its own, and what it starts later inherits that. A thread or
        process that began while the counters were being opened may have inherited or not: it is left alone, so that
        nothing is counted twice.

        Raises:
            NoCounter: see `open_event`; of the process itself.
            OSError: no descriptor is left.
        """
        wanted = _clock(from_exec=False)
        opened: dict[int, int] = {}
        refused: set[int] = set()
        uncertain: set[int] = set()
        begun = done = _ticks()
        try:
            for number in range(_PASSES):
                new = [(task, start) for task, start in _tasks(pid) if task not in opened and task not in refused]
                for task, start in new:  # those of the first pass were all there before the first counter was
                    if number and start > done:
                        continue  # forked by one that is counted
                    if number and start >= begun:
                        uncertain.add(task)
                        continue
                    try:
                        opened[task] = open_event(wanted, task)
                    except NoCounter as none:
                        if none.kind != GONE:
                            if task == pid:
                                raise
                            refused.add(task)
                if not number:
                    done = _ticks()
                elif not any(task in opened for task, _ in new):
                    break
        except BaseException:
            for descriptor in opened.values():
                os.close(descriptor)
            raise
        if not opened:
            raise NoCounter(GONE, f"process {pid} has ended")
        return cls(opened.values(), uncertain=len(uncertain), refused=len(refused))

    def read(self) -> float:
        """Seconds so far."""
        return sum(int.from_bytes(os.read(one, 8), sys.byteorder) for one in self._descriptors) / 1e9

    def close(self) -> None:
        """Stop counting."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def paranoid() -> int | None:
    """The kernel's setting kernel.perf_event_paranoid; None where it has none."""
    try:
        with open(_PARANOID, "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _clock(*, from_exec: bool) -> ctypes.Array[ctypes.c_char]:
    # A clock runs in the kernel, too, whatever EXCLUDE_KERNEL says; with it, `paranoid` 2 is low enough.
    return attributes(TASK_CLOCK, INHERIT | EXCLUDE_KERNEL | (DISABLED | ENABLE_ON_EXEC if from_exec else 0))


def _call(number: int, wanted: ctypes.Array[ctypes.c_char], pid: int, cpu: int) -> int:
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    none, flags = ctypes.c_int(-1), ctypes.c_ulong(_CLOSE_ON_EXEC)
    return int(call(ctypes.c_long(number), wanted, ctypes.c_int(pid), ctypes.c_int(cpu), none, flags))


def _refusal(number: int, wanted: ctypes.Array[ctypes.c_char], pid: int, error: int) -> str:
    """What stands in the way: the setting, a filter of system calls, or whose process it is."""
    own = _call(number, wanted, 0, -1) if pid else -1
    if own >= 0:
        os.close(own)
        return f"process {pid} belongs to another user, or runs a program that may not be read"
    setting = paranoid()
    if setting is not None and setting > _FREE:
        return f"kernel.perf_event_paranoid is {setting}: it must be {_FREE} or lower"
    return f"a system call filter or a security module forbids it ({errno.errorcode[error]})"


def _ticks() -> int:
    """The clock that processes' starts are told by, in its ticks."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def _tasks(pid: int) -> list[tuple[int, int]]:
    """Number and start (clock ticks) of each thread of a process and of those below it."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(f"/proc/{name}/stat")) is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found: list[tuple[int, int]] = []
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, ())
        try:
            names = os.listdir(f"/proc/{one}/task")
        except OSError:
            continue  # it has ended
        stats = ((int(name), _stat(f"/proc/{one}/task/{name}/stat")) for name in names)
        found += [(task, int(fields[19])) for task, fields in stats if fields is not None]
    return found


def _stat(path: str) -> list[bytes] | None:
    """The fields of a stat file from the third on (proc_pid_stat(5)); None if it is gone."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(4096).rpartition(b")")[2].split()
    except OSError:
        return None
