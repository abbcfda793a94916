"""Nothing but the last interval is lost, whoever is killed, and whenever: 200 random kills of real runs."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bongsu.records import run_folder
from bongsu.runs import reporting
from cli.command import environment

INTERVAL = 0.1
_AT_ONCE, _ROUNDS = 10, 20
_TICK = 0.05  # of clocks, and of reading them one after the other
# Busy for a while, then asleep, each time with a line on the wall clock: what it did and when, and who else was slow.
PROGRAM = """
import os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    os.write(log, b"%d %.6f %.6f\\n" % (os.getpid(), time.time(), time.process_time()))
    until = time.process_time() + 0.002
    while time.process_time() < until:
        pass
    time.sleep(0.01)
"""


class Line:
    """What the program says of itself: its pid, the Unix time, its CPU time by then."""

    def __init__(self, text: str) -> None:
        pid, at, used = text.split()
        self.pid, self.at, self.used = int(pid), float(at), float(used)


def lines(log: Path) -> list[Line]:
    """Its whole lines so far."""
    with contextlib.suppress(FileNotFoundError):
        return [Line(text) for text in log.read_text().splitlines(keepends=True) if text.endswith("\n")]
    return []


def begun(log: Path, run: subprocess.Popen[bytes]) -> int:
    """The pid of the program when it runs."""
    for _ in range(6000):
        if there := lines(log):
            return there[0].pid
        assert run.poll() is None, f"bongsu run ended with {run.returncode}"
        time.sleep(0.01)
    raise AssertionError("the program did not begin")


def slowness(pid: int) -> float:
    """For how long a process has waited for a CPU and used one, in s (/proc/PID/schedstat): it cannot have been on time."""
    ran, waited, _slices = Path(f"/proc/{pid}/schedstat").read_text().split()
    return (int(ran) + int(waited)) / 1e9


def killed(place: Path, dice: random.Random) -> None:
    """One run, one kill, and what must be known after it."""
    place.mkdir()
    log = place / "log"
    argv = [
        sys.executable,
        "-m",
        "bongsu",
        "run",
        "--quiet",
        "--interval",
        str(INTERVAL),
        "--runs-dir",
        str(place / "runs"),
        "--",
    ]
    with subprocess.Popen(
        [*argv, sys.executable, "-S", "-c", PROGRAM, str(log)], env=environment(), stderr=subprocess.DEVNULL
    ) as run:
        program = 0
        try:
            program = begun(log, run)
            slow = slowness(run.pid)
            time.sleep(dice.uniform(0, 0.8))
            victims = dice.choice(([program], [run.pid], [program, run.pid], [run.pid, program]))
            at = time.time()
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)  # a wait for a CPU is counted when it is over
            slow = slowness(run.pid) - slow
            code = run.wait(60)
        finally:
            for pid in (program, run.pid):
                if pid and (pid == program or run.poll() is None):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
    (folder,) = (place / "runs").glob("2*")
    before = [line for line in lines(log) if line.at <= at]
    slow += max(longest_wait(one, before[0].at, at) for one in place.parent.glob("*/log"))
    _judge(folder, victims == [program], code, at, before, slow)


def longest_wait(log: Path, begin: float, end: float) -> float:
    """The longest that a program was not heard of in a stretch of time: a CPU or a disk had other things to do."""
    times = [begin, *(line.at for line in lines(log) if begin <= line.at <= end)]
    return max((after - before for before, after in itertools.pairwise(times)), default=0.0)


def _judge(folder: Path, program_alone: bool, code: int, at: float, said: list[Line], slack: float) -> None:
    first = reporting.recover(str(folder))
    assert not reporting.recover(str(folder)).changed
    made = reporting.read_run(str(folder))
    known = made.metadata
    assert known.state == first.state
    assert (run_folder.read_metadata(str(folder)) or known).command[0] == sys.executable
    assert made.summary.samples == len(made.samples)
    assert sum(event.what == "torn" for event in made.events) <= 1
    if program_alone:
        assert (code, known.state, known.exit_code, known.signal) == (137, "ended", 137, "SIGKILL")
    else:
        assert code == -signal.SIGKILL
        assert known.state in {"lost", "ended"}  # it may have come to write the end
    if known.state == "ended":
        assert known.exit_code == 137
        assert (known.ended or 0.0) >= said[-1].at - _TICK
        assert (made.summary.cpu.total_seconds or 0.0) >= said[-1].used * 0.9 - 2 * _TICK
        return
    assert known.exit_code is None
    seen = known.started + made.samples[-1].at_seconds if made.samples else said[0].at  # the first interval began then
    assert at - seen <= INTERVAL + slack + _TICK, "more than the last interval is lost"


@pytest.mark.parametrize("round_", range(_ROUNDS))
def test_random_kills_lose_no_more_than_the_last_interval(round_: int, tmp_path: Path) -> None:
    """The program, its monitor or both are killed at a random time: all but the last interval is there, by the program's own log."""
    failures: list[BaseException] = []

    def guarded(one: Callable[..., Any], *arguments: Any) -> None:
        try:
            one(*arguments)
        except BaseException as error:  # noqa: BLE001  told below, in the thread that pytest sees
            failures.append(error)

    seed = random.randrange(1 << 32)
    threads = [
        threading.Thread(target=guarded, args=(killed, tmp_path / str(number), random.Random(seed + number)))
        for number in range(_AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise AssertionError(
            f"round {round_}, seed {seed}: {len(failures)} of {_AT_ONCE}: {failures[0]!r}"
        ) from failures[0]
