"""What this machine's NFS client asks its servers, and how often it must ask again."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import nfs
from bongsu.sources.root import Machine


def _counter(word: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(f"node_nfs_{word}_total", Kind.COUNTER, text, labels, vocabulary=Vocabulary.NODE_EXPORTER)


PACKETS = _counter("packets", "Packets of the NFS client by protocol.", "protocol")
CONNECTIONS = _counter("connections", "TCP connections that the NFS client opened.")
RPCS = _counter("rpcs", "Calls that the NFS client made.")
RETRANSMISSIONS = _counter("rpc_retransmissions", "Calls that the NFS client sent again for want of an answer.")
REFRESHES = _counter("rpc_authentication_refreshes", "Times that the NFS client renewed its credentials.")
REQUESTS = _counter("requests", "Calls of the NFS client by version and procedure.", "proto", "method")

_PROCEDURES = tuple(
    (line, tuple((version, method) for method in methods))
    for line, version, methods in (
        ("proc2", "2", nfs.V2), ("proc3", "3", nfs.V3), ("proc4", "4", nfs.V4_CLIENT),
    )
)  # fmt: skip


class NfsCollector:
    """NFS client: calls by version and procedure, and retransmissions."""

    name = "nfs"
    specs = (PACKETS, CONNECTIONS, RPCS, RETRANSMISSIONS, REFRESHES, REQUESTS)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """A sample for each procedure that the kernel knows; a version that it does not know gives none."""
        try:
            lines = nfs.read(self._proc, "net/rpc/nfs")
        except (FileNotFoundError, NotADirectoryError):
            raise NoData(Message("no NFS client: its kernel module is not loaded, nothing is mounted by NFS")) from None
        if network := lines.get("net"):
            yield Sample(PACKETS, ("udp",), network[1])
            yield Sample(PACKETS, ("tcp",), network[2])
            yield Sample(CONNECTIONS, (), network[3])
        if calls := lines.get("rpc"):
            yield Sample(RPCS, (), calls[0])
            yield Sample(RETRANSMISSIONS, (), calls[1])
            yield Sample(REFRESHES, (), calls[2])
        for line, methods in _PROCEDURES:
            for labels, number in zip(methods, lines.get(line, ()), strict=False):
                yield Sample(REQUESTS, labels, number)
