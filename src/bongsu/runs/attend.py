"""Stays with a process that somebody else started, until it ends or we are told to go.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os
import select
import signal

from bongsu.runs.enforcement import Enforcement
from bongsu.runs.plan import Plan
from bongsu.runs.readings import Readings
from bongsu.runs.recorder import Recorder
from bongsu.runs.signals import Signals, take

_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


def attend(plan: Plan, recorder: Recorder, signals: Signals, pidfd: int) -> tuple[int, str]:
    """Record until the process ends, a signal comes or the time is over; the process is left as it is.

    Returns:
        The exit code, and what went wrong with recording, or "".
    """
    own: set[int] = set()
    enforcement = Enforcement(plan, plan.attach, own, signals, recorder)
    readings = Readings(recorder, plan.interval_seconds, enforcement)
    poll = select.poll()
    for fd in (signals.fileno(), pidfd):
        poll.register(fd, select.POLLIN)
    # What it and its children did before is not the run's, nor must they last an interval.
    readings.safely(recorder.sample)
    left = ""
    while not left:
        ready = {fd for fd, _ in poll.poll(readings.patience())}
        for received in signals.read():
            if received.number in _ENDS:
                left = signal.Signals(received.number).name
            elif received.number == signal.SIGCHLD:
                _reap(own)
            elif received.number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
                take(received.number)
                readings.catch_up()
        if pidfd in ready:
            left = "ended"
            break
        readings.take()
        left = left or enforcement.leave
    readings.note(*(("ended", f"process {plan.attach}") if left == "ended" else ("detached", left)))
    readings.safely(lambda: recorder.finish(None, ""))
    return enforcement.exit_code, readings.trouble


def _reap(own: set[int]) -> None:
    for pid in tuple(own):
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                own.discard(pid)
        except ChildProcessError:
            own.discard(pid)
