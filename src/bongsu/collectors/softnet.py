"""What each CPU does with incoming packets."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import softnet
from bongsu.sources.root import Machine

PROCESSED = MetricSpec(
    "node_softnet_processed_total", Kind.COUNTER, "Packets taken in by the CPU.", ("cpu",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
DROPPED = MetricSpec(
    "node_softnet_dropped_total", Kind.COUNTER, "Packets lost because the CPU's queue was full.", ("cpu",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
SQUEEZED = MetricSpec(
    "node_softnet_times_squeezed_total", Kind.COUNTER,
    "Times that the CPU had to leave packets for later, for lack of budget or time.", ("cpu",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class SoftnetCollector:
    """Packets taken in, dropped and put off by each CPU."""

    name = "softnet"
    specs = (PROCESSED, DROPPED, SQUEEZED)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc
        self._labels: dict[int, tuple[str]] = {}

    def collect(self) -> Iterator[Sample]:
        """Three samples per CPU. An old kernel does not say which CPU a line is of: there it is the line's place."""
        try:
            lines = softnet.read(self._proc)
        except FileNotFoundError:
            raise NoData(Message("this kernel has no network")) from None
        for place, (cpu, processed, dropped, squeezed) in enumerate(lines):
            number = place if cpu is None else cpu
            labels = self._labels.get(number)
            if labels is None:
                labels = self._labels[number] = (str(number),)
            yield Sample(PROCESSED, labels, processed)
            yield Sample(DROPPED, labels, dropped)
            yield Sample(SQUEEZED, labels, squeezed)
