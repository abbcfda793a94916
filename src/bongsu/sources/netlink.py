"""What the kernel tells about interfaces, addresses and sockets over netlink (RFC 3549, rtnetlink(7), sock_diag(7)).

Only for the machine we run on: a captured tree has no netlink.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

_ROUTE, _SOCK_DIAG = 0, 4  # netlink families
_GETLINK, _GETADDR, _GETSTATS, _SOCK_DIAG_BY_FAMILY = 18, 22, 94, 20
_ERROR, _DONE = 2, 3
_REQUEST_DUMP = 0x301
_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: the kernel's list changed while it was being written out
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_LINK_STATS64 = 1
_SIOCGIFNAME = 0x8910
_TCP = 6
_LISTEN = 10
_ALL_STATES = 0xFFF  # a bit more, and the kernel also walks the ports that are bound and unused, 7 times as long
_BUFFER = 65536
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DIAG_QUEUES = struct.Struct("=II")
_WAIT = struct.pack("@ll", 1, 0)  # an answer comes from the kernel's memory; this is only against a kernel bug


class LinkStats(NamedTuple):
    """One interface's counters since it was made: struct rtnl_link_stats64 of linux/if_link.h."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int
    multicast: int
    collisions: int
    rx_length_errors: int
    rx_over_errors: int
    rx_crc_errors: int
    rx_frame_errors: int
    rx_fifo_errors: int
    rx_missed_errors: int
    tx_aborted_errors: int
    tx_carrier_errors: int
    tx_fifo_errors: int
    tx_heartbeat_errors: int
    tx_window_errors: int
    rx_compressed: int
    tx_compressed: int
    rx_nohandler: int


_STATS64 = struct.Struct(f"={len(LinkStats._fields)}Q")


class Link(NamedTuple):
    """What an interface is: texts and numbers under the names of their files in /sys/class/net."""

    name: str
    address: str
    broadcast: str
    operstate: str
    ifalias: str
    numbers: dict[str, int]
    up: bool  # switched on by the administrator; a link that is not has neither carrier nor speed


_IFLA_ADDRESS, _IFLA_BROADCAST, _IFLA_IFNAME, _IFLA_OPERSTATE, _IFLA_IFALIAS = 1, 2, 3, 16, 20
_IFLA_EXT_MASK, _SKIP_STATS = 29, 8
_IFF_UP = 1
_LINK_NUMBERS = {
    4: "mtu", 5: "iflink", 13: "tx_queue_len", 17: "link_mode", 27: "netdev_group", 33: "carrier",
    35: "carrier_changes", 47: "carrier_up_count", 48: "carrier_down_count",
}  # fmt: skip
_LINK_WANTED = frozenset({_IFLA_ADDRESS, _IFLA_BROADCAST, _IFLA_IFNAME, _IFLA_OPERSTATE, _IFLA_IFALIAS, *_LINK_NUMBERS})
# In the order of IF_OPER_* of linux/if.h.
_OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")


class Address(NamedTuple):
    """An IP address of an interface, and the length of its prefix in bits."""

    device: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    prefix: int


def link_stats() -> list[tuple[str, LinkStats]]:
    """Every interface's name and counters, in the order of their indexes.

    One small message for each interface (RTM_GETSTATS, Linux 4.7), where RTM_GETLINK sends 1.5 kB.

    Raises:
        OSError: netlink is not allowed here, or the kernel does not know the request.
        ValueError: the kernel's answer is not what linux/if_link.h says.
    """
    request = struct.pack("=BBHII", 0, 0, 0, 0, 1 << (_LINK_STATS64 - 1))
    with _open(_ROUTE) as asked:
        stats = []
        for answer in _dump(asked, _GETSTATS, request, 12):
            (index,) = struct.unpack_from("=I", answer, 4)
            for kind, value in _attributes(answer, 12):
                if kind == _LINK_STATS64:
                    if len(value) < _STATS64.size:
                        raise ValueError("the kernel gives fewer interface counters than Linux 4.6 has")
                    name = _name(asked, index)
                    if name is not None:
                        stats.append((name, LinkStats._make(_STATS64.unpack_from(value))))
        return stats


def links() -> list[Link]:
    """Every interface with all that /sys/class/net says of it, but flags, duplex, speed, dormant and three origins.

    Raises:
        OSError: netlink is not allowed here.
        ValueError: the kernel's answer is not what linux/if_link.h says.
    """
    request = struct.pack("=16xHHI", 8, _IFLA_EXT_MASK, _SKIP_STATS)
    with _open(_ROUTE) as asked:
        return [_link(answer) for answer in _dump(asked, _GETLINK, request, 16)]


