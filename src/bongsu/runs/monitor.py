"""The small process around a command: starts it, records it, and ends as it ended.

The command line becomes this by exec, so that it is the same process for the shell; it imports nothing but the
standard library, so that watching costs little.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import sys
from typing import NoReturn

from bongsu.records.segment import Segment
from bongsu.runs.launch import Launch, exec_failed, original_environment
from bongsu.runs.plan import Plan
from bongsu.runs.recorder import Recorder
from bongsu.runs.signals import Signals, Witness, take
from bongsu.runs.watch import Watch

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
    os.execve(sys.executable, argv, original_environment())  # noqa: S606  no shell: that is the point


def main(fd: int) -> NoReturn:
    """Record the run whose plan the descriptor holds, and end with the command's exit code."""
    plan = Plan.opened(fd)
    signals = Signals()
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_NAME, b"bongsu-run", 0, 0, 0)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    launch = None
    try:
        segment = Segment(os.path.join(plan.folder, "record.seg"))
        with contextlib.suppress(OSError):  # a file system without locks: readers then say what they can
            fcntl.flock(segment.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        witness = Witness()
        environment = {
            **original_environment(),
            **{os.fsencode(k): os.fsencode(v) for k, v in plan.environment.items()},
        }
        launch = Launch(plan.argv, environment, signals.mask, signals.ignored, {}, plan.closed)
        recorder = Recorder(plan, segment, launch.pid)
    except OSError as error:  # nothing has begun yet: a record was asked for and cannot be had
        if launch is not None:
            launch.call_off()
        say(f"{plan.folder}: {(error.strerror or str(error)).lower()}; {plan.argv[0]} was not started")
        os._exit(OUR_FAILURE)
    failed = launch.go()
    if failed:
        say(f"{plan.argv[0]}: {os.strerror(failed).lower()}")
    watch = Watch(plan, launch.pid, recorder, signals, witness)
    code = watch.until_the_end(exec_failed(failed) if failed else None)
    witness.dismiss()
    if not failed:
        _conclude(plan)
    segment.close()
    sys.stderr.flush()
    if watch.interrupted:  # at the terminal, with us: a shell that runs a loop looks for just this before it goes on
        take(watch.interrupted)
    os._exit(code)  # nothing of ours may change the code any more


def say(line: str) -> None:
    """One line to standard error, if anybody listens."""
    with contextlib.suppress(OSError):
        os.write(2, f"bongsu: {line}\n".encode("utf-8", "backslashreplace"))


def _conclude(plan: Plan) -> None:
    """Sum up what was recorded; what fails here must not become the command's failure."""
    sys.path[:] = plan.path
    try:
        from bongsu.runs.ending import conclude  # noqa: PLC0415  large, so only now that nothing is watched any more

        conclude(plan)
    except Exception as error:  # noqa: BLE001  whatever it is: the command's exit code stands
        say(f"the report could not be made: {type(error).__name__}: {error}; try: bongsu report recover {plan.run}")
