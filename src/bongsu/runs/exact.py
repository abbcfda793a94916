"""The CPU time of a run's whole tree, by every way that this machine has, and which of them is the answer.

The ways, in order: the run's own control group (``cgroup``), the inherited counter (``perf``), what was waited for by
the monitor as its tree's subreaper (``wait4``), and what readings of /proc saw (``sampled``). None of them counts
anything twice, so each is a lower bound, and where two disagree the larger one saw what the other missed:

* a group misses who leaves it (a service manager, a container's runtime);
* the counter misses who executes a set-user-ID program, and on newer kernels the last 0.2 ms of each process;
* waiting misses who is not waited for (children of a parent that ignores SIGCHLD) and who lives on;
* sampling misses who is short-lived.

The answer is the first in order; ``wait4`` instead of ``perf`` where it is larger; a later one instead of the group,
and ``sampled`` instead of any, only where it is larger by more than a hundredth and two clock ticks (it is rounded).

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Final, NamedTuple

from bongsu.runs.group import Group, Memory
from bongsu.runs.plan import Plan
from bongsu.sources.perf_event import NoCounter, TaskClock

ORDER: tuple[str, ...] = ("cgroup", "perf", "wait4", "sampled")
_SURELY: Final = 1.01  # times another way's seconds, and
_TWO_TICKS_SECONDS: Final = 2 / os.sysconf("SC_CLK_TCK")  # more: what is above that is more than rounding


class Answer(NamedTuple):
    """CPU seconds of the tree, the way that gave them ("" if none did), and what each way gave."""

    seconds: float | None
    source: str
    sources: dict[str, float]


class Exact:
    """The exact counters of one run, from just before its command is executed until it is given up.

    Attributes:
        refused: way → why it is not there.
        keeper: a child of ours that does not belong to the run; 0 if there is none.
    """

    def __init__(self, group: Group | None, clock: TaskClock | None, refused: dict[str, str], before: float) -> None:
        self._group = group
        self._clock = clock
        self._before = before  # seconds that the first process had used as a part of the monitor
        self.refused = refused
        self.keeper = group.keeper if group else 0

    @classmethod
    def open(cls, pid: int, plan: Plan) -> Exact:
        """Count this child, which is held before its execve(2), or the process that the plan attaches to.

        The user's systemd is asked for a scope only where nothing else counts exactly (see `Group.make_scope`).
        A process that runs already is not moved to a group; the seconds are those since now.
        """
        refused: dict[str, str] = {}
        group: Group | str = "a process that runs already is left in its group"
        clock: TaskClock | None = None
        try:
            clock = TaskClock.attach(pid) if plan.attach else TaskClock.open(pid)
        except (NoCounter, OSError) as error:
            refused["perf"] = str(error)
        if not plan.attach:
            group = Group.make(plan.run, pid)
            if isinstance(group, str) and clock is None:
                scope = Group.make_scope(plan.run, pid)
                group = f"{group}; {scope}" if isinstance(scope, str) else scope
        if isinstance(group, str):
            refused["cgroup"] = group
        before = 0.0
        if not plan.attach:
            with contextlib.suppress(OSError):
                before = time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)
        return cls(None if isinstance(group, str) else group, clock, refused, before)

    def read(self) -> Answer:
        """What the counters say now, without waiting and sampling: no way gives None."""
        found: dict[str, float] = {}
        if self._group and (cpu := self._group.cpu()) is not None:
            found["cgroup"] = cpu.total
        if self._clock:
            with contextlib.suppress(OSError):
                found["perf"] = self._clock.read()
        return choose(found)

    def final(self, *, waited: float | None = None, sampled: float | None = None) -> Answer:
        """The answer, given also what the monitor waited for and what its readings attributed (s)."""
        found = self.read().sources
        if waited is not None:
            found["wait4"] = max(0.0, waited - self._before)
        if sampled is not None:
            found["sampled"] = sampled
        return choose(found)

    def split(self) -> tuple[float, float] | None:
        """Seconds in user mode and in the kernel, where the run has a group."""
        cpu = self._group.cpu() if self._group else None
        return None if cpu is None or cpu.user is None or cpu.system is None else (cpu.user, cpu.system)

    def memory(self) -> Memory:
        """What the run's group is charged with; all None where it has none."""
        return self._group.memory() if self._group else Memory()

    def close(self) -> None:
        """Give all up; of the group nothing is left."""
        if self._clock:
            self._clock.close()
        if self._group:
            self._group.close()


def choose(sources: dict[str, float]) -> Answer:
    """Which of several ways is the answer (see the module)."""
    ordered = {way: sources[way] for way in ORDER if way in sources}
    best = ""
    for way, seconds in ordered.items():
        need = 0.0 if not best else ordered[best]
        if best and not (best == "perf" and way == "wait4"):
            need = need * _SURELY + _TWO_TICKS_SECONDS
        if not best or seconds > need:
            best = way
    return Answer(ordered[best] if best else None, best, ordered)
