"""What the kernel counts for the whole machine: interrupts, context switches, forks, tasks."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import stat
from bongsu.sources.root import Machine

INTERRUPTS = MetricSpec(
    "node_intr_total", Kind.COUNTER, "Interrupts served since boot.", vocabulary=Vocabulary.NODE_EXPORTER
)
CONTEXT_SWITCHES = MetricSpec(
    "node_context_switches_total", Kind.COUNTER, "Times that a CPU turned to another task since boot.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
FORKS = MetricSpec(
    "node_forks_total", Kind.COUNTER, "Processes and threads made since boot.", vocabulary=Vocabulary.NODE_EXPORTER
)
BOOT_TIME = MetricSpec(
    "node_boot_time_seconds", Kind.GAUGE, "When the machine started, in Unix time.", (), "seconds",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
PROCS_RUNNING = MetricSpec(
    "node_procs_running", Kind.GAUGE, "Tasks that run or wait for a CPU now.", vocabulary=Vocabulary.NODE_EXPORTER
)
PROCS_BLOCKED = MetricSpec(
    "node_procs_blocked", Kind.GAUGE, "Tasks that wait for disk now.", vocabulary=Vocabulary.NODE_EXPORTER
)
SOFTIRQS = MetricSpec(
    "node_softirqs_total", Kind.COUNTER, "Deferred interrupt work done since boot, by kind.", ("vector",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

_IN_ORDER = (INTERRUPTS, CONTEXT_SWITCHES, BOOT_TIME, FORKS, PROCS_RUNNING, PROCS_BLOCKED)  # as in stat.Totals
_VECTORS = tuple((vector,) for vector in stat.SOFTIRQS)


class StatCollector:
    """Interrupts, context switches, forks, running and blocked tasks, boot time.

    ``softirq`` adds the deferred interrupt work by kind.
    """

    name = "stat"
    specs = (*_IN_ORDER, SOFTIRQS)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, softirq: bool = False) -> None:
        self._proc = machine.proc
        self._softirq = softirq

    def collect(self) -> Iterator[Sample]:
        """A sample for each count that this kernel keeps."""
        *singles, softirqs = stat.totals(self._proc)
        for spec, value in zip(_IN_ORDER, singles, strict=True):
            if isinstance(value, int):
                yield Sample(spec, (), value)
        if self._softirq:
            for vector, value in zip(_VECTORS, softirqs, strict=False):
                yield Sample(SOFTIRQS, vector, value)
