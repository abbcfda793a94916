"""Pressure: how long tasks wait for CPU, disk and memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import pressure
from bongsu.sources.root import Machine


def _spec(name: str, text: str) -> MetricSpec:
    return MetricSpec(name, Kind.COUNTER, text, (), "seconds", Vocabulary.NODE_EXPORTER)


CPU_WAITING = _spec("node_pressure_cpu_waiting_seconds_total", "Time since boot in which some task waited for a CPU.")
IO_WAITING = _spec("node_pressure_io_waiting_seconds_total", "Time since boot in which some task waited for a disk.")
IO_STALLED = _spec(
    "node_pressure_io_stalled_seconds_total", "Time since boot in which all tasks that had work waited for disks."
)
MEMORY_WAITING = _spec(
    "node_pressure_memory_waiting_seconds_total", "Time since boot in which some task waited for memory."
)
MEMORY_STALLED = _spec(
    "node_pressure_memory_stalled_seconds_total", "Time since boot in which all tasks that had work waited for memory."
)

# CPU has a `full` line too, which for the whole machine is always zero (Documentation/accounting/psi.rst).
_RESOURCES: tuple[tuple[str, MetricSpec, MetricSpec | None], ...] = (
    ("cpu", CPU_WAITING, None),
    ("io", IO_WAITING, IO_STALLED),
    ("memory", MEMORY_WAITING, MEMORY_STALLED),
)


class PressureCollector:
    """How long tasks waited for CPU, disk and memory, from /proc/pressure."""

    name = "pressure"
    specs = (CPU_WAITING, IO_WAITING, IO_STALLED, MEMORY_WAITING, MEMORY_STALLED)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """A sample for each resource's waiting, and stalled, time."""
        for resource, waiting, stalled in _RESOURCES:
            try:
                some, full = pressure.read(self._proc, resource)
            except OSError as error:
                raise _none(error) from None
            if some is not None:
                yield Sample(waiting, (), some / 1000 / 1000)  # in two steps, for the same last digit as others
            if stalled is not None and full is not None:
                yield Sample(stalled, (), full / 1000 / 1000)


def _none(error: OSError) -> Exception:
    if error.errno == errno.ENOENT:
        return NoData(
            Message("this kernel does not measure pressure: it is older than 4.20 or built without CONFIG_PSI"),
            Message("start a kernel that has CONFIG_PSI"),
        )
    if error.errno == errno.EOPNOTSUPP:
        return NoData(
            Message("this kernel could measure pressure, but it was switched off when it started"),
            Message("add psi=1 to the kernel's command line and restart the machine"),
        )
    return error
