"""The nodes' network: a bridge on the host and a pair of virtual cards for each node; nothing leads outside."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from cluster.commands import run

PREFIX = "bct"  # begins the name of all that is made here
_BRIDGE = f"{PREFIX}br0"
_ADDRESSES = ipaddress.ip_network("198.18.86.0/24")  # for tests of devices, never routed (RFC 2544)
_NAMESPACES = Path("/run/netns")


def address(number: int) -> str:
    """The address of the node with this number."""
    return str(_ADDRESSES[10 + number])


def namespace(node: str) -> str:
    """The network namespace of a node, as ip-netns(8) names it."""
    return f"{PREFIX}-{node}"


def card(number: int) -> str:
    """The host's end of a node's virtual cable."""
    return f"{PREFIX}v{number}"


def connect(nodes: Mapping[str, int]) -> None:
    """Make the network of these nodes, by their numbers.

    The unreachable route keeps what is sent to nodes on this machine, also when the bridge is gone.
    """
    length = _ADDRESSES.prefixlen
    lines = [
        f"route replace unreachable {_ADDRESSES} metric 4096",
        f"link add {_BRIDGE} type bridge forward_delay 0",
        f"addr add {_ADDRESSES[1]}/{length} dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
    ]
    for node, number in nodes.items():
        run("ip", "netns", "add", namespace(node))
        lines += [
            f"link add {card(number)} type veth peer name eth0 netns {namespace(node)}",
            f"link set {card(number)} master {_BRIDGE} up",
        ]
    run("ip", "-batch", "-", text="\n".join(lines) + "\n")
    for node, number in nodes.items():
        inside = f"link set lo up\naddr add {address(number)}/{length} dev eth0\nlink set eth0 up\n"
        run("ip", "-n", namespace(node), "-batch", "-", text=inside)


def clear() -> None:
    """Remove every network that was made here, also by an interrupted run."""
    lines = [f"link del {name}" for name in os.listdir("/sys/class/net") if name.startswith((f"{PREFIX}v", _BRIDGE))]
    if _NAMESPACES.is_dir():
        lines += [f"netns del {name}" for name in os.listdir(_NAMESPACES) if name.startswith(f"{PREFIX}-")]
    lines.append(f"route del unreachable {_ADDRESSES} metric 4096")
    run("ip", "-force", "-batch", "-", text="\n".join(lines) + "\n", check=False)
