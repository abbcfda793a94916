"""Waits for a command as a shell would, reading what it uses on a fixed grid of times, and hands its signals on.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from bongsu.runs.plan import Plan
from bongsu.runs.recorder import Recorder
from bongsu.runs.signals import Received, Signals, Witness, take

_WAIT = os.WNOHANG | os.WUNTRACED
_UNSPOKEN = {signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT}  # not worth an event
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


class Watch:
    """One command that is waited for.

    Attributes:
        interrupted: the signal by which we should end too, since the terminal sent it to us and the command alike
            and the command ended by it; 0 if there is none.
    """

    def __init__(self, plan: Plan, pid: int, recorder: Recorder, signals: Signals, witness: Witness) -> None:
        self.interrupted = 0
        self._plan = plan
        self._pid = pid
        self._recorder = recorder
        self._signals = signals
        self._witness = witness
        self._of_terminal: set[int] = set()
        self._ended: tuple[int, str, Any] | None = None  # exit code, signal's name, rusage
        self._leaving = False
        self._poll = select.poll()
        self._poll.register(signals.fileno(), select.POLLIN)
        self._trouble = ""
        self._interval = plan.interval_seconds
        self._due = time.monotonic() + self._interval

    def until_the_end(self, failed: int | None) -> int:
        """Watch the command until it has ended, and with ``wait_all`` all that it started.

        Args:
            failed: the exit code if it could not be executed; its process then ends by itself.

        Returns:
            The exit code as the shell sees it.
        """
        while not self._over():
            self._poll.poll(max(0, int((self._due - time.monotonic()) * 1000) + 1))
            for received in self._signals.read():
                self._heed(received)
            if self._ended is None or self._plan.wait_all:
                self._tick()
        assert self._ended is not None
        code, name, used = self._ended
        code = code if failed is None else failed
        if self._of_terminal and code == 128 + signal.SIGINT and name == "SIGINT":
            self.interrupted = signal.SIGINT
        self._safely(lambda: self._recorder.finish(code, name, used))
        return code

    def _over(self) -> bool:
        if self._ended is None:
            return False
        return not self._plan.wait_all or self._leaving or not self._others()

    def _tick(self) -> None:
        late = time.monotonic() - self._due
        if late < 0:
            return
        missed = int(late / self._interval)
        self._due += (missed + 1) * self._interval
        self._safely(self._recorder.sample)

    def _heed(self, received: Received) -> None:
        number = received.number
        if number == signal.SIGCHLD:
            self._reap()
            return
        if received.pid in (os.getpid(), self._witness.pid):
            return
        seen = self._witness.saw()  # also what is not asked for, or it would be seen at the next one
        if received.from_kernel:
            self._of_terminal.add(number)
            if number not in _UNSPOKEN:
                self._event("signal", f"{_name(number)} from the terminal")
        if self._ended is not None:
            self._leaving = self._leaving or number in _ENDS
            return
        if received.from_kernel or received.pid == self._pid:
            return  # the command has it too, or tells its parent something, as a server does that is ready
        if number in seen:
            if number not in _UNSPOKEN:
                self._event("signal", f"{_name(number)} from process {received.pid} to the process group")
            return
        if number not in _UNSPOKEN:
            self._event("signal", f"{_name(number)} from process {received.pid}, handed on")
        self._signals.forward(received, self._pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, _WAIT)
            except ChildProcessError:
                return
            if not pid:
                return
            if os.WIFSTOPPED(status):
                if pid == self._pid:
                    self._stop(os.WSTOPSIG(status))
                continue
            if pid == self._witness.pid:
                continue
            self._safely(lambda pid=pid, status=status, used=used: self._recorder.reaped(pid, status, used))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._ended = (code, "", used) if code >= 0 else (128 - code, _name(-code), used)

    def _stop(self, number: int) -> None:
        """Stop as the command did, so that the shell sees it; go on with it."""
        began = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._event("stopped", _name(number))
        self._witness.guard(self._pid)
        take(number)
        self._witness.relax()
        self._event("continued", f"after {time.clock_gettime(time.CLOCK_BOOTTIME) - began:.1f} s")
        now = time.monotonic()
        if now > self._due:  # nothing was missed: nothing ran
            self._due += (int((now - self._due) / self._interval) + 1) * self._interval

    def _others(self) -> bool:
        """Whether a process of the tree lives on; all of them have become our children, or their children are."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
                return any(int(word) != self._witness.pid for word in file.read().split())
        except OSError:
            return False  # a kernel without CONFIG_PROC_CHILDREN: nobody to wait for is known

    def _event(self, what: str, text: str) -> None:
        self._safely(lambda: self._recorder.event(what, text))

    def _safely(self, act: Callable[[], None]) -> None:
        """Do what records; that it fails (a full disk) must not end what is recorded."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  the command goes on whatever it is
            self._trouble = self._trouble or f"{type(error).__name__}: {error}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if number > signal.SIGRTMIN else f"signal {number}"
