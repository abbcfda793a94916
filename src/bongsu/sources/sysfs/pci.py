"""/sys/bus/pci/devices: which display devices and accelerators are on the bus, and who made them."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root

_AT = "bus/pci/devices"
_KINDS = frozenset({0x03, 0x12})  # base classes "display controller" and "processing accelerator" of the PCI code list


class Display(NamedTuple):
    """One device by its address on the bus and its vendor's number."""

    address: str
    vendor: int


def displays(sys: Root) -> list[Display]:
    """All of them, by address; one that tells no class or vendor is left out (Documentation/ABI/testing/sysfs-bus-pci)."""
    found = []
    for address in sys.names(_AT):
        kind = sys.number(f"{_AT}/{address}/class")
        if kind is None or kind >> 16 not in _KINDS:
            continue
        vendor = sys.number(f"{_AT}/{address}/vendor")
        if vendor is not None:
            found.append(Display(address, vendor))
    return found
