"""Load averages."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import loadavg
from bongsu.sources.root import Machine

LOAD1 = MetricSpec(
    "node_load1", Kind.GAUGE, "Tasks running or waiting for CPU or disk, averaged over 1 minute.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
LOAD5 = MetricSpec(
    "node_load5", Kind.GAUGE, "Tasks running or waiting for CPU or disk, averaged over 5 minutes.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
LOAD15 = MetricSpec(
    "node_load15", Kind.GAUGE, "Tasks running or waiting for CPU or disk, averaged over 15 minutes.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class LoadavgCollector:
    """Load averages from /proc/loadavg."""

    name = "loadavg"
    specs = (LOAD1, LOAD5, LOAD15)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """One sample for each average."""
        load = loadavg.read(self._proc)
        yield Sample(LOAD1, (), load.one)
        yield Sample(LOAD5, (), load.five)
        yield Sample(LOAD15, (), load.fifteen)
