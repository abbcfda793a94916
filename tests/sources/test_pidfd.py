"""Signals to exactly one process."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from bongsu.model.errors import NotKnown
from bongsu.sources.pidfd import send_signal
from bongsu.sources.procfs.process import parse_stat


def start_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return parse_stat(stat.read()).start_ticks


def test_the_process_that_is_meant_gets_the_signal() -> None:
    """Number and start agree: it is signalled."""
    with subprocess.Popen(["sleep", "100"]) as child:
        send_signal(child.pid, start_of(child.pid), signal.SIGTERM)
        assert child.wait(60) == -signal.SIGTERM


def test_another_process_of_that_number_is_left_alone() -> None:
    """The number was given to another process since: nothing is sent, and the message says why."""
    with subprocess.Popen(["sleep", "100"]) as child:
        with pytest.raises(NotKnown, match="has ended; nothing was signalled"):
            send_signal(child.pid, start_of(child.pid) - 1, signal.SIGKILL)
        assert child.poll() is None
        child.kill()


def test_a_process_that_is_gone() -> None:
    """A process that has ended is said to have ended."""
    child = subprocess.Popen(["true"])
    started = start_of(child.pid)
    child.wait()
    with pytest.raises(NotKnown, match="has ended"):
        send_signal(child.pid, started, signal.SIGTERM)


def test_no_descriptor_is_left() -> None:
    """Neither success nor failure leaves a descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    with subprocess.Popen(["sleep", "100"]) as child:
        with pytest.raises(NotKnown):
            send_signal(child.pid, 1, signal.SIGTERM)
        send_signal(child.pid, start_of(child.pid), signal.SIGKILL)
    assert len(os.listdir("/proc/self/fd")) <= before