def _link(answer: bytes) -> Link:
    kind, index, flags = struct.unpack_from("=2xHII", answer)
    found: dict[int, bytes] = {}
    at, end = 16, len(answer)
    unpack, size, wanted = _ATTRIBUTE.unpack_from, _ATTRIBUTE.size, _LINK_WANTED  # there are some 50 of them
    while at + size <= end:
        length, attribute = unpack(answer, at)
        if length < size:
            break
        if attribute in wanted:
            found[attribute] = answer[at + size : at + length]
        at += (length + 3) & ~3
    numbers = {
        name: int.from_bytes(found[attribute], sys.byteorder)
        for attribute, name in _LINK_NUMBERS.items()
        if attribute in found
    }
    numbers["ifindex"] = index
    numbers["type"] = kind
    numbers.setdefault("iflink", index)
    up = bool(flags & _IFF_UP)
    if not up:
        numbers.pop("carrier", None)
    operstate = found.get(_IFLA_OPERSTATE, b"\0")[0]
    return Link(
        _string(found.get(_IFLA_IFNAME, b"")),
        found.get(_IFLA_ADDRESS, b"").hex(":"),
        found.get(_IFLA_BROADCAST, b"").hex(":"),
        _OPERSTATES[operstate] if operstate < len(_OPERSTATES) else "",
        _string(found.get(_IFLA_IFALIAS, b"")),
        numbers,
        up,
    )


def _string(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def addresses() -> list[Address]:
    """The IP addresses of all interfaces; of a point-to-point link, its own end.

    Raises:
        OSError: netlink is not allowed here.
    """
    with _open(_ROUTE) as asked:
        found = []
        for answer in _dump(asked, _GETADDR, bytes(8), 8):
            _family, prefix, _flags, _scope, index = struct.unpack_from("=BBBBI", answer)
            values = dict(_attributes(answer, 8))
            value = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS))
            name = _name(asked, index)
            if value is not None and name is not None and len(value) in {4, 16}:
                found.append(Address(name, ipaddress.ip_address(value), prefix))
        return found


def tcp_states(family: socket.AddressFamily) -> tuple[dict[int, int], int, int]:
    """How many TCP sockets are in each state (numbers of net/tcp_states.h), and bytes waiting to be read and acked.

    A listener's two numbers are connections waiting to be accepted, not bytes, so they are left out.

    Raises:
        OSError: netlink is not allowed here, or the kernel has no inet_diag for this family.
        ValueError: the kernel's answer is not what linux/inet_diag.h says.
    """
    request = struct.pack("=BBBxI48s", family, _TCP, 0, _ALL_STATES, bytes(48))
    states: dict[int, int] = {}
    received = sent = 0
    with _open(_SOCK_DIAG) as asked:
        for answer in _dump(asked, _SOCK_DIAG_BY_FAMILY, request, 64):
            state = answer[1]
            states[state] = states.get(state, 0) + 1
            if state != _LISTEN:
                waiting, unacked = _DIAG_QUEUES.unpack_from(answer, 56)
                received += waiting
                sent += unacked
    return states, received, sent


def _open(family: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _WAIT)
    return opened


def _name(any_socket: socket.socket, index: int) -> str | None:
    """The interface's present name; None if it went away since the kernel listed it."""
    try:
        answer = fcntl.ioctl(any_socket, _SIOCGIFNAME, struct.pack("16sI20x", b"", index))
    except OSError:
        return None
    return _string(answer)


def _dump(asked: socket.socket, kind: int, body: bytes, shortest: int) -> list[bytes]:
    """The bodies of all messages that answer one request for everything, each of ``shortest`` bytes or more.

    A list that changed while the kernel wrote it is asked for again, and taken as it is at the third time.
    """
    answers: list[bytes] = []
    for _ in range(3):
        asked.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_DUMP, 1, 0) + body)
        answers.clear()
        interrupted = False
        done = False
        while not done:
            packet = asked.recv(_BUFFER)
            at = 0
            while at + _HEADER.size <= len(packet):
                length, answer, flags, _sequence, _port = _HEADER.unpack_from(packet, at)
                if length < _HEADER.size:
                    raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
                interrupted = interrupted or bool(flags & _INTERRUPTED)
                if answer == _DONE:
                    done = True
                    break
                if answer == _ERROR:
                    (number,) = struct.unpack_from("=i", packet, at + _HEADER.size)
                    raise OSError(-number, os.strerror(-number))
                if length < _HEADER.size + shortest:
                    raise ValueError(f"netlink: an answer of type {answer} has {length} bytes, which is too few")
                answers.append(packet[at + _HEADER.size : at + length])
                at += (length + 3) & ~3
        if not interrupted:
            break
    return answers


def _attributes(message: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, message[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
