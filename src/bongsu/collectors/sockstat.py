"""How many sockets are in use, and the memory that they hold."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.procfs import sockstat
from bongsu.sources.root import Machine

USED = MetricSpec(
    "node_sockstat_sockets_used", Kind.GAUGE, "Sockets of all kinds that are open.", vocabulary=Vocabulary.NODE_EXPORTER
)
FIELD = MetricPattern(
    "node_sockstat_{}", Kind.GAUGE,
    "Sockets by protocol and use, as {} says; mem is in pages, mem_bytes and memory in bytes.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_WORDS = frozenset({b"inuse", b"orphan", b"tw", b"alloc", b"mem", b"memory"})


class SockstatCollector:
    """Sockets in use by protocol, and their memory."""

    name = "sockstat"
    specs = (USED, FIELD)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc
        self._specs: dict[tuple[bytes, bytes], MetricSpec] = {}

    def collect(self) -> Iterator[Sample]:
        """A sample for each number of sockstat and, where there is IPv6, of sockstat6."""
        found = False
        for path in ("net/sockstat", "net/sockstat6"):
            try:
                lines = list(sockstat.read(self._proc, path))
            except FileNotFoundError:
                continue
            found = True
            for protocol, words in lines:
                if protocol == b"sockets":
                    for word, value in words:
                        if word == b"used":
                            yield Sample(USED, (), value)
                    continue
                for word, value in words:
                    if word in _WORDS:
                        yield Sample(self._spec(protocol, word), (), value)
                        if word == b"mem":
                            yield Sample(self._spec(protocol, b"mem_bytes"), (), value * _PAGE_BYTES)
        if not found:
            raise NoData(Message("no /proc/net/sockstat: the kernel has neither IPv4 nor IPv6"))

    def _spec(self, protocol: bytes, word: bytes) -> MetricSpec:
        spec = self._specs.get((protocol, word))
        if spec is None:
            spec = FIELD.spec(f"{protocol.decode('ascii')}_{word.decode('ascii')}")
            self._specs[protocol, word] = spec
        return spec
