"""Does what a run's limits ask for: warns, starts a command, or ends the program and all that it started.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Mapping

from bongsu.runs.launch import Launch, original_environment
from bongsu.runs.plan import Plan
from bongsu.runs.recorder import Recorder
from bongsu.runs.saying import say
from bongsu.runs.signals import Signals
from bongsu.runs.thresholds import END, RUN, Crossing, Guard, Threshold, shown

TIMED_OUT = 124  # as timeout(1)
_PATIENCE_SECONDS = 2.0  # for what was killed to be gone: one that waits for a disk may take for ever


class Enforcement:
    """The limits of one run.

    Attributes:
        exit_code: what the run is to end with instead of the command's code; 0 if that stands.
        leave: why what is attached to is to be left as it is, since the time for recording it is over; empty until then.
    """

    def __init__(self, plan: Plan, pid: int, own: set[int], signals: Signals, recorder: Recorder) -> None:
        """Begin.

        Args:
            plan: of the run.
            pid: of the command.
            own: children of this process that are none of the run's; commands that are started here are added.
            signals: as they were found.
            recorder: is told of what happens.
        """
        self.exit_code = 0
        self.leave = ""
        self._own = own
        self._plan = plan
        self._pid = pid
        self._signals = signals
        self._recorder = recorder
        self._guard = Guard(tuple(Threshold(*one) for one in plan.thresholds))
        self._timeout = _now() + plan.timeout_seconds if plan.timeout_seconds else math.inf
        self._kill = math.inf
        self._over = -math.inf

    def wait(self, now: float) -> float:
        """Seconds from ``now``, on the monotonic clock, until `tick` has something to do."""
        over = self._over - now if self.ending() else math.inf
        return min(self._timeout - _now(), self._kill - now, over)

    def ending(self) -> bool:
        """Whether what the command started is being ended too, which is worth waiting for."""
        return time.monotonic() < self._over

    def tick(self) -> None:
        """Do what is due."""
        if _now() >= self._timeout:
            self._timeout = math.inf
            why = f"{self._plan.timeout_seconds:g} s are over"
            if self._plan.attach:  # who did not start it only looks on
                self.leave = why
            else:
                self.exit_code = TIMED_OUT
                self._end("timeout", why)
        if time.monotonic() >= self._kill:
            self._kill = math.inf
            self._recorder.event("signal", "SIGKILL, since it did not end")
            self._send(signal.SIGKILL)

    def sampled(self, sample: Mapping[str, float | None]) -> None:
        """Compare a sample with the limits."""
        known = {"at_seconds": _now() - self._plan.started_boottime, **sample}
        if known.get("cpu_seconds") is None:  # no exact source: then of the processes that are known by name
            known["cpu_seconds"] = known.get("attributed_cpu_seconds")
        for crossing in self._guard.crossed(known):
            limit = crossing.threshold
            text = f"{limit.what} is {shown(limit.what, crossing.value)}, above {shown(limit.what, limit.above)}"
            if limit.action == END:
                self._end("limit", text)
                continue
            self._recorder.event("limit", text)
            say(text)
            if limit.action == RUN:
                self._start(crossing)

    def _start(self, crossing: Crossing) -> None:
        limit = crossing.threshold
        values = {
            "BONGSU_ALERT": limit.what, "BONGSU_ALERT_VALUE": f"{crossing.value:.12g}",
            "BONGSU_ALERT_LIMIT": f"{limit.above:.12g}", "BONGSU_RUN_DIR": self._plan.folder,
            "BONGSU_RUN_PID": str(self._pid),
        }  # fmt: skip
        environment = original_environment() | {os.fsencode(n): os.fsencode(v) for n, v in values.items()}
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            launch = Launch(limit.argv, environment, self._signals.mask, self._signals.ignored, {0: nothing, 1: 2})
        finally:
            os.close(nothing)
        self._own.add(launch.pid)
        self._recorder.leave_out(launch.pid)
        if failed := launch.go():
            say(f"{limit.argv[0]}: {os.strerror(failed).lower()}")

    def _end(self, what: str, why: str) -> None:
        text = f"{why}; the program is ended"
        self._recorder.event(what, text)
        say(text)
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)  # one that is stopped would not hear it
        self._kill = min(self._kill, time.monotonic() + self._plan.kill_after_seconds)
        self._over = self._kill + _PATIENCE_SECONDS

    def _send(self, number: int) -> None:
        """Signal the command and all that it started, the youngest last, so that nobody starts them anew."""
        for pid in tree(self._pid, os.getpid(), self._own):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def tree(pid: int, monitor: int, apart: set[int]) -> list[int]:
    """A process, what it started, and what was left to the monitor by those that ended; parents first."""
    found = [pid, *(one for one in _children(monitor) if one != pid and one not in apart)]
    for one in found:  # grows meanwhile
        found += _children(one)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # each thread has its own children
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # a time limit goes on while the machine sleeps
