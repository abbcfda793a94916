"""Memory of each NUMA node."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.root import Machine, Root
from bongsu.sources.sysfs import meminfo_numa

MEMORY = MetricPattern(
    "node_memory_numa_{}", Kind.GAUGE, "The node's memory in bytes (HugePages in pages), as the field {} of its meminfo.",
    ("node",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
EVENTS = MetricPattern(
    "node_memory_numa_{}_total", Kind.COUNTER, "Pages handed out since boot, as the field {} of the node's numastat.",
    ("node",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

_PARENTHESES = re.compile(r"\((.*)\)")


class MeminfoNumaCollector:
    """Memory of each NUMA node, and where its pages were handed out."""

    name = "meminfo_numa"
    specs = (MEMORY, EVENTS)
    may_block = False
    on_by_default = False

    def __init__(self, machine: Machine) -> None:
        self._sys: Root = machine.sys
        self._memory: dict[bytes, MetricSpec] = {}
        self._events: dict[bytes, MetricSpec] = {}

    def collect(self) -> Iterator[Sample]:
        """A sample per node and field."""
        numbers = meminfo_numa.numbers(self._sys)
        if not numbers:
            raise NoData(Message("this kernel knows no NUMA nodes"))
        for number in numbers:
            try:
                memory, events = meminfo_numa.read(self._sys, number)
            except FileNotFoundError:
                continue  # its memory was taken out since the list was read
            labels = (number,)
            for name, value in memory:
                spec = self._memory.get(name)
                if spec is None:
                    spec = self._memory[name] = MEMORY.spec(_word(name))
                yield Sample(spec, labels, value)
            for name, value in events:
                spec = self._events.get(name)
                if spec is None:
                    spec = self._events[name] = EVENTS.spec(_word(name))
                yield Sample(spec, labels, value)


def _word(name: bytes) -> str:
    """The name for a metric: Active(anon): becomes Active_anon."""
    return _PARENTHESES.sub(r"_\1", name.decode("utf-8", "surrogateescape").rstrip(":"))
