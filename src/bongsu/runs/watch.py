"""Waits for a command as a shell would, reading what it uses on a fixed grid of times, and hands its signals on.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import deque
from typing import Any

from bongsu.runs.capture import Capture
from bongsu.runs.enforcement import Enforcement
from bongsu.runs.plan import Plan
from bongsu.runs.readings import Readings
from bongsu.runs.recorder import Recorder
from bongsu.runs.signals import Received, Signals, Witness, take

_LOOK = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
_ENDED = {os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED}
_WAIT = os.WNOHANG | os.WUNTRACED
_UNSPOKEN = {signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT}  # not worth an event
_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


class Watch:
    """One command that is waited for.

    Attributes:
        interrupted: the signal by which we should end too, since the terminal sent it to us and the command alike
            and the command ended by it; 0 if there is none.
    """

    def __init__(
        self,
        plan: Plan,
        pid: int,
        recorder: Recorder,
        signals: Signals,
        witness: Witness,
        capture: Capture | None = None,
    ) -> None:
        self.interrupted = 0
        self._plan = plan
        self._pid = pid
        self._recorder = recorder
        self._signals = signals
        self._witness = witness
        self._own = {witness.pid, recorder.keeper} - {0}  # children of ours that are none of the run's
        self._enforcement = Enforcement(plan, pid, self._own, signals, recorder)
        self._readings = Readings(recorder, plan.interval_seconds, self._enforcement)
        self._capture = capture
        self._of_terminal: set[int] = set()
        self._ended: tuple[int, str] | None = None  # exit code, signal's name
        self._leaving = False
        self._came: deque[Received] = deque()  # and was not heeded yet
        self._continued = False  # with the signals just read, so that what stopped before is no news
        self._poll = select.poll()
        self._poll.register(signals.fileno(), select.POLLIN)
        self._told = set(recorder.filenos())
        for descriptor in self._told:
            self._poll.register(descriptor, select.POLLIN)
        if capture is not None:
            capture.started(self._poll)

    @property
    def trouble(self) -> str:
        """The first thing that went wrong with recording; empty if nothing did."""
        return self._readings.trouble or (self._capture.trouble if self._capture else "")

    def until_the_end(self, failed: int | None) -> int:
        """Watch the command until it has ended, and with ``wait_all`` all that it started.

        Args:
            failed: the exit code if it could not be executed; its process then ends by itself.

        Returns:
            The exit code as the shell sees it.
        """
        while not self._over():
            ready = self._poll.poll(self._readings.patience())
            if self._capture is not None:
                self._capture.heed(ready)
            self._listen(ready)
            self._continued = False
            self._hear()
            while self._came:
                self._heed(self._came.popleft())
            self._readings.take()
        assert self._ended is not None
        code, name = self._ended
        code = self._enforcement.exit_code or code if failed is None else failed
        if signal.SIGINT in self._of_terminal and name == "SIGINT":
            self.interrupted = signal.SIGINT
        if self._capture is not None:
            self._capture.leave()
        self._readings.safely(lambda: self._recorder.finish(code, name))
        return code

    def _listen(self, ready: list[tuple[int, int]]) -> None:
        """Take what the kernel tells of processes before it has no more room; nothing more comes once all have ended."""
        told = [(descriptor, what) for descriptor, what in ready if descriptor in self._told]
        if told:
            self._readings.safely(self._recorder.take)
        for descriptor, what in told:
            if what & ~select.POLLIN:
                self._poll.unregister(descriptor)
                self._told.discard(descriptor)

    def _over(self) -> bool:
        if self._ended is None:
            return False
        if self._leaving:
            return True
        if self._capture is not None and not self._capture.drained():
            return False
        return not (self._plan.wait_all or self._enforcement.ending()) or not self._others()

    def _heed(self, received: Received) -> None:
        number = received.number
        if number == signal.SIGCHLD:
            self._reap()
            return
        if received.pid in (os.getpid(), *self._own):
            return
        sender = received.pid if received.pid != self._pid else 0
        seen = self._witness.saw(sender)  # also what is not asked for, or it would be seen at the next one
        if number in seen and not received.from_kernel:
            self._pass_over(seen, received.pid)
        spoken = number not in _UNSPOKEN
        if number == signal.SIGWINCH and self._capture is not None:
            self._capture.resized()
            self._signals.forward(received, self._pid)  # it may have asked for the size before
            return
        if received.from_kernel:
            self._of_terminal.add(number)
            if spoken:
                self._readings.note("signal", f"{_name(number)} from the terminal")
        if self._ended is not None:
            self._leaving = self._leaving or number in _ENDS
            return
        if received.from_kernel or received.pid == self._pid:
            return  # the command has it too, or tells its parent something, as a server does that is ready
        if number in seen:
            if spoken:
                self._readings.note("signal", f"{_name(number)} from process {received.pid} to the process group")
            return
        if spoken:
            self._readings.note("signal", f"{_name(number)} from process {received.pid}, handed on")
        self._signals.forward(received, self._pid)

    def _hear(self) -> None:
        came = self._signals.read()
        self._continued = self._continued or any(received.number == signal.SIGCONT for received in came)
        self._came.extend(came)

    def _pass_over(self, seen: set[int], sender: int) -> None:
        """Forget what waits for us of signals that the witness saw: one sent to us and then to the group came twice."""
        self._hear()
        self._came = deque(one for one in self._came if one.number not in seen or one.pid != sender)

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, _LOOK)
                if found is None:
                    return
                if found.si_code in _ENDED and found.si_pid not in self._own:
                    self._note_death(found.si_pid)
                pid, status, used = os.wait4(found.si_pid, _WAIT)
            except ChildProcessError:
                return
            if not pid:
                continue  # it was stopped, and goes on
            if os.WIFSTOPPED(status):
                if pid == self._pid and not self._continued:
                    self._stop(os.WSTOPSIG(status))
                continue
            if pid in self._own:
                self._own.discard(pid)
                continue
            self._note_end(pid, status, used)
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._ended = (code, "") if code >= 0 else (128 - code, _name(-code))

    def _note_death(self, pid: int) -> None:
        self._readings.safely(lambda: self._recorder.died(pid))

    def _note_end(self, pid: int, status: int, used: Any) -> None:
        self._readings.safely(lambda: self._recorder.reaped(pid, status, used))

    def _stop(self, number: int) -> None:
        """Stop as the command did, so that the shell sees it; go on with it."""
        began = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._readings.note("stopped", _name(number))
        self._witness.guard(self._pid, self._enforcement.wait(time.monotonic()))
        take(number)
        self._witness.relax()
        self._readings.note("continued", f"after {time.clock_gettime(time.CLOCK_BOOTTIME) - began:.1f} s")
        self._readings.catch_up()  # nothing was missed: nothing ran

    def _others(self) -> bool:
        """Whether a process of the tree lives on; all of them have become our children, or their children are."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
                return any(int(word) not in self._own for word in file.read().split())
        except OSError:
            return False  # a kernel without CONFIG_PROC_CHILDREN: nobody to wait for is known


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if number > signal.SIGRTMIN else f"signal {number}"
