"""The names of the machine and its kernel."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import uname
from bongsu.sources.root import Machine

INFO = MetricSpec(
    "node_uname_info", Kind.INFO, "What uname(2) says of the machine and its kernel.",
    ("sysname", "release", "version", "machine", "nodename", "domainname"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class UnameCollector:
    """Names of machine and kernel."""

    name = "uname"
    specs = (INFO,)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc
        self._kernel: uname.Kernel | None = None

    def collect(self) -> Iterator[Sample]:
        """One sample; the names are its labels."""
        if self._kernel is None:
            self._kernel = uname.kernel(self._proc)
        yield Sample(INFO, (*self._kernel, *uname.names(self._proc)), 1)
