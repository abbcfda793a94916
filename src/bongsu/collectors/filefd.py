"""Open files of the whole machine."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import filefd
from bongsu.sources.root import Machine

ALLOCATED = MetricSpec(
    "node_filefd_allocated", Kind.GAUGE, "Open file handles of the whole machine.", vocabulary=Vocabulary.NODE_EXPORTER
)
MAXIMUM = MetricSpec(
    "node_filefd_maximum", Kind.GAUGE, "How many file handles the machine may have open.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class FilefdCollector:
    """Open file handles of the machine, and their limit."""

    name = "filefd"
    specs = (ALLOCATED, MAXIMUM)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """Handles and limit."""
        allocated, maximum = filefd.read(self._proc)
        yield Sample(ALLOCATED, (), allocated)
        yield Sample(MAXIMUM, (), maximum)
