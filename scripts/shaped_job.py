"""Stands in for a job of Slurm's in pictures: real cgroups of the shape that slurmd makes, with programs under load in them.

Only root may do so, and only with cgroup v1's hierarchies or v2 mounted where systemd has them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

JOB = 4217
NAME = "train-resnet"
USER = 1000
CORES = 1.2
MEMORY_BYTES = 640 << 20
TASKS = 200
_TOP = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # us
_LIMITS_V1 = {
    "cpu": {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": int(CORES * _PERIOD)},
    "cpuacct": {}, "blkio": {}, "name=systemd": {},
    "memory": {"memory.limit_in_bytes": MEMORY_BYTES},
    "pids": {"pids.max": TASKS},
}  # fmt: skip
_LIMITS_V2 = {"cpu.max": f"{int(CORES * _PERIOD)} {_PERIOD}", "memory.max": MEMORY_BYTES, "pids.max": TASKS}
_PYTHON = "/usr/bin/python3"  # ours may lie where only we may go
# It waits until it has been moved, so that all it does is counted, and has the name of a program.
_START = """
import sys
sys.stdin.read()
open("/proc/self/comm", "w").write(sys.argv[2])
"""
# One computes, holds memory that grows, and writes what it has learned now and then; the others load data.
_TRAIN = """
import os, sys, tempfile, time
held, turn = [], 0
with tempfile.TemporaryFile(dir=sys.argv[1]) as kept:
    while True:
        turn += 1
        end = time.monotonic() + 2 + turn % 3
        while time.monotonic() < end:
            sum(i * i for i in range(20_000))
        if len(held) < 22:
            held.append(bytearray(os.urandom(1 << 20)) * 26)
        if turn % 4 == 0:
            kept.seek(0)
            for block in held[:1]:
                kept.write(block)
            kept.flush()
            os.fsync(kept.fileno())
        time.sleep(1 + turn % 2)
"""
_LOAD = """
import time
while True:
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        sum(i * i for i in range(20_000))
    time.sleep(0.5)
"""


def can() -> bool:
    """Whether this machine lets us: root, and a hierarchy with limits."""
    return os.geteuid() == 0 and ((_TOP / "memory").is_dir() or (_TOP / "cgroup.controllers").exists())


@contextlib.contextmanager
def shaped_job(folder: Path) -> Iterator[None]:
    """Runs until the end of the block; ``folder`` is where it may write."""
    own = folder / "job"
    own.mkdir()
    made: list[Path] = []
    environment = {**os.environ, "SLURM_JOB_ID": str(JOB), "SLURM_JOB_NAME": NAME, "SLURM_STEP_ID": "0"}
    os.chown(own, USER, USER)
    folder.chmod(0o711)  # the way there
    programs = []
    try:
        _limit(made)
        for text, name in ((_TRAIN, "train.py"), (_LOAD, "load.py"), (_LOAD, "load.py")):
            argv = [_PYTHON, "-c", _START + text, str(own), name]
            one = subprocess.Popen(argv, stdin=subprocess.PIPE, env=environment, user=USER, group=USER, extra_groups=())
            programs.append(one)
            for directory in made:
                (directory / "cgroup.procs").write_text(str(one.pid))
            assert one.stdin is not None
            one.stdin.close()
        yield
    finally:
        for one in programs:
            one.kill()
            one.wait()
        for directory in made:
            _remove(directory)


def _limit(made: list[Path]) -> None:
    """Make the directories of its step, one in each hierarchy; the limits are the job's."""
    if (_TOP / "cgroup.controllers").exists():
        step = _TOP / "system.slice/slurmstepd.scope" / f"job_{JOB}" / "step_0"
        step.mkdir(parents=True)
        made.append(step)
        for directory in reversed(step.parents[:3]):
            (directory / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        for file, value in _LIMITS_V2.items():
            (step.parent / file).write_text(str(value))
    else:
        for controller, limits in _LIMITS_V1.items():
            base = _TOP / controller.removeprefix("name=")
            if not base.is_dir():
                continue
            step = base / f"slurm/uid_{USER}/job_{JOB}/step_0"
            step.mkdir(parents=True)
            made.append(step)
            for file, value in limits.items():
                (step.parent / file).write_text(str(value))


def _remove(step: Path) -> None:
    """It and what was made above it, as far as nobody else is in there; the last program leaves a moment after its end."""
    until = time.monotonic() + 30
    for directory in (step, *step.parents):
        if directory.parent == _TOP:  # a hierarchy of v1, or system.slice
            return
        while directory.exists() and time.monotonic() < until:
            try:
                directory.rmdir()
            except OSError:
                if any(child.is_dir() for child in directory.iterdir()):
                    return
                time.sleep(0.05)
