"""A process that runs already and is to be recorded: which one it is, whether it may be, and what of its past is known.

Standard library only where the monitor calls it.
"""

from __future__ import annotations

import errno
import os

from bongsu.sources.procfs.pid_texts import TICKS_PER_SECOND, stat_fields, status_field

_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD in the kernel's include/linux/sched.h


class Attached:
    """A process by its number and start, which nothing else ever has.

    Attributes:
        pidfd: a descriptor that poll(2) finds readable once the process has ended (pidfd_open(2)).
        start_ticks: when it started, in clock ticks since boot; started_seconds: the same on CLOCK_BOOTTIME.
        own_seconds: CPU time by now of its threads, dead ones too.
        children_seconds: of children that it has waited for by now, and theirs.
    """

    __slots__ = ("children_seconds", "own_seconds", "pid", "pidfd", "start_ticks", "started_seconds")

    def __init__(self, pid: int, start_ticks: int = 0) -> None:
        """Find the process; ``start_ticks``: of the one that is meant, 0 for whichever has the number now.

        Raises:
            ProcessLookupError: there is none of that number, or it is another one by now.
            PermissionError: it is hidden from us (hidepid of proc(5)).
            ValueError: it is a thread of the kernel or of another process.
            OSError: no descriptor is left.
        """
        self.pid = pid
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT) and os.path.exists(f"/proc/{pid}/task/{pid}"):
                raise ValueError(f"{pid} is a thread of process {_leader(pid)}") from None
            raise
        try:
            self._look(start_ticks)
        except BaseException:
            os.close(self.pidfd)
            raise

    def past(self, now: float) -> str:
        """What is known of the time before, and what is not; ``now`` is on CLOCK_BOOTTIME, in s."""
        return (
            f"process {self.pid} had lived for {max(0.0, now - self.started_seconds):.3g} s and used {self.own_seconds:.2f} s "
            f"of CPU time, and children that it had waited for {self.children_seconds:.2f} s: neither is in this record. "
            "What other descendants had used that ended before, nobody can tell any more. From now on, a process whose "
            "parent ends before a reading came across it is not found"
        )

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.pidfd)

    def _look(self, start_ticks: int) -> None:
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = stat_fields(file.read(), 20)[1]
            with open(f"/proc/{self.pid}/status", "rb") as file:
                leader = int(status_field(file.read(), b"Tgid"))
        except FileNotFoundError:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                raise
            except PermissionError:
                pass
            raise PermissionError(errno.EACCES, "it is hidden from this user") from None
        if leader != self.pid:
            raise ValueError(f"{self.pid} is a thread of process {leader}")
        if int(fields[6]) & _KERNEL_THREAD:
            raise ValueError(f"{self.pid} is a thread of the kernel")
        if fields[0] in (b"Z", b"X"):
            raise ProcessLookupError(errno.ESRCH, "it has ended")
        self.start_ticks = int(fields[19])
        if start_ticks and self.start_ticks != start_ticks:
            raise ProcessLookupError(errno.ESRCH, "another process has its number now")
        self.started_seconds = self.start_ticks / TICKS_PER_SECOND
        self.own_seconds = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
        self.children_seconds = (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND


def found(pid: int) -> Attached:
    """For the command line: the process that `--attach` names.

    Raises:
        BadInput: it is not there, may not be recorded, or is no process; says which.
    """
    from bongsu.model.errors import BadInput  # noqa: PLC0415  larger than the monitor may be
    from bongsu.model.message import Message  # noqa: PLC0415  as above

    try:
        process = Attached(pid)
    except (ProcessLookupError, OverflowError):
        raise BadInput(Message("--attach {pid}: there is no process {pid}; it may have ended", pid=pid)) from None
    except PermissionError:
        raise BadInput(
            Message(
                "--attach {pid}: belongs to another user, and is hidden; only that user or root may record it", pid=pid
            )
        ) from None
    except ValueError as error:
        raise BadInput(
            Message("--attach {pid}: {reason}; give the number of a process", pid=pid, reason=error)
        ) from None
    except OSError as error:
        raise BadInput(
            Message("--attach {pid}: {reason}", pid=pid, reason=(error.strerror or str(error)).lower())
        ) from None
    if pid == os.getpid():
        process.close()
        raise BadInput(Message("--attach {pid}: that is this very process; give another one", pid=pid))
    return process


def began_us(pid: int) -> bool:
    """Whether this process descends from that one, so that what ends it and all that it started ends us too."""
    one = os.getpid()
    while one > 1:
        try:
            with open(f"/proc/{one}/stat", "rb") as file:
                one = int(stat_fields(file.read(), 2)[1][1])
        except (OSError, ValueError):
            return False  # it has ended meanwhile: then its children have another parent
        if one == pid:
            return True
    return pid == 1  # all of a machine descends from it, or came into its container from outside


def _leader(pid: int) -> int:
    with open(f"/proc/{pid}/status", "rb") as file:
        return int(status_field(file.read(), b"Tgid"))
