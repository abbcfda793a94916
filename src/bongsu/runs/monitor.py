"""The small process around a command: starts it, records it, and ends as it ended.

The command line becomes this by exec, so that it is the same process for the shell; it imports nothing but the
standard library, so that watching costs little.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
from typing import NoReturn

from bongsu.records.segment import Segment
from bongsu.runs.launch import Launch, exec_failed
from bongsu.runs.plan import Plan
from bongsu.runs.recorder import Recorder

OUR_FAILURE = 125  # as env(1), timeout(1) and nohup(1)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from bongsu.runs.monitor import main; main(int(sys.argv[2]))"
_SET_CHILD_SUBREAPER, _SET_NAME = 36, 15  # prctl(2)


def become(plan: Plan) -> NoReturn:
    """Replace this process by the monitor of the plan.

    Raises:
        OSError: the interpreter cannot be executed.
    """
    fd = plan.sealed()
    os.set_inheritable(fd, True)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    argv = [sys.executable, "-I", "-S", "-c", _START, package, str(fd)]
    os.execv(sys.executable, argv)  # noqa: S606  no shell: that is the point


def main(fd: int) -> NoReturn:
    """Record the run whose plan the descriptor holds, and end with the command's exit code."""
    plan = Plan.opened(fd)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    segment = Segment(os.path.join(plan.folder, "record.seg"))
    with contextlib.suppress(OSError):  # a file system without locks: readers then say what they can
        fcntl.flock(segment.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_SET_NAME, b"bongsu-run", 0, 0, 0)
    launch = Launch(plan.argv, {**os.environ, **plan.environment}, set(mask))  # type: ignore[arg-type]  # Signals or plain numbers
    recorder = Recorder(plan, segment, launch.pid)
    failed = launch.go()
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # the terminal sends them to the command too
    if failed:
        sys.stderr.write(f"bongsu: {plan.argv[0]}: {os.strerror(failed).lower()}\n")
    code = _watch(plan, launch.pid, recorder, exec_failed(failed) if failed else None)
    segment.close()
    sys.exit(code)


def _watch(plan: Plan, pid: int, recorder: Recorder, failed: int | None) -> int:
    due = time.monotonic() + plan.interval_seconds
    while True:
        if signal.sigtimedwait({signal.SIGCHLD}, max(0.0, due - time.monotonic())) is None:
            recorder.sample()
            due = max(due + plan.interval_seconds, time.monotonic())
            continue
        while True:
            try:
                ended, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not ended:
                break
            recorder.reaped(ended, status, used)
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
                name = signal.Signals(-code).name if code < 0 else ""
                code = failed if failed is not None else code if code >= 0 else 128 - code
                recorder.finish(code, name, used)
                return code
