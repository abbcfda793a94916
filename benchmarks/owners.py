"""Owners of a thousand processes in two hundred cgroups: CPU time for a new pid, a known one, and a whole pass.

Real processes in real cgroups of kubelet's, Slurm's and systemd's shapes, made as root. A new pid is one whose cgroup
may be new too, read and verified; a known one is what every later pass meets. Goals: 100 µs, 5 µs, 25 ms a pass.
There is no anchor: no other tool joins these.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from bongsu.owners import slurm
from bongsu.owners.numbered import Numbered
from bongsu.owners.resolver import Resolver
from bongsu.sources.procfs.process import Process, Processes
from bongsu.sources.root import Machine
from measure import spread
from real_cgroups import cgroups

PROCESSES, CGROUPS, ROUNDS = 1000, 200, 9
NUMBERED = 100  # processes of which a driver tells the numbers
NEW_US, KNOWN_US, PASS_MS = 100.0, 5.0, 25.0


def _path(number: int) -> str:
    """One of four shapes in turn."""
    pod = f"{number:08x}-8815-4ef0-9a2e-f9e37b89da55"
    return (
        f"kubepods/burstable/pod{pod}/{number:064x}",
        f"slurm_node1/uid_1000/job_{number}/step_0/task_0",
        f"docker/{number:064x}",
        f"u{number}.service",
    )[number % 4]


def _goal(value: float, goal: float, unit: str) -> str:
    return f"goal ≤ {goal:g} {unit}: {'met' if value <= goal else 'NOT MET'}"


def _microseconds(resolver: Resolver, processes: list[Process]) -> float:
    before = time.process_time()
    resolver.resolve(processes)
    return (time.process_time() - before) / len(processes) * 1e6


def main() -> None:
    """Print the medians."""
    machine = Machine.at()
    new: list[float] = []
    new_in_known: list[float] = []
    known: list[float] = []
    read: list[float] = []
    whole: list[float] = []
    with cgroups() as made:
        pids = {made.sleeper(_path(number % CGROUPS)) for number in range(PROCESSES)}
        time.sleep(11)  # the young are looked at each time
        reader = Processes(machine.proc)
        for _ in range(ROUNDS):
            processes = [process for process in reader.scan() if process.pid in pids]
            resolver = Resolver(machine, jobs=slurm.Jobs(machine))
            resolver.resolve(processes[:1])
            new.append(_microseconds(resolver, processes[1:]))
            resolver._entries.clear()  # noqa: SLF001  what it knows of processes, not of cgroups
            new_in_known.append(_microseconds(resolver, processes))
            known.append(statistics.median(_microseconds(resolver, processes) for _ in range(5)))
            few = [process.pid for process in processes[:NUMBERED]]
            numbered = Numbered(machine, resolver)
            numbered.resolve(few)
            for _ in range(5):
                before = time.process_time()
                assert len(numbered.resolve(few)) == NUMBERED
                read.append((time.process_time() - before) / NUMBERED * 1e6)
        # A minute of passes, one every 5 s, with all that is looked at again in that time, on a clock that runs ahead.
        start = time.monotonic()
        for tick in range(12):
            with mock.patch("time.monotonic", return_value=start + 5 * tick):
                before = time.process_time()
                resolver.resolve(processes)
                whole.append((time.process_time() - before) * 1000)
    print(f"{len(processes)} processes in {CGROUPS} cgroups, load {os.getloadavg()[0]:.1f}")
    print(f"new pid, mostly in a new cgroup: {spread(new)} µs; {_goal(statistics.median(new), NEW_US, 'µs')}")
    print(
        f"new pid in a known cgroup: {spread(new_in_known)} µs; {_goal(statistics.median(new_in_known), NEW_US, 'µs')}"
    )
    print(
        f"known pid, start time as the caller's scan read it: {spread(known)} µs; {_goal(statistics.median(known), KNOWN_US, 'µs')}"
    )
    print(
        f"known number of {NUMBERED}, its start time read again: {spread(read)} µs; {_goal(statistics.median(read), KNOWN_US, 'µs')}"
    )
    print(
        f"a pass every 5 s, looking again included: {spread(whole)} ms; {_goal(statistics.median(whole), PASS_MS, 'ms')}"
    )


if __name__ == "__main__":
    main()
