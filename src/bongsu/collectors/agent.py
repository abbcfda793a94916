"""What Bongsu's own process uses and how its clock fares; only the agent has this collector."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bongsu import __version__
from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Root

_CLIENT = Vocabulary.CLIENT
CPU = MetricSpec(
    "process_cpu_seconds_total", Kind.COUNTER, "CPU time that this process has used, in user and system mode.",
    (), "seconds", _CLIENT,
)  # fmt: skip
RESIDENT = MetricSpec(
    "process_resident_memory_bytes", Kind.GAUGE, "Memory of this process that is in RAM.", (), "bytes", _CLIENT
)
VIRTUAL = MetricSpec("process_virtual_memory_bytes", Kind.GAUGE, "Address space of this process.", (), "bytes", _CLIENT)
VIRTUAL_MAX = MetricSpec(
    "process_virtual_memory_max_bytes", Kind.GAUGE, "Most address space that this process may have.",
    (), "bytes", _CLIENT,
)  # fmt: skip
OPEN_FDS = MetricSpec(
    "process_open_fds", Kind.GAUGE, "File descriptors that this process holds open.", vocabulary=_CLIENT
)
MAX_FDS = MetricSpec("process_max_fds", Kind.GAUGE, "File descriptors that this process may open.", vocabulary=_CLIENT)
START_TIME = MetricSpec(
    "process_start_time_seconds", Kind.GAUGE, "Unix time at which this process started.", (), "seconds", _CLIENT
)
BUILD = MetricSpec(
    "bongsu_build_info", Kind.INFO, "The version of Bongsu and of the Python that runs it.",
    ("version", "python_version"),
)  # fmt: skip
TICKS = MetricSpec("bongsu_agent_ticks_total", Kind.COUNTER, "Rounds that the agent's clock has started.")
MISSED = MetricSpec(
    "bongsu_agent_missed_ticks_total", Kind.COUNTER,
    "Rounds left out because the one before had not ended: the interval is too short for this machine.",
)  # fmt: skip
RELOADS = MetricSpec(
    "bongsu_agent_reloads_total", Kind.COUNTER, "Reloads of the settings, by how they ended.", ("outcome",)
)
INTERVAL = MetricSpec(
    "bongsu_agent_interval_seconds", Kind.GAUGE, "Time between two rounds of the agent's clock.", (), "seconds"
)
_UNLIMITED = float(2**64)  # what the Go client says, and so what dashboards expect


@dataclass(slots=True)
class AgentCounts:
    """What the agent's clock has done since the start."""

    interval: float = 0.0
    ticks: int = 0
    missed: int = 0
    reloads: int = 0
    failed_reloads: int = 0


class AgentCollector:
    """Bongsu's own process: CPU, memory, descriptors, and the agent's clock."""

    name = "agent"
    specs = (
        CPU, RESIDENT, VIRTUAL, VIRTUAL_MAX, OPEN_FDS, MAX_FDS, START_TIME, BUILD, TICKS, MISSED, RELOADS, INTERVAL,
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, counts: AgentCounts) -> None:
        self._counts = counts
        self._proc = Root("/proc")  # this process is never on another machine, wherever --procfs points
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._build = (__version__, platform.python_version())
        self._start = _start_time(self._proc)

    def collect(self) -> Iterator[Sample]:
        """About a dozen samples. Facts: getrusage(2), getrlimit(2), proc_pid_statm(5)."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        virtual, resident = self._proc.read_once("self/statm").split()[:2]
        yield Sample(CPU, (), usage.ru_utime + usage.ru_stime)
        yield Sample(RESIDENT, (), int(resident) * self._page)
        yield Sample(VIRTUAL, (), int(virtual) * self._page)
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        yield Sample(VIRTUAL_MAX, (), _UNLIMITED if limit == resource.RLIM_INFINITY else limit)
        yield Sample(OPEN_FDS, (), len(os.listdir("/proc/self/fd")) - 1)  # one is that of the listing itself
        yield Sample(MAX_FDS, (), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        yield Sample(START_TIME, (), self._start)
        yield Sample(BUILD, self._build, 1)
        counts = self._counts
        yield Sample(TICKS, (), counts.ticks)
        yield Sample(MISSED, (), counts.missed)
        yield Sample(RELOADS, ("done",), counts.reloads)
        yield Sample(RELOADS, ("refused",), counts.failed_reloads)
        yield Sample(INTERVAL, (), counts.interval)


def _start_time(proc: Root) -> float:
    """Unix time of this process's start: field 22 of /proc/self/stat counts clock ticks since boot."""
    ticks = int(proc.read_once("self/stat").rpartition(b")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age
