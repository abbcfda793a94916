"""In which states the TCP connections are, and what waits in their queues."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources import netlink
from bongsu.sources.procfs import sockets
from bongsu.sources.root import Machine

STATES = MetricSpec(
    "node_tcp_connection_states", Kind.GAUGE,
    "TCP sockets by state; the states rx_queued_bytes and tx_queued_bytes are bytes not yet read or acknowledged.",
    ("state",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
_LABELS = {number: (name,) for number, name in sockets.TCP_STATES.items()}
_FAMILIES = (("net/tcp", socket.AF_INET), ("net/tcp6", socket.AF_INET6))


class TcpstatCollector:
    """TCP connections by state. Off by default: the kernel walks its whole table of connections for it.

    Asked over netlink (a fifth of what /proc/net/tcp costs), which is read where netlink is not allowed and on
    captured trees. Connections that wait at a listener are not counted as queued bytes.
    """

    name = "tcpstat"
    specs = (STATES,)
    may_block = False
    on_by_default = False

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """A sample for each state that a socket is in, and one for each direction's queue."""
        states: dict[tuple[str], int] = {}
        received = sent = 0
        for path, family in _FAMILIES:
            found = self._ask(family)
            if found is None:
                try:
                    found = sockets.read(self._proc, path)
                except FileNotFoundError:
                    if path == "net/tcp":
                        raise
                    continue  # a kernel without IPv6
            for number, count in found[0].items():
                labels = _LABELS.get(number, ("unknown",))
                states[labels] = states.get(labels, 0) + count
            received += found[1]
            sent += found[2]
        for labels, count in states.items():
            yield Sample(STATES, labels, count)
        yield Sample(STATES, ("rx_queued_bytes",), received)
        yield Sample(STATES, ("tx_queued_bytes",), sent)

    def _ask(self, family: socket.AddressFamily) -> tuple[dict[int, int], int, int] | None:
        if not self._proc.live:
            return None
        try:
            return netlink.tcp_states(family)
        except OSError:
            return None
