"""The signals that reach the monitor of a run, read as messages that tell who sent them and to whom.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import struct
import time
from typing import NamedTuple

_INFO = struct.Struct("=IiiI32xQ")  # signalfd_siginfo of signalfd(2): number, errno, code, pid, …, value
_INFO_SIZE = 128
_FROM_KERNEL, _QUEUED = 0x80, -1  # si_code of sigaction(2)
_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK  # SFD_* of signalfd(2) are the same numbers
#: What a program does to itself; sent by others they are rare, and blocked they would hang us instead of ending us.
_OWN_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
#: Python ignores these two in every process of its own: whether our caller did cannot be known, and few do.
_OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
_GRACE_SECONDS = 0.02  # who signals many processes one by one takes a moment
_SENDING_SECONDS = 1.0  # and longer where it has to wait for a CPU in between
_LOOK_SECONDS = 0.2  # how often the witness looks whether the command goes on, while we are stopped
_ORDER = struct.Struct("=cid")  # what to do, of which process, for how many seconds


class Received(NamedTuple):
    """One signal. ``pid`` is its sender, 0 where that was the kernel or lives in another container."""

    number: int
    code: int
    pid: int
    value: int

    @property
    def from_kernel(self) -> bool:
        """Whether it is the terminal's (or a timer's): those go to the whole process group."""
        return self.code == _FROM_KERNEL


class Signals:
    """All signals of this process, blocked and read from a descriptor.

    Attributes:
        mask: the signal mask that was found, for the command.
        ignored: the signals that were found ignored, for the command (nohup(1) ignores SIGHUP).
    """

    def __init__(self) -> None:
        numbers = {number for number in signal.valid_signals() if number not in _OWN_FAULTS}
        self.mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, numbers))
        self.ignored = {n for n in numbers - _OF_PYTHON if signal.getsignal(n) == signal.SIG_IGN}
        if signal.SIGCHLD in self.ignored:  # or no child of ours could be waited for
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        bits = sum(1 << (number - 1) for number in numbers)
        wanted = (ctypes.c_ulong * 16)(bits)  # sigset_t of glibc and musl: 128 bytes
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.signalfd(-1, wanted, _CLOEXEC_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "signalfd")

    def fileno(self) -> int:
        """Becomes readable when a signal came."""
        return int(self._fd)

    def read(self) -> list[Received]:
        """What has come."""
        try:
            data = os.read(self._fd, 32 * _INFO_SIZE)
        except BlockingIOError:
            return []
        found = []
        for start in range(0, len(data), _INFO_SIZE):
            number, _, code, pid, value = _INFO.unpack_from(data, start)
            found.append(Received(number, code, pid, value))
        return found

    def forward(self, received: Received, pid: int) -> None:
        """Send a process what we received, with its value if it has one; nothing if the process is gone."""
        try:
            if received.code == _QUEUED:
                self._libc.sigqueue(pid, received.number, ctypes.c_void_p(received.value))
            else:
                os.kill(pid, received.number)
        except (ProcessLookupError, PermissionError):
            pass  # gone, or another user's by now (su): then nobody could have sent it either


def take(number: int) -> None:
    """Let a signal do to this process what it does to a program that does not know it; returns if that was a stop."""
    with contextlib.suppress(OSError):  # SIGSTOP, SIGKILL
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


class Witness:
    """A process in our process group that tells whether a signal came to us alone, and wakes us when we must not sleep.

    ``kill PID`` and ``kill -- -GROUP`` look alike to who receives them, but what was sent to the whole group has reached
    the command already: timeout(1), a shell's ``kill %1``, systemd and Slurm do so. And while we are stopped with the
    command, someone may continue the command alone.

    Attributes:
        pid: of it.
    """

    def __init__(self) -> None:
        theirs, self._ask = os.pipe()
        self._answer, answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _bear_witness(theirs, answer, os.getppid())
            finally:
                os._exit(0)
        os.close(theirs)
        os.close(answer)

    def saw(self, sender: int = 0) -> set[int]:
        """The signals that came to the group (or to all of a container) since this was last asked.

        ``sender`` is the process that sent one to us: as long as it wants to go on running, the group's may be to come.
        """
        try:
            until = time.monotonic() + _SENDING_SECONDS
            select.select([], [], [], _GRACE_SECONDS)
            while sender and _state(sender) == b"R" and time.monotonic() < until:
                select.select([], [], [], _GRACE_SECONDS)
            os.write(self._ask, _ORDER.pack(b"?", 0, 0.0))
            while not select.select([self._answer], [], [], _LOOK_SECONDS)[0]:
                self._wake()
            return set(os.read(self._answer, 256)) - {0}
        except OSError:
            return set()  # somebody killed it: then each signal is taken to be ours alone

    def guard(self, pid: int, seconds: float) -> None:
        """From now on continue this process as soon as the process ``pid`` is not stopped, or so much time is over."""
        self._tell(b"g", pid, seconds)

    def relax(self) -> None:
        """No longer do so."""
        self._tell(b"r", 0, 0.0)

    def dismiss(self) -> None:
        """End it; reap it too."""
        with contextlib.suppress(OSError):  # it has ended, and who knows who has its number now
            os.write(self._ask, _ORDER.pack(b"r", 0, 0.0))
            os.kill(self.pid, signal.SIGKILL)  # one that is stopped would not see that its orders end
        for fd in (self._ask, self._answer):
            os.close(fd)
        with contextlib.suppress(ChildProcessError):  # reaped with the others
            os.waitpid(self.pid, 0)

    def _tell(self, order: bytes, pid: int, seconds: float) -> None:
        with contextlib.suppress(OSError):  # somebody killed it
            os.write(self._ask, _ORDER.pack(order, pid, seconds))
            self._wake()

    def _wake(self) -> None:
        """Have it go on where it was stopped, as with the whole group, of which we alone were continued."""
        if _stopped(self.pid):
            os.kill(self.pid, signal.SIGCONT)


def _bear_witness(orders: int, answer: int, monitor: int) -> None:
    """Run in the witness: all signals are blocked, so they wait until they are asked for."""
    lowest = 0
    for keep in sorted((orders, answer)):  # above all the ends of other people's pipes
        os.closerange(lowest, keep)
        lowest = keep + 1
    os.closerange(lowest, 1 << 16)
    every = signal.valid_signals()
    guarded, until = 0, 0.0
    while True:
        if guarded and not select.select([orders], [], [], _LOOK_SECONDS)[0]:
            if not _stopped(guarded) or time.monotonic() >= until:
                os.kill(monitor, signal.SIGCONT)
                guarded = 0
            continue
        order = os.read(orders, _ORDER.size)
        if not order:
            return
        what, guarded, seconds = _ORDER.unpack(order)
        until = time.monotonic() + seconds
        if what == b"?":
            seen = bytearray(1)
            while (came := signal.sigtimedwait(every, 0)) is not None:
                if came.si_pid != monitor:  # which wakes us
                    seen.append(came.si_signo)
            os.write(answer, bytes(seen[:256]))


def _stopped(pid: int) -> bool:
    return _state(pid) in (b"T", b"t")


def _state(pid: int) -> bytes:
    """The letter of proc_pid_stat(5); none where there is no such process."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, 512).rpartition(b")")[2].split(None, 1)[0]
    except (OSError, IndexError):
        return b""
    finally:
        os.close(fd)
