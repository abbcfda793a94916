"""What each network interface is: address, speed, link state, changes of the link."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData
from bongsu.model.filter import compiled
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import netclass

INFO = MetricSpec(
    "node_network_info", Kind.INFO, "What the interface says of itself in words.",
    ("device", *netclass.WORDS), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
UP = MetricSpec(
    "node_network_up", Kind.GAUGE, "1 if the interface's operational state is up (RFC 2863), else 0.", ("device",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


def _gauge(word: str, text: str, unit: str = "") -> MetricSpec:
    return MetricSpec(f"node_network_{word}", Kind.GAUGE, text, ("device",), unit, Vocabulary.NODE_EXPORTER)


def _counter(word: str, text: str) -> MetricSpec:
    return MetricSpec(
        f"node_network_{word}", Kind.COUNTER, text, ("device",), vocabulary=Vocabulary.NODE_EXPORTER
    )  # fmt: skip


SPEED = _gauge("speed_bytes", "Speed of the link in bytes per second; below 0 where the driver does not know.", "bytes")
CARRIER = _gauge("carrier", "1 if there is a signal on the link, else 0.")
CARRIER_CHANGES = _counter("carrier_changes_total", "How often the link came or went.")
MTU = _gauge("mtu_bytes", "Longest packet that the interface sends.", "bytes")

_OPERSTATE = netclass.WORDS.index("operstate")
# By their files.
_NUMBERS = {
    "addr_assign_type": _gauge("address_assign_type", "Where the address came from (NET_ADDR_* of linux/netdevice.h)."),
    "carrier": CARRIER,
    "carrier_changes": CARRIER_CHANGES,
    "carrier_up_count": _counter("carrier_up_changes_total", "How often the link came."),
    "carrier_down_count": _counter("carrier_down_changes_total", "How often the link went."),
    "dev_id": _gauge("device_id", "Number that tells devices with one address apart."),
    "dormant": _gauge("dormant", "1 if the link is up and waits for something, such as a login by 802.1X."),
    "flags": _gauge("flags", "Flags of the interface (IFF_* of linux/if.h)."),
    "ifindex": _gauge("iface_id", "Number of the interface."),
    "iflink": _gauge("iface_link", "Number of the interface below it, or its own."),
    "link_mode": _gauge("iface_link_mode", "0 if the link is used as soon as it is up, 1 if it waits (dormant)."),
    "mtu": MTU,
    "name_assign_type": _gauge("name_assign_type", "Where the name came from (NET_NAME_* of linux/netdevice.h)."),
    "netdev_group": _gauge("net_dev_group", "Group that the administrator put the interface into."),
    "speed": SPEED,
    "tx_queue_len": _gauge("transmit_queue_length", "Packets that may wait to be sent."),
    "type": _gauge("protocol_type", "Kind of hardware (ARPHRD_* of linux/if_arp.h)."),
}
_BYTES_PER_MEGABIT = 125_000


class NetclassCollector:
    """Address, state, speed and link changes of each network interface, from /sys/class/net.

    ``ignored_devices`` is a regular expression; ``ignore_invalid_speed`` leaves out speeds below 0, with which
    drivers say that they do not know.
    """

    name = "netclass"
    specs = (INFO, UP, *_NUMBERS.values())
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, ignored_devices: str = "^$", ignore_invalid_speed: bool = False) -> None:
        ignored = compiled("--collector.netclass.ignored-devices", ignored_devices)
        self._reader = netclass.NetclassReader(machine.sys, lambda name: not (ignored and ignored.search(name)))
        self._lowest_speed = 0 if ignore_invalid_speed else None
        self._known: dict[str, tuple[tuple[str], tuple[str | None, ...], tuple[str, ...]]] = {}

    def collect(self) -> Iterator[Sample | Absence]:
        """The samples of each interface; one that goes away meanwhile gives none."""
        interfaces = self._reader.read()
        if interfaces is None:
            raise NoData(Message("no /sys/class/net: the kernel has no network, or sysfs is not mounted there"))
        if len(self._known) > 20_000:  # container hosts make up new names for ever
            self._known.clear()
        for interface in interfaces:
            if isinstance(interface, netclass.Interface):
                yield from self._samples(interface)
            else:
                yield Absence(UP, (interface.name,), Why.FAILED, Message("{error}", error=interface.error.strerror))

    def _samples(self, interface: netclass.Interface) -> Iterator[Sample]:
        name, words, numbers = interface
        known = self._known.get(name)
        if known is None or known[1] != words:
            known = self._known[name] = (name,), words, (name, *(word or "" for word in words))
        labels, _, info = known
        state = words[_OPERSTATE]
        if state is not None:
            yield Sample(UP, labels, 1 if state == "up" else 0)
        if any(word is not None for word in words):
            yield Sample(INFO, info, 1)
        for file, number in numbers.items():
            spec = _NUMBERS[file]
            if spec is SPEED:
                if self._lowest_speed is None or number >= self._lowest_speed:
                    yield Sample(SPEED, labels, number * _BYTES_PER_MEGABIT)
            else:
                yield Sample(spec, labels, number)
