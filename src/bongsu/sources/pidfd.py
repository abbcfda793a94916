"""Signals a process that is known by number and start, so that another one of the same number is never meant."""

from __future__ import annotations

import os
import signal

from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.sources.procfs.process import parse_stat


def send_signal(pid: int, start_ticks: int, number: signal.Signals) -> None:
    """Send a signal to exactly this process.

    The descriptor of pidfd_open(2) keeps meaning the process that it was opened for; its start is
    compared after that, and the signal goes through the descriptor.

    Raises:
        NotKnown: the process has ended, or we may not signal it; the message says which.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        raise _ended(pid) from None
    except OSError as error:
        raise NotKnown(Message("{pid} cannot be signalled: {reason}", pid=pid, reason=error.strerror)) from None
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            if parse_stat(stat.read()).start_ticks != start_ticks:
                raise _ended(pid)
        signal.pidfd_send_signal(process, number)
    except (ProcessLookupError, FileNotFoundError):
        raise _ended(pid) from None
    except PermissionError:
        raise NotKnown(
            Message("{pid} belongs to another user: only that user or root may signal it", pid=pid)
        ) from None
    finally:
        os.close(process)


def _ended(pid: int) -> NotKnown:
    return NotKnown(Message("process {pid} has ended; nothing was signalled", pid=pid))
