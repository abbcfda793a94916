"""The kernel's random number generator."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import entropy
from bongsu.sources.root import Machine

AVAILABLE = MetricSpec(
    "node_entropy_available_bits", Kind.GAUGE, "Randomness that the kernel holds; always full since Linux 5.18.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
POOL_SIZE = MetricSpec(
    "node_entropy_pool_size_bits", Kind.GAUGE, "Randomness that the kernel can hold.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class EntropyCollector:
    """Randomness that the kernel holds."""

    name = "entropy"
    specs = (AVAILABLE, POOL_SIZE)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """The pool's content and size."""
        available, pool_size = entropy.read(self._proc)
        yield Sample(AVAILABLE, (), available)
        yield Sample(POOL_SIZE, (), pool_size)
