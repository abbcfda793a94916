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
    ("device", "address", "broadcast", "duplex", "operstate", "ifalias"), vocabulary=Vocabulary.NODE_EXPORTER,
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

# The words of INFO after the device, then the numbers.
_WORDS = ("address", "broadcast", "duplex", "operstate", "ifalias")
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


class _Interface:
    """One interface's labels and the paths of what it offers; made anew when its number changes."""

    __slots__ = ("index", "index_path", "info", "info_words", "labels", "numbers", "words")

    def __init__(self, name: str, offered: frozenset[str]) -> None:
        at = f"{netclass.CLASS}/{name}"
        self.labels = (name,)
        self.index_path = f"{at}/ifindex" if "ifindex" in offered else ""
        self.index: bytes | None = None
        self.words = tuple(f"{at}/{word}" if word in offered else "" for word in _WORDS)
        self.numbers = tuple(
            (spec, f"{at}/{file}") for file, spec in _NUMBERS.items() if file in offered and file != "ifindex"
        )
        self.info_words: tuple[bytes, ...] = ()
        self.info: tuple[str, ...] = (name, "", "", "", "", "")


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
        self._sys = machine.sys
        self._ignored = compiled("--collector.netclass.ignored-devices", ignored_devices)
        self._lowest_speed = 0 if ignore_invalid_speed else None
        self._known: dict[str, _Interface] = {}

    def collect(self) -> Iterator[Sample | Absence]:
        """The samples of each interface; one that goes away meanwhile gives none."""
        names = netclass.interfaces(self._sys)
        if names is None:
            raise NoData(Message("no /sys/class/net: the kernel has no network, or sysfs is not mounted there"))
        if len(self._known) > 2 * len(names) + 100:
            self._known = {name: self._known[name] for name in names if name in self._known}
        for name in names:
            if self._ignored is not None and self._ignored.search(name):
                continue
            try:
                # An interface that goes away in the middle takes all its samples with it.
                samples = list(self._interface(name))
            except FileNotFoundError:
                self._known.pop(name, None)
                continue
            except (OSError, ValueError) as error:
                yield Absence(UP, (name,), Why.FAILED, Message("{error}", error=error))
                continue
            yield from samples

    def _interface(self, name: str) -> Iterator[Sample]:
        known = self._known.get(name)
        index = netclass.value(self._sys, known.index_path) if known and known.index_path else None
        if known is None or index is None or index != known.index:
            offered = netclass.files(self._sys, name)
            if not offered:
                return
            known = self._known[name] = _Interface(name, offered)
            if known.index_path:
                index = known.index = netclass.value(self._sys, known.index_path)
        labels = known.labels
        words = tuple(netclass.value(self._sys, path) or b"" if path else b"" for path in known.words)
        if known.words[3]:
            yield Sample(UP, labels, 1 if words[3] == b"up" else 0)
        if words != known.info_words:
            known.info_words = words
            known.info = (name, *(word.decode("utf-8", "surrogateescape") for word in words))
        if any(known.words):
            yield Sample(INFO, known.info, 1)
        if index is not None and (number := _number(index)) is not None:
            yield Sample(_NUMBERS["ifindex"], labels, number)
        for spec, path in known.numbers:
            text = netclass.value(self._sys, path)
            if text is None or (number := _number(text)) is None:
                continue
            if spec is SPEED:
                if self._lowest_speed is not None and number < self._lowest_speed:
                    continue
                number *= _BYTES_PER_MEGABIT
            yield Sample(spec, labels, number)


def _number(text: bytes) -> int | None:
    """A decimal or 0x number; None for anything else."""
    try:
        number = int(text, 16) if text[:2] == b"0x" else int(text)
    except ValueError:
        return None
    return number if abs(number) < 1 << 63 else None
