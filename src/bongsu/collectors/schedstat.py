"""How long tasks ran and waited on each CPU."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import schedstat
from bongsu.sources.root import Machine

RUNNING = MetricSpec(
    "node_schedstat_running_seconds_total", Kind.COUNTER, "Time that the CPU ran tasks.", ("cpu",), "seconds",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
WAITING = MetricSpec(
    "node_schedstat_waiting_seconds_total", Kind.COUNTER,
    "Time that tasks were ready and waited for the CPU, summed over tasks.",
    ("cpu",), "seconds", Vocabulary.NODE_EXPORTER,
)  # fmt: skip
TIMESLICES = MetricSpec(
    "node_schedstat_timeslices_total", Kind.COUNTER, "Turns that tasks had on the CPU.", ("cpu",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class SchedstatCollector:
    """Running and waiting time by CPU, from /proc/schedstat."""

    name = "schedstat"
    specs = (RUNNING, WAITING, TIMESLICES)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc
        self._labels: dict[bytes, tuple[str]] = {}

    def collect(self) -> Iterator[Sample]:
        """Three samples per CPU."""
        try:
            cpus = schedstat.read(self._proc)
        except FileNotFoundError:
            raise NoData(
                Message("this kernel keeps no scheduler statistics: it is built without CONFIG_SCHEDSTATS")
            ) from None
        for cpu, running, waiting, timeslices in cpus:
            labels = self._labels.get(cpu)
            if labels is None:
                labels = self._labels[cpu] = (cpu.decode(),)
            yield Sample(RUNNING, labels, running / 1e9)
            yield Sample(WAITING, labels, waiting / 1e9)
            yield Sample(TIMESLICES, labels, timeslices)
