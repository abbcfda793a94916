"""What every Prometheus client says about its own process, here about Bongsu."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator

from bongsu import __version__
from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs.process import PAGE_BYTES, TICKS_PER_SECOND, boot_time, parse_stat
from bongsu.sources.root import Machine, Root

CPU_SECONDS = MetricSpec(
    "process_cpu_seconds_total", Kind.COUNTER, "CPU time, user and system, that Bongsu's process has used.",
    unit="seconds", vocabulary=Vocabulary.CLIENT,
)  # fmt: skip
RESIDENT_BYTES = MetricSpec(
    "process_resident_memory_bytes", Kind.GAUGE, "Resident memory of Bongsu's process.",
    unit="bytes", vocabulary=Vocabulary.CLIENT,
)  # fmt: skip
VIRTUAL_BYTES = MetricSpec(
    "process_virtual_memory_bytes", Kind.GAUGE, "Address space of Bongsu's process.",
    unit="bytes", vocabulary=Vocabulary.CLIENT,
)  # fmt: skip
VIRTUAL_MAX_BYTES = MetricSpec(
    "process_virtual_memory_max_bytes", Kind.GAUGE,
    "Address space that Bongsu's process may have; without a limit 2 to the power of 64, less one, as the Go client says.",
    unit="bytes", vocabulary=Vocabulary.CLIENT,
)  # fmt: skip
OPEN_FDS = MetricSpec(
    "process_open_fds", Kind.GAUGE, "File descriptors that Bongsu's process holds.", vocabulary=Vocabulary.CLIENT
)
MAX_FDS = MetricSpec(
    "process_max_fds", Kind.GAUGE, "File descriptors that Bongsu's process may hold.", vocabulary=Vocabulary.CLIENT
)
START_TIME = MetricSpec(
    "process_start_time_seconds", Kind.GAUGE, "Unix time at which Bongsu's process started.",
    unit="seconds", vocabulary=Vocabulary.CLIENT,
)  # fmt: skip
BUILD = MetricSpec(
    "bongsu_build_info", Kind.INFO, "Which Bongsu this is, and the Python it runs on.", ("version", "python"), "info"
)
_NO_LIMIT = 2**64 - 1


class ExporterCollector:
    """Bongsu's own process: CPU, memory, file descriptors, start, version."""

    name = "exporter"
    specs = (
        CPU_SECONDS, RESIDENT_BYTES, VIRTUAL_BYTES, VIRTUAL_MAX_BYTES, OPEN_FDS, MAX_FDS, START_TIME, BUILD,
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:  # noqa: ARG002  we live in our own /proc, whichever machine is read
        self._proc = Root("/proc")
        self._start: float | None = None

    def collect(self) -> Iterator[Sample]:
        """One sample of each."""
        stat = parse_stat(self._proc.read_once("self/stat"))
        if self._start is None:
            self._start = boot_time(self._proc) + stat.start_ticks / TICKS_PER_SECOND
        pages = self._proc.read_once("self/statm").split(None, 2)
        yield Sample(CPU_SECONDS, (), time.process_time())
        yield Sample(RESIDENT_BYTES, (), int(pages[1]) * PAGE_BYTES)
        yield Sample(VIRTUAL_BYTES, (), stat.virtual_bytes)
        yield Sample(VIRTUAL_MAX_BYTES, (), _limit(resource.RLIMIT_AS))
        yield Sample(OPEN_FDS, (), len(os.listdir("/proc/self/fd")) - 1)  # one is the listing's own
        yield Sample(MAX_FDS, (), _limit(resource.RLIMIT_NOFILE))
        yield Sample(START_TIME, (), self._start)
        yield Sample(BUILD, (__version__, platform.python_version()), 1)


def _limit(which: int) -> int:
    soft, _ = resource.getrlimit(which)
    return _NO_LIMIT if soft == resource.RLIM_INFINITY else soft
