"""/sys/devices/system/node: how the memory of each NUMA node is used (Documentation/admin-guide/numastat.rst)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import count, counts
from bongsu.sources.root import Root

_DIRECTORY = "devices/system/node"


class Node(NamedTuple):
    """One node. Memory is in bytes (and HugePages_* in pages), events are counts since boot."""

    memory: list[tuple[bytes, int]]
    events: list[tuple[bytes, int]]


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
    for line in sys.read(f"{_DIRECTORY}/node{number}/meminfo").splitlines():
        parts = line.split()  # Node 0 MemTotal: 5204184 kB
        if len(parts) == 5 and parts[4] == b"kB":
            memory.append((parts[2], count(parts[3]) * 1024))
        elif len(parts) == 4:
            memory.append((parts[2], count(parts[3])))
        elif parts:
            raise ValueError(f"node{number}/meminfo: {line[:40]!r} is not a name, a number and perhaps kB")
    tokens = sys.read(f"{_DIRECTORY}/node{number}/numastat").split()
    if len(tokens) % 2:
        raise ValueError(f"node{number}/numastat is not a list of names and numbers")
    return Node(memory, list(zip(tokens[::2], counts(tokens[1::2]), strict=True)))
