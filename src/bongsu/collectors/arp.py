"""How many neighbours each network interface knows."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.filter import NameFilter
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import arp
from bongsu.sources.root import Machine

ENTRIES = MetricSpec(
    "node_arp_entries", Kind.GAUGE, "Entries of the ARP table: neighbours known or looked for.", ("device",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class ArpCollector:
    """ARP entries by network interface; a table near net.ipv4.neigh.default.gc_thresh3 drops connections."""

    name = "arp"
    specs = (ENTRIES,)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, device_include: str = "", device_exclude: str = "") -> None:
        self._proc = machine.proc
        self._filter = NameFilter("--collector.arp.device", include=device_include, exclude=device_exclude)

    def collect(self) -> Iterator[Sample]:
        """A sample for each interface that has entries."""
        try:
            entries = arp.read(self._proc)
        except FileNotFoundError:
            raise NoData(Message("no /proc/net/arp: the kernel has no IPv4")) from None
        for name, count in entries.items():
            device = name.decode("utf-8", "surrogateescape")
            if self._filter.passes(device):
                yield Sample(ENTRIES, (device,), count)
