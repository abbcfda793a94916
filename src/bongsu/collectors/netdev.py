"""What each network interface sends, receives, drops and cannot receive."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.filter import NameFilter
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources import netlink
from bongsu.sources.netlink import LinkStats
from bongsu.sources.procfs import netdev
from bongsu.sources.root import Machine

RECEIVE = MetricPattern(
    "node_network_receive_{}_total", Kind.COUNTER, "What the interface received since it was made: {}.", ("device",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
TRANSMIT = MetricPattern(
    "node_network_transmit_{}_total", Kind.COUNTER, "What the interface sent since it was made: {}.", ("device",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
MULTICAST = MetricSpec(
    "node_network_multicast_total", Kind.COUNTER, "Multicast packets that the interface received.", ("device",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
COLLISIONS = MetricSpec(
    "node_network_collisions_total", Kind.COUNTER, "Collisions while the interface sent.", ("device",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
ADDRESS = MetricSpec(
    "node_network_address_info", Kind.INFO, "An IP address of the interface and the length of its prefix.",
    ("device", "address", "netmask", "scope"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

# What /proc/net/dev prints, in the order of its columns, under its own names and under the detailed ones.
_PROC = (*(RECEIVE.spec(word) for word in netdev.RECEIVE), *(TRANSMIT.spec(word) for word in netdev.TRANSMIT))
_PROC_DETAILED_WORD = {"errs": "errors", "drop": "dropped"}
_PROC_DETAILED = (
    *(RECEIVE.spec(_PROC_DETAILED_WORD.get(word, word)) for word in netdev.RECEIVE),
    *(TRANSMIT.spec(_PROC_DETAILED_WORD.get(word, word)) for word in netdev.TRANSMIT),
)
_NO_HANDLER = RECEIVE.spec("nohandler")
_SUMMED = (*_PROC, _NO_HANDLER)
_DETAILED_NAME = {"multicast": MULTICAST, "collisions": COLLISIONS}
_DETAILED = tuple(
    _DETAILED_NAME.get(field) or (RECEIVE if field.startswith("rx_") else TRANSMIT).spec(field[3:])
    for field in LinkStats._fields
)


class NetdevCollector:
    """Bytes, packets, errors and drops of each network interface.

    ``netlink`` also gives packets that no protocol wanted (nohandler); without it, or where it is not allowed,
    /proc/net/dev is read. ``enable_detailed_metrics`` names each kind of error apart, under other names.
    """

    name = "netdev"
    specs = (RECEIVE, TRANSMIT, MULTICAST, COLLISIONS, ADDRESS)
    may_block = False
    on_by_default = True

    def __init__(
        self,
        machine: Machine,
        *,
        device_include: str = "",
        device_exclude: str = "",
        address_info: bool = False,
        netlink: bool = True,
        enable_detailed_metrics: bool = False,
    ) -> None:
        self._proc = machine.proc
        self._filter = NameFilter("--collector.netdev.device", include=device_include, exclude=device_exclude)
        self._addresses = address_info
        self._live = machine.proc.live  # a captured tree has no netlink
        self._netlink = netlink and self._live
        self._detailed = enable_detailed_metrics
        self._labels: dict[str, tuple[str]] = {}

    def collect(self) -> Iterator[Sample | Absence]:
        """A sample for each counter of each interface that the filter lets through."""
        stats = self._ask() if self._netlink else None
        rows: Iterable[tuple[str, Sequence[int]]]
        if stats is not None:
            specs = _DETAILED if self._detailed else _SUMMED
            rows = stats if self._detailed else ((name, _summed(link)) for name, link in stats)
        else:
            specs = _PROC_DETAILED if self._detailed else _PROC
            rows = ((name.decode("utf-8", "surrogateescape"), values) for name, values in netdev.read(self._proc))
        refused = stats is None and self._netlink
        passes, known = self._filter.passes, self._labels
        for name, values in rows:
            if not passes(name):
                continue
            labels = known.get(name)
            if labels is None:
                if len(known) > 20_000:  # container hosts make up new names for ever
                    known.clear()
                labels = known[name] = (name,)
            for spec, value in zip(specs, values, strict=False):
                yield Sample(spec, labels, value)
            if refused:
                yield Absence(
                    _NO_HANDLER, labels, Why.FORBIDDEN,
                    Message("the kernel tells it over netlink only, which is not allowed here"),
                    Message("let the service use the address family AF_NETLINK"),
                )  # fmt: skip
        if self._addresses and self._live:
            for found in netlink.addresses():
                yield Sample(ADDRESS, (found.device, *_described(found)), 1)

    def _ask(self) -> list[tuple[str, LinkStats]] | None:
        try:
            return netlink.link_stats()
        except OSError:
            return None


def _summed(link: LinkStats) -> tuple[int, ...]:
    """The columns of /proc/net/dev (as dev_seq_printf_stats in net/core/net-procfs.c adds them up), then nohandler."""
    return (
        link.rx_bytes, link.rx_packets, link.rx_errors, link.rx_dropped + link.rx_missed_errors, link.rx_fifo_errors,
        link.rx_length_errors + link.rx_over_errors + link.rx_crc_errors + link.rx_frame_errors,
        link.rx_compressed, link.multicast,
        link.tx_bytes, link.tx_packets, link.tx_errors, link.tx_dropped, link.tx_fifo_errors, link.collisions,
        link.tx_carrier_errors + link.tx_aborted_errors + link.tx_window_errors + link.tx_heartbeat_errors,
        link.tx_compressed, link.rx_nohandler,
    )  # fmt: skip


def _described(found: netlink.Address) -> tuple[str, str, str]:
    address = found.address
    return str(address), str(found.prefix), _scope(address)


def _scope(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """How far the address reaches, in node_exporter's words: a loopback address is called link-local too."""
    if address.is_loopback or address.is_link_local:
        return "link-local"
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return ""
    return "global"
