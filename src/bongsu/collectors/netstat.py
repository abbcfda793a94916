"""What the network protocols count: segments, retransmissions, listen overflows, datagrams without a port."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.filter import compiled
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.procfs import netstat
from bongsu.sources.root import Machine

FIELD = MetricPattern(
    "node_netstat_{}", Kind.UNTYPED, "The counter {} of the network protocols.", vocabulary=Vocabulary.NODE_EXPORTER
)
DEFAULT_FIELDS = (
    "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)"
    "|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts)"
    "|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
    "|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
)
_Picked = tuple[tuple[int, MetricSpec], ...]


class NetstatCollector:
    """Counters of IP, ICMP, TCP and UDP; ``fields`` is a regular expression of those to read, such as Tcp_OutSegs."""

    name = "netstat"
    specs = (FIELD,)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, fields: str = DEFAULT_FIELDS) -> None:
        self._proc = machine.proc
        self._wanted = compiled("--collector.netstat.fields", fields)
        self._picked: dict[bytes, tuple[int, _Picked]] = {}  # by the line of names: how many, and which we want
        self._six_names: list[bytes] = []
        self._six: _Picked = ()

    def collect(self) -> Iterator[Sample]:
        """A sample for each counter that is wanted."""
        for path in ("net/netstat", "net/snmp"):
            for block in netstat.read_blocks(self._proc, path):
                count, picked = self._picked.get(block[0]) or self._pick(block)
                values = netstat.values(block)
                if len(values) != count:
                    raise ValueError(f"{path}: {block[0][:20]!r} has {count} names and {len(values)} values")
                for position, spec in picked:
                    yield Sample(spec, (), netstat.number(values[position]))
        try:
            words = netstat.read_snmp6(self._proc)
        except FileNotFoundError:
            return  # a kernel without IPv6
        names = words[::2]
        if names != self._six_names:
            self._six = self._pick_six(names)
            self._six_names = names
        for position, spec in self._six:
            yield Sample(spec, (), netstat.number(words[position]))

    def _pick(self, block: netstat.Block) -> tuple[int, _Picked]:
        names = netstat.names(block)
        # The last of a name that stands twice counts, as where the values are put into a table.
        positions = {name: position for position, name in enumerate(names)}
        wanted = tuple((position, FIELD.spec(name)) for name, position in positions.items() if self._wants(name))
        if len(self._picked) > 100:
            self._picked.clear()
        self._picked[block[0]] = (len(names), wanted)
        return self._picked[block[0]]

    def _pick_six(self, words: list[bytes]) -> _Picked:
        picked: dict[str, int] = {}
        for place, word in enumerate(words):
            protocol, six, rest = word.decode("ascii").partition("6")
            name = f"{protocol}{six}_{rest}"
            if six and self._wants(name):
                picked[name] = 2 * place + 1
        return tuple((position, FIELD.spec(name)) for name, position in picked.items())

    def _wants(self, name: str) -> bool:
        return self._wanted is None or self._wanted.search(name) is not None
