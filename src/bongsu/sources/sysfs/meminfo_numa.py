"""/sys/devices/system/node: how the memory of each NUMA node is used (Documentation/admin-guide/numastat.rst)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import count
from bongsu.sources.root import Root

_DIRECTORY = "devices/system/node"


class Node(NamedTuple):
    """One node. Memory is in bytes (and HugePages_* in pages), events are counts since boot."""

    number: str
    memory: list[tuple[str, int]]
    events: list[tuple[str, int]]


def numbers(sys: Root) -> list[str]:
    """The nodes that this machine has, sorted as text; empty where the kernel knows no NUMA."""
    return [name[4:] for name in sys.names(_DIRECTORY) if name[:4] == "node" and name[4:].isdecimal()]


def read(sys: Root, number: str) -> Node:
    """Read one node.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    memory = []
    for line in sys.text(f"{_DIRECTORY}/node{number}/meminfo").splitlines():
        parts = line.split()  # Node 0 MemTotal: 5204184 kB
        if not parts:
            continue
        if len(parts) not in {4, 5} or parts[4:] not in ([], ["kB"]):
            raise ValueError(f"node{number}/meminfo: {line[:40]!r} is not a name, a number and perhaps kB")
        value = count(parts[3].encode("utf-8", "surrogateescape"))
        memory.append((parts[2].rstrip(":"), value * 1024 if len(parts) == 5 else value))
    events = []
    for line in sys.text(f"{_DIRECTORY}/node{number}/numastat").splitlines():
        parts = line.split()
        if parts:
            if len(parts) != 2:
                raise ValueError(f"node{number}/numastat: {line[:40]!r} is not a name and a number")
            events.append((parts[0], count(parts[1].encode("utf-8", "surrogateescape"))))
    return Node(number, memory, events)
