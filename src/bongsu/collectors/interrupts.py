"""Interrupts by CPU and device."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import interrupts
from bongsu.sources.root import Machine

INTERRUPTS = MetricSpec(
    "node_interrupts_total", Kind.COUNTER, "Interrupts since boot, by CPU and source.",
    ("cpu", "type", "info", "devices"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class InterruptsCollector:
    """Interrupts by CPU and device; off by default, since each CPU adds a series per interrupt."""

    name = "interrupts"
    specs = (INTERRUPTS,)
    may_block = False
    on_by_default = False

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc
        self._labels: dict[tuple[bytes, bytes], list[tuple[str, str, str, str]]] = {}
        self._cpus: tuple[str, ...] = ()

    def collect(self) -> Iterator[Sample]:
        """A sample per CPU and interrupt."""
        cpus, lines = interrupts.read(self._proc)
        if cpus != self._cpus:
            self._labels.clear()
            self._cpus = cpus
        for line in lines:
            name, words, per_cpu = line
            labels = self._labels.get((name, words))
            if labels is None:
                source = interrupts.source(line)
                labels = self._labels[name, words] = [(cpu, *source) for cpu in cpus]
            yield from map(Sample, repeat(INTERRUPTS), labels, per_cpu)
