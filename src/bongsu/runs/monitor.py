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
import time
from typing import NoReturn

from bongsu.records.segment import Segment
from bongsu.runs.attend import attend
from bongsu.runs.capture import Capture
from bongsu.runs.launch import Launch, exec_failed, original_environment
from bongsu.runs.plan import Plan
from bongsu.runs.recorder import Recorder
from bongsu.runs.saying import say
from bongsu.runs.signals import Signals, Witness, take
from bongsu.runs.watch import Watch

OUR_FAILURE = 125  # as env(1), timeout(1) and nohup(1)
_START_UP = "import sys; sys.path.insert(0, sys.argv[1]); from bongsu.runs.monitor import main; main(int(sys.argv[2]))"
_SET_CHILD_SUBREAPER, _SET_NAME = 36, 15  # prctl(2)
_LOCK_TRIES = 100  # a hundredth of a second each


def become(plan: Plan) -> NoReturn:
    """Replace this process by the monitor of the plan.

    Raises:
        OSError: the interpreter cannot be executed.
    """
    fd = plan.sealed()
    os.set_inheritable(fd, True)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    argv = [sys.executable, "-I", "-S", "-c", _START_UP, package, str(fd)]
    os.execve(sys.executable, argv, original_environment())  # noqa: S606  no shell: that is the point


def main(fd: int) -> NoReturn:
    """Record the run whose plan the descriptor holds, and end with the command's exit code."""
    plan = Plan.opened(fd)
    signals = Signals()
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_NAME, b"bongsu-run", 0, 0, 0)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        if plan.report_folder_to >= 0:
            os.set_inheritable(plan.report_folder_to, False)  # the command has nothing to do with it
        segment = Segment(os.path.join(plan.folder, "record.seg"))
        hold(segment)
        if plan.attach:
            _attend(plan, signals, segment)
        _start(plan, signals, segment)
    except Exception as error:  # noqa: BLE001  nothing has begun yet: a record was asked for and cannot be had
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        if plan.attach:
            say(f"--attach {plan.attach}: {reason[:1].lower()}{reason[1:]}; nothing is recorded")
        else:
            say(f"{plan.folder}: {reason[:1].lower()}{reason[1:]}; {plan.argv[0]} was not started")
        _forget(plan.folder)
        os._exit(OUR_FAILURE)


def hold(segment: Segment) -> None:
    """Lock the record for as long as we live: so readers know that the run goes on.

    A reader can only ask by locking it too, for an instant; that is waited for, but not for ever.
    """
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(segment.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return  # a file system without locks: readers then say what they can
        else:
            return


def _attend(plan: Plan, signals: Signals, segment: Segment) -> NoReturn:
    pidfd = os.pidfd_open(plan.attach)
    recorder = Recorder(plan, segment, plan.attach)
    _report_folder(plan)
    code, trouble = attend(plan, recorder, signals, pidfd)
    _conclude(plan, trouble)
    os._exit(code)


def _start(plan: Plan, signals: Signals, segment: Segment) -> NoReturn:
    capture = Capture(plan.folder, plan.closed) if plan.capture else None
    witness = Witness()
    environment = original_environment() | {os.fsencode(k): os.fsencode(v) for k, v in plan.environment.items()}
    streams = capture.streams if capture else {}
    plan = plan._replace(started_boottime=time.clock_gettime(time.CLOCK_BOOTTIME))  # what we took is not the command's
    launch = Launch(plan.argv, environment, signals.mask, signals.ignored, streams, plan.closed)
    try:
        recorder = Recorder(plan, segment, launch.pid)
        watch = Watch(plan, launch.pid, recorder, signals, witness, capture)
    except BaseException:
        launch.call_off()
        raise
    failed = launch.go()
    if failed:
        say(f"{plan.argv[0] or repr('')}: {os.strerror(failed).lower()}")
    else:
        _report_folder(plan)
    trouble = ""
    try:
        code = watch.until_the_end(exec_failed(failed) if failed else None)
    except Exception as error:  # noqa: BLE001  a fault of ours: the command goes on, and its end is still waited for
        trouble = f"{type(error).__name__}: {error}"
        code = _waited(launch.pid)
    witness.dismiss()
    if failed:
        _forget(plan.folder)
    else:
        _conclude(plan, trouble or watch.trouble)
    if watch.interrupted:  # at the terminal, with us: a shell that runs a loop looks for just this before it goes on
        take(watch.interrupted)
    os._exit(code)  # nothing of ours may change the code any more


def _waited(pid: int) -> int:
    """The exit code of the command, as the shell sees it."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return OUR_FAILURE  # reaped already, and lost
    return code if code >= 0 else 128 - code


def _report_folder(plan: Plan) -> None:
    """Tell who asked for it where the record lies, now that there is one."""
    if plan.report_folder_to >= 0:
        with contextlib.suppress(OSError):
            os.write(plan.report_folder_to, os.fsencode(plan.folder) + b"\n")
            os.close(plan.report_folder_to)


def _forget(folder: str) -> None:
    """Remove the folder of a run that never was."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)


def _conclude(plan: Plan, trouble: str) -> None:
    """Sum up what was recorded; what fails here must not become the command's failure."""
    if trouble:
        say(f"something of this run could not be recorded: {trouble}")
    sys.path[:] = plan.path
    try:
        from bongsu.runs.ending import conclude  # noqa: PLC0415  large, so only now that nothing is watched any more

        conclude(plan)
    except Exception as error:  # noqa: BLE001  whatever it is: the command's exit code stands
        say(f"the report could not be made: {type(error).__name__}: {error}; try: bongsu report recover {plan.run}")
