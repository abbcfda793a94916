"""A day of recording in a minute or two: what its readings cost, what the monitor's memory grows by, what the record holds.

The clock is made up and everything else is real: a recorder in a bare interpreter, as the monitor of a run is, reads a real
tree of processes as often as it would in a day, without waiting in between.
"""

# ruff: noqa: PLC0415, SLF001  the child imports what the parent has no use for, and looks inside

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
DAY = 86_400
_HOLD = (
    "import os, time\nfor _ in range({count}):\n if os.fork() == 0: time.sleep(3600); os._exit(0)\ntime.sleep(3600)\n"
)
_CHURN = (
    "import os, random, time\nliving = 0\nwhile True:\n"
    " if os.fork() == 0: time.sleep(random.random() / 50); os._exit(0)\n"
    " living += 1\n if living > {count}: os.wait(); living -= 1\n"
)


def simulate(program: str, count: int, interval: float, readings: int, *, busy: bool = False) -> dict[str, float]:
    """Read a program's tree so often; ``busy``: as if every process had done something each time, without reading it."""
    told = json.dumps([program.format(count=count), count, interval, readings, busy])
    argv = [sys.executable, "-I", "-S", __file__, str(SOURCE), told]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _simulate(program: str, count: int, interval: float, readings: int, busy: bool) -> dict[str, float]:
    from bongsu.records.segment import Segment
    from bongsu.runs.launch import Launch, original_environment
    from bongsu.runs.member import Member
    from bongsu.runs.plan import Plan
    from bongsu.runs.recorder import Recorder

    now = 0.0
    argv = (sys.executable, "-I", "-S", "-c", program)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "record.seg")
        launch = Launch(argv, original_environment(), streams=dict.fromkeys((0, 1, 2), os.open(os.devnull, os.O_RDWR)))
        plan = Plan(folder=folder, run="day", argv=argv, interval_seconds=interval)
        recorder = Recorder(plan, Segment(path), launch.pid)
        journal = recorder._journal  # its clock is the only thing that is made up
        launch.go()
        began = time.monotonic()
        while len(recorder._members) <= min(count, 50) and time.monotonic() - began < 60:
            time.sleep(0.5)
            recorder.sample()
        first = time.thread_time()
        journal.now = lambda: round(now, 3)  # type: ignore[method-assign]  # as said
        recorder._slow.due = now
        if busy:
            recorder._slow.due = float("inf")  # what takes long to read adds no lines
            recorder._tree.read = lambda **_: ([], [])  # type: ignore[method-assign]  # nothing is read: all have changed
            kept, numbers = Member.use, iter(range(10**12))
            Member.use = lambda self: (next(numbers) / 1000, *kept(self)[1:])  # type: ignore[method-assign]  # as said
        sizes: list[int] = []
        for number in range(readings):
            now += interval
            for member in recorder._members.values() if busy else ():
                member.kept_back = True  # there is news of it
            recorder.take()
            recorder.sample()
            if number in (readings // 10, readings - 1):
                sizes.append(_resident())
        used = time.thread_time() - first
        latest, size = recorder.latest, os.path.getsize(path)
        for pid in recorder._tree.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(launch.pid, 0)
    return {
        "share": used / (readings * interval), "growth": sizes[-1] - sizes[0], "bytes": size,
        "started": float(latest["started"] or 0), "first_seconds": first,
    }  # fmt: skip


def _resident() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print a day's figures with their goals."""
    rare = simulate(_HOLD, 200, 60.0, 24 * 60)
    print(
        f"200 sleeping children @60 s, a day: {rare['share']:.4%} of a core, goal ≤ 0.01 %: "
        f"{'met' if rare['share'] <= 1e-4 else 'NOT MET'} (once, before that: {rare['first_seconds'] * 1000:.0f} ms)"
    )
    churn = simulate(_CHURN, 20, 1.0, DAY)
    print(
        f"a churning tree @1 s, a day's {DAY} readings, {churn['started']:.0f} processes: memory grows by "
        f"{churn['growth'] / 2**20:.2f} MiB, goal ≤ 1: {'met' if churn['growth'] <= 2**20 else 'NOT MET'}; "
        f"record {churn['bytes'] / 1e6:.1f} MB"
    )
    busy = simulate(_HOLD, 200, 1.0, DAY, busy=True)
    print(
        f"200 busy processes @1 s, a day: record {busy['bytes'] / 1e6:.1f} MB, goal ≤ 30: "
        f"{'met' if busy['bytes'] <= 30e6 else 'NOT MET'}"
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.path.insert(0, sys.argv[1])
        print(json.dumps(_simulate(*json.loads(sys.argv[2]))))
    else:
        main()
