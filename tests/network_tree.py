"""Writes what /proc and /sys say of network interfaces and disks of machines that we do not have."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import kernel_tree

ODD_NAMES = ('q"uote', "back\\slash", "네트워크", "a\u3000b", "x{y}=1,2", "tab%d", "ünïcode", "a'b")
NET_DEV_HEADER = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
    "compressed\n"
)
# What an interface that is up says; a name that ends in ":0" would be an alias of old kernels.
INTERFACE = {
    "addr_assign_type": "3", "addr_len": "6", "address": "01:02:03:04:05:06", "broadcast": "ff:ff:ff:ff:ff:ff",
    "carrier": "1", "carrier_changes": "7", "carrier_up_count": "4", "carrier_down_count": "3", "dev_id": "0x20",
    "dormant": "1", "duplex": "full", "flags": "0x1303", "ifalias": 'to the "switch" \\ 3', "ifindex": "2", "iflink": "2",
    "link_mode": "1", "mtu": "9000", "name_assign_type": "2", "netdev_group": "5", "operstate": "up",
    "phys_port_id": "x", "phys_port_name": "y", "phys_switch_id": "z", "speed": "100000", "tx_queue_len": "1000",
    "type": "1", "uevent": "INTERFACE=x", "gro_flush_timeout": "0", "proto_down": "0",
}  # fmt: skip
NETSTAT = (
    "TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows ListenDrops TCPTimeouts TCPSynRetrans Rest\n"
    "TcpExt: 1 2 3 4 5 6 18446744073709551615\n"
    "IpExt: InNoRoutes InOctets OutOctets InErrors\nIpExt: 7 6286396970 2786264347 9\n"
)
SNMP = (
    "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 57740232\n"
    "Icmp: InMsgs InErrors OutMsgs\nIcmp: 104 1 120\nIcmpMsg: InType3 OutType3\nIcmpMsg: 104 120\n"
    "Tcp: RtoAlgorithm RtoMin MaxConn ActiveOpens PassiveOpens CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts\n"
    "Tcp: 1 200 -1 3556 230 12 57252008 54915039 227 5 1003\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 88542 120 3 53028 9 8\n"
    "UdpLite: InDatagrams InErrors\nUdpLite: 0 4\n"
)
SNMP6 = (
    "Ip6InReceives                   \t7\nIp6InOctets                     \t460\nIp6OutOctets\t536\n"
    "Icmp6InMsgs\t3\nIcmp6InErrors\t2\nIcmp6OutMsgs\t8\nUdp6InDatagrams\t1\nUdp6InErrors\t4\nUdpLite6InErrors\t6\n"
)
SOCKSTAT = (
    "sockets: used 229\nTCP: inuse 4 orphan 1 tw 4 alloc 17 mem 2\nUDP: inuse 3 mem 5\nUDPLITE: inuse 0\n"
    "RAW: inuse 0\nFRAG: inuse 1 memory 4096\n"
)
SOCKSTAT6 = "TCP6: inuse 17\nUDP6: inuse 9\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n"
SOCKET_HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
ARP_HEADER = "IP address       HW type     Flags       HW address            Mask     Device\n"


def net_dev(names: Iterable[str | bytes]) -> bytes:
    """/proc/net/dev with these interfaces; every number is different from every other."""
    lines = [NET_DEV_HEADER.encode()]
    for place, name in enumerate(names):
        raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        lines.append(raw.rjust(6) + b": " + b" ".join(b"%d" % (place * 100 + i + 10**12) for i in range(16)) + b"\n")
    return b"".join(lines)


def interface(tree: kernel_tree.Tree, name: str, files: Mapping[str, str] = INTERFACE) -> None:
    """/sys/class/net/NAME, a link as on a real machine."""
    at = f"sys/devices/virtual/net/{name}"
    tree.write({f"{at}/{file}": text + "\n" for file, text in files.items()})
    link = tree.path / "sys/class/net" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        os.symlink(f"../../devices/virtual/net/{name}", link)


def many_interfaces(path: Path, names: Iterable[str]) -> None:
    """The same for very many, as fast as files can be made: each has four of the files."""
    for place, name in enumerate(names):
        at = path / "sys/class/net" / name
        at.mkdir(parents=True)
        for file, text in (("operstate", "up"), ("mtu", "1500"), ("ifindex", place), ("speed", place)):
            (at / file).write_text(f"{text}\n")


def sockets(rows: Iterable[tuple[int, int, int]], *, six: bool = False) -> str:
    """/proc/net/tcp or udp, or their files for IPv6, with rows of state, bytes to send and bytes received."""
    address = "0" * (32 if six else 8)
    return SOCKET_HEADER + "".join(
        f"{place:4d}: {address}:0016 {address}:0000 {state:02X} {sent:08X}:{received:08X} 00:00000000 00000000     0"
        f"        0 {place} 2 00000000cafe 0\n"
        for place, (state, sent, received) in enumerate(rows)
    )  # fmt: skip
