"""How many bytes wait in the queues of UDP sockets."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import sockets
from bongsu.sources.root import Machine

QUEUES = MetricSpec(
    "node_udp_queues", Kind.GAUGE, "Memory that waiting UDP datagrams hold, in bytes.", ("queue", "ip"),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
_FILES = (("net/udp", ("tx", "v4"), ("rx", "v4")), ("net/udp6", ("tx", "v6"), ("rx", "v6")))


class UdpQueuesCollector:
    """Bytes that wait in the queues of UDP sockets: a growing rx queue means a program that reads too slowly."""

    name = "udp_queues"
    specs = (QUEUES,)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """A sample for each direction and version of IP that the kernel has."""
        found = False
        for path, sent, received in _FILES:
            try:
                queues = sockets.read(self._proc, path)
            except FileNotFoundError:
                continue
            found = True
            yield Sample(QUEUES, sent, queues.sent)
            yield Sample(QUEUES, received, queues.received)
        if not found:
            raise NoData(Message("no /proc/net/udp: the kernel has neither IPv4 nor IPv6"))
